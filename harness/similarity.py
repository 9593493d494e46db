"""Comparing an image with its reconstruction: absolute difference, or one minus the structural similarity (SSIM)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

UPD_RANGE = 255.0  # dynamic range that UPD_study gives to SSIM, though its images lie in [0, 1]


def anomaly_map(images: Tensor, restored: Tensor, compare: str) -> Tensor:
    """Difference of images and restorations (N, 1, H, W), at least 0.

    compare: `residual` for |x - x'|; `ssim` for UPD_study's map, 1 - SSIM cut to [0, 1] with a dynamic range of 255.
    The latter's constants outweigh images in [0, 1], so that it is nearly the squared difference of blurred images.
    """
    images, restored = images.float(), restored.float()
    if compare == "residual":
        return (images - restored).abs()
    return ssim_distance(images, restored, dynamic_range=UPD_RANGE).clamp(0, 1)


def ssim_distance(x: Tensor, y: Tensor, window: int = 11, sigma: float = 1.5, dynamic_range: float = 1.0) -> Tensor:
    """1 - SSIM (Wang et al. 2004) of x and y (N, C, H, W) in every voxel, from 0 (equal) to 2, zeros around the images.

    window, sigma: side and standard deviation of the Gaussian window, voxels. Written as a sum of squares instead of
    a difference from 1, so that float32 keeps the small values that a large dynamic range leads to.
    """
    luminance, contrast = (0.01 * dynamic_range) ** 2, (0.03 * dynamic_range) ** 2
    blur = _blur(window, sigma, x)
    mean_x, mean_y = blur(x), blur(y)
    changed = blur((x - y).square()) - (mean_x - mean_y).square()  # local variance of x - y
    spread = blur(x.square()) - mean_x.square() + blur(y.square()) - mean_y.square() + contrast
    level = mean_x.square() + mean_y.square() + luminance
    shared = 2 * mean_x * mean_y + luminance
    return ((mean_x - mean_y).square() * spread + shared * changed) / (level * spread)


def _blur(window: int, sigma: float, like: Tensor) -> Callable[[Tensor], Tensor]:
    """Gaussian filter of images shaped as `like`, one axis after the other."""
    offsets = torch.arange(window, device=like.device, dtype=like.dtype) - window // 2
    weights = torch.exp(-0.5 * (offsets / sigma).square())
    weights = weights / weights.sum()

    def blur(images: Tensor) -> Tensor:
        flat = images.reshape(-1, 1, *images.shape[-2:])
        flat = F.conv2d(flat, weights[None, None, :, None], padding=(window // 2, 0))
        return F.conv2d(flat, weights[None, None, None, :], padding=(0, window // 2)).reshape(images.shape)

    return blur
