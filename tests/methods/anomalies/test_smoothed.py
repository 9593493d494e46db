"""Smoothing of score maps against scipy's Gaussian filter, which reflects at the border."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from uadbench.methods.anomalies.filters import smoothed


@pytest.mark.parametrize(("shape", "sigma"), [((40, 56), 4.0), ((7, 9), 4.0), ((33, 20), 1.0)])
def test_smoothing_is_that_of_scipy(shape, sigma):
    maps = np.random.default_rng(0).random((2, 1, *shape)).astype(np.float32)
    expected = gaussian_filter(maps.astype(float), (0, 0, sigma, sigma))
    np.testing.assert_allclose(smoothed(torch.from_numpy(maps), sigma), expected, atol=1e-6)


def test_no_smoothing_leaves_maps_alone():
    maps = torch.rand(1, 1, 5, 6)
    assert smoothed(maps, 0.0) is maps
