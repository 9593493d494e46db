"""Difference maps: the residual, and UPD_study's SSIM map against its closed form. SSIM itself: tests/test_ssim.py."""

from __future__ import annotations

import numpy as np
import torch

from uadbench.methods.scoring.similarity import anomaly_map


def pair(seed: int = 0, size: int = 14) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.random((size, size)), generator.random((size, size))


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image)[None, None]


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
