"""Slices in several equal channels: the function of one, of which the optimiser moves the kernel that many times."""

import pytest
import torch

from uadbench.methods.networks.grey import GreyConv2d


def test_three_channels_are_one_that_learns_three_times_as_fast():
    made = {channels: GreyConv2d(channels, 4, 3, padding=1) for channels in (1, 3)}
    with torch.no_grad():
        made[1].weight.copy_(made[3].weight.sum(1, keepdim=True))
        made[1].bias.copy_(made[3].bias)
    images = torch.rand((2, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(made[1](images), made[3](images))
    before, moved = made[1].weight.detach().clone(), {}
    for channels, layer in made.items():
        optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)
        layer(images).square().sum().backward()
        optimizer.step()
        moved[channels] = (layer.weight.sum(1, keepdim=True) - before).detach()
    torch.testing.assert_close(moved[3], 3 * moved[1])
    assert moved[1].abs().min().item() == pytest.approx(1e-3, rel=1e-3)
