"""Sizes of networks with a dense bottleneck: every slice fits, and can be halved as often as planned."""

import pytest
import torch

from uadbench.methods.networks.bottleneck import from_square, halvings, square_side, to_square
from uadbench.methods.slices import fit


@pytest.mark.parametrize(
    ("patch", "smallest", "count", "side"),
    [(128, 2, 6, 128), (128, 4, 5, 128), (48, 2, 4, 48), (48, 4, 3, 48), (40, 2, 4, 48), (20, 4, 2, 24), (6, 4, 1, 8)],
)
def test_sizes_by_hand(patch, smallest, count, side):
    assert halvings(patch, smallest) == count
    assert square_side(patch, count) == side


@pytest.mark.parametrize("patch", range(8, 70, 3))
@pytest.mark.parametrize("shape", [(48, 39), (30, 57), (9, 9)])
def test_scaled_slices_fit_into_the_square(patch, shape):
    count = halvings(patch, 2)
    side = square_side(patch, count)
    slices, _ = fit(torch.ones((2, 1, *shape)), patch)
    square = to_square(slices, side)
    assert square.shape == (2, 1, side, side)
    assert square.sum() == slices.sum()
    assert side % 2**count == 0
    assert side // 2**count >= 1


@pytest.mark.parametrize("shape", [(32, 24), (24, 32), (17, 9), (32, 32)])
def test_the_cut_of_a_square_is_the_padded_images(shape):
    images = torch.rand((2, 1, *shape), generator=torch.Generator().manual_seed(0))
    assert torch.equal(from_square(to_square(images, 32), images), images)
