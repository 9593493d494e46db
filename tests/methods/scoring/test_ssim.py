"""SSIM against its definition in float64 with scipy's filters."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from uadbench.methods.scoring.similarity import dissimilarity_map


def defined(a: np.ndarray, b: np.ndarray, window: int, sigma: float, top: float) -> np.ndarray:
    def mean(image):
        return gaussian_filter(image, sigma, mode="constant", radius=window // 2)

    c1, c2 = (0.01 * top) ** 2, (0.03 * top) ** 2
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    return (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))


@pytest.mark.parametrize(("window", "sigma", "top"), [(11, 1.5, 1.0), (5, 1.5, 1.0), (11, 1.5, 255.0)])
def test_is_the_definition(window, sigma, top):
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 3, 2, 30, 26))
    expected = np.stack(
        [[defined(x, y, window, sigma, top) for x, y in zip(*p, strict=True)] for p in zip(a, b, strict=True)]
    )
    tensors = [torch.from_numpy(array).float() for array in (a, b)]
    ours = dissimilarity_map(*tensors, window, sigma, top)
    assert ours.shape == (3, 1, 30, 26)
    np.testing.assert_allclose(ours[:, 0], 1 - expected.mean(1), rtol=1e-3)  # small values, too


def test_equal_images_are_alike_and_others_are_not():
    images = torch.rand((2, 1, 20, 20), generator=torch.Generator().manual_seed(0))
    assert torch.equal(dissimilarity_map(images, images), torch.zeros(2, 1, 20, 20))
    assert dissimilarity_map(images, images.flip(-1)).mean() > 0.5
