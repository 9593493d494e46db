"""Under autocast the last layer of every network computes in float32."""

import pytest
import torch
from torch import nn

from tests.trainings import built
from uadbench.methods.networks import wgan
from uadbench.methods.networks.output import OutputConv2d
from uadbench.methods.networks.wide_resnet import WideResNetAutoencoder

NETWORKS = {
    "disyre": lambda images: built("disyre").eval().predict(images, 50),
    "mood22": lambda images: built("mood22").eval().logits(images),
    "dae": lambda images: built("dae").eval().unet(images),
    "vae": lambda images: built("vae").eval().restored(images, None),
    "pii": lambda images: WideResNetAutoencoder((4, 8, 16, 16)).eval()(images),
    "f_anogan": lambda images: wgan.generator(8, 4, 32, 2, "nearest", symmetric=True).eval()(images[:, 0, 0, :8]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_return_float32_under_autocast(name):
    torch.manual_seed(0)
    images = torch.rand(2, 1, 32, 32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = NETWORKS[name](images)
    assert found.dtype == torch.float32
    rounded = found.bfloat16().float()
    assert (rounded != found).float().mean() > 0.5  # not bfloat16 that was cast afterwards


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
