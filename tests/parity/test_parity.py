"""Our networks give the outputs of the public code from the same weights: order of operations, not counts."""

import re

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel

from tests.parity.cases import CASES, RECORDS, thinned
from tests.parity.defaults import DEFAULTS, EVERY, LARGE, REPLACED
from uadbench.methods import registry
from uadbench.methods.networks.unet import unet
from uadbench.methods.settings import resolve

TOLERANCE = 1e-6  # of the largest output


def compare(name: str) -> None:
    case, theirs = EVERY[name], np.load(RECORDS / f"{name}.npy")
    with torch.no_grad():
        ours = thinned(case.network()(case.inputs()))
    assert ours.shape == theirs.shape
    assert abs(theirs).max() > 0.01
    assert abs(ours - theirs).max() / abs(theirs).max() < TOLERANCE


@pytest.mark.parametrize("name", CASES | DEFAULTS)
def test_outputs_are_those_of_the_public_code(name):
    compare(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_outputs_of_large_networks_are_those_of_the_public_code(name):
    compare(name)


def test_every_record_is_compared():
    assert {path.stem for path in RECORDS.glob("*.npy")} == set(EVERY)


def test_the_network_of_ddpm_has_attention_at_32_pixels_and_below():
    """Of slices of 256 pixels: from the fourth of six levels on, as AnoDDPM's default resolutions 32, 16 and 8."""
    with torch.device("meta"):
        ours = unet(resolve("ddpm", "t1").params)
        theirs = UNet2DModel(
            in_channels=1,
            out_channels=1,
            layers_per_block=2,
            block_out_channels=(128, 128, 256, 256, 512, 512),
            down_block_types=("DownBlock2D",) * 3 + ("AttnDownBlock2D",) * 3,
            up_block_types=("AttnUpBlock2D",) * 3 + ("UpBlock2D",) * 3,
        )
    assert {**ours.config, "_use_default_values": None} == {**theirs.config, "_use_default_values": None}
    shapes = [{key: value.shape for key, value in each.state_dict().items()} for each in (ours, theirs)]
    assert shapes[0] == shapes[1]


def test_every_default_that_small_sizes_replace_is_listed():
    listed = {}
    for methods, parameters, _ in REPLACED:
        for method in re.findall(r"`(\w+)`", methods):
            listed.setdefault(method, set()).update(re.findall(r"`(\w+)`", parameters))
    amounts = {"steps", "batch", "encoder_steps", "iterations"}
    replaced = {name: registry.describe(name).small.keys() - amounts for name in registry.names()}
    assert listed == {name: keys for name, keys in replaced.items() if keys}
