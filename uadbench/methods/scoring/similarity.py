"""Comparison of an image with its reconstruction: absolute residual, or one minus structural similarity (SSIM)."""

from __future__ import annotations

from torch import Tensor

from uadbench.methods.scoring.ssim import dissimilarity_map

UPD_RANGE = 255.0  # dynamic range that UPD_study gives to SSIM, though its images lie in [0, 1]


def anomaly_map(images: Tensor, restored: Tensor, compare: str) -> Tensor:
    """Difference of images and restorations (N, 1, H, W), at least 0.

    compare: `residual` for |x - x'|; `ssim` for UPD_study's map, 1 - SSIM with dynamic range 255, clipped to [0, 1].
    Its constants then dominate for images in [0, 1], so that it is nearly the squared difference of blurred images.
    """
    images, restored = images.float(), restored.float()
    if compare == "residual":
        return (images - restored).abs()
    return dissimilarity_map(images, restored, range=UPD_RANGE).clamp(0, 1)
