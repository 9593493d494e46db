"""Under autocast the last layer of every network computes in float32."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch
from torch import nn

from uadbench.methods import registry
from uadbench.methods.base import Context
from uadbench.methods.networks import wgan
from uadbench.methods.networks.output import OutputConv2d
from uadbench.methods.networks.wide_resnet import WideResNetAutoencoder
from uadbench.methods.settings import resolve
from uadbench.training import run


def method(name: str) -> nn.Module:
    params = asdict(resolve(name, "t1", {name: registry.describe(name).small}).params)
    return run.build(name, params, Context("t1", 4.0)).eval()


def restorer(name: str):
    built = method(name)
    return lambda images: built.predict(images, 50)


NETWORKS = {
    "disyre": lambda: restorer("disyre"),
    "mood22": lambda: method("mood22").logits,
    "dae": lambda: method("dae").unet,
    "vae": lambda: lambda images: method("vae").restored(images, None),
    "pii": lambda: WideResNetAutoencoder((4, 8, 16, 16)).eval(),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_return_float32_under_autocast(name):
    torch.manual_seed(0)
    images = torch.rand(2, 1, 32, 32)
    network = NETWORKS[name]()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = network(images)
    assert found.dtype == torch.float32
    rounded = found.bfloat16().float()
    assert (rounded != found).float().mean() > 0.5  # not bfloat16 that was cast afterwards


def test_the_generator_returns_float32_under_autocast():
    torch.manual_seed(0)
    generator = wgan.generator(8, 4, 32, 2, "nearest", symmetric=True).eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = generator(torch.randn(2, 8))
    assert found.dtype == torch.float32
    assert (found.bfloat16().float() != found).float().mean() > 0.5


def test_a_convolution_made_the_last_is_the_same_in_float32():
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 2, 3, padding=1)
    images = torch.rand(2, 3, 8, 8)
    made = OutputConv2d.of(layer)
    assert torch.equal(made(images), layer(images))
    assert made.state_dict().keys() == layer.state_dict().keys()
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(images).dtype == torch.bfloat16
        assert made(images).dtype == torch.float32
