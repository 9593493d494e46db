"""SSIM map against a direct sum over windows in float64, and UPD_study's closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.similarity import anomaly_map, ssim_distance


def pair(seed: int = 0, size: int = 14) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.random((size, size)), generator.random((size, size))


def direct(x: np.ndarray, y: np.ndarray, window: int, sigma: float, dynamic_range: float) -> np.ndarray:
    """SSIM by its definition, one voxel after the other, zeros outside of the images."""
    offsets = np.arange(window) - window // 2
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    c1, c2 = (0.01 * dynamic_range) ** 2, (0.03 * dynamic_range) ** 2
    x, y = (np.pad(image, window // 2) for image in (x, y))
    result = np.zeros([side - window + 1 for side in x.shape])
    for i, j in np.ndindex(*result.shape):
        a, b = x[i : i + window, j : j + window], y[i : i + window, j : j + window]
        ma, mb = (weights * a).sum(), (weights * b).sum()
        va, vb = (weights * a * a).sum() - ma**2, (weights * b * b).sum() - mb**2
        cov = (weights * a * b).sum() - ma * mb
        result[i, j] = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    return result


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image)[None, None]


@pytest.mark.parametrize(("window", "sigma", "dynamic_range"), [(11, 1.5, 255.0), (11, 1.5, 1.0), (5, 1.5, 1.0)])
def test_map_against_a_direct_sum(window, sigma, dynamic_range):
    x, y = pair()
    values = ssim_distance(tensor(x), tensor(y), window, sigma, dynamic_range)[0, 0].numpy()
    np.testing.assert_allclose(values, 1 - direct(x, y, window, sigma, dynamic_range), rtol=1e-7, atol=1e-12)


def test_small_values_survive_float32():
    x, y = pair(1)
    y = x + 0.01 * y
    values = ssim_distance(tensor(x).float(), tensor(y).float(), dynamic_range=255.0)[0, 0].numpy()
    np.testing.assert_allclose(values, 1 - direct(x, y, 11, 1.5, 255.0), rtol=1e-3)


def test_equal_images_differ_by_nothing():
    x, _ = pair()
    assert ssim_distance(tensor(x), tensor(x)).abs().max() < 1e-12


def test_channels_are_compared_one_by_one():
    x, y = torch.rand((2, 3, 4, 9, 9), generator=torch.Generator().manual_seed(3))
    together = ssim_distance(x, y)
    torch.testing.assert_close(together[1:2, 2:3], ssim_distance(x[1:2, 2:3], y[1:2, 2:3]))


def test_upd_map_is_nearly_a_blurred_squared_difference():
    """1 - SSIM with a range of 255 on [0, 1]: (mean difference)^2 / (squared means + 6.5) + Var(x - y) / 58.5."""
    from scipy.ndimage import gaussian_filter

    x, y = pair(2, 40)
    values = anomaly_map(tensor(x), tensor(y), "ssim")[0, 0].numpy()

    def blur(image: np.ndarray) -> np.ndarray:
        return gaussian_filter(image, 1.5, mode="constant", radius=5)

    mx, my = blur(x), blur(y)
    closed = (mx - my) ** 2 / (mx**2 + my**2 + 6.5025) + (blur((x - y) ** 2) - (mx - my) ** 2) / 58.5225
    assert np.corrcoef(values.ravel(), closed.ravel())[0, 1] > 0.9999


def test_residual_is_the_absolute_difference():
    x, y = pair()
    np.testing.assert_allclose(anomaly_map(tensor(x), tensor(y), "residual")[0, 0].numpy(), abs(x - y), atol=1e-6)
