"""The comparison of training patches with those of DISYRE's public code: what it needs no public code for."""

import numpy as np
import pytest
import torch

from benchmarks.patch_places import ours, pooled, scored, thinned, trained


def test_patches_are_averaged_and_their_empty_sides_counted():
    healthy, mask, foreign = torch.ones(3, 2, 1, 128, 128)
    healthy[1, :, :, :12] = 0
    mask[:, :, :64] = 0
    data, empty = pooled(iter([(healthy, mask, 0.5 * foreign)] * 2), 3)
    assert data.shape == (3, 4, 32, 32)
    assert empty == pytest.approx(1 / 3)
    assert data.float().mean((2, 3))[0].tolist() == [1, 0.5, 0.5, 0.25]
    assert data.float().mean((2, 3))[1].tolist() == pytest.approx([116 / 128, 0.5, 0.5 * 116 / 128, 0.25], abs=1e-3)


@pytest.mark.parametrize(("place", "centred"), [("slice", True), ("field", False)])
def test_patches_of_ours_lie_where_they_are_wanted(place, centred):
    volumes = [np.full((140, 150, 2), 0.5, np.float32), np.full((70, 60, 2), 0.5, np.float32)]
    healthy, _, _ = next(ours(place, volumes, 1))
    filled = (healthy[:, 0] > 0).flatten(1).float().mean(1)
    small = healthy[filled < 0.5, 0] > 0
    whole = small.flatten(1).sum(1) == 60 * 70
    middle = small[:, 40:88, 40:88].flatten(1).all(1)
    assert (middle[whole].float().mean() > 0.9) == centred


def test_a_network_trains_on_them_and_scores_slices():
    method = trained(torch.rand((20, 4, 32, 32), generator=torch.Generator().manual_seed(0)).half(), 3, 1)
    images = thinned(np.random.default_rng(0).random((150, 130, 4)))
    found = scored("ours", method, images)
    assert found.shape == images.shape == (2, 32, 37)
    assert found.isfinite().all()
    assert found.std() > 0
