"""Comparison of an image with its reconstruction: absolute residual, or one minus structural similarity (SSIM).

SSIM (Wang et al. 2004) is a map, in a form that keeps small dissimilarities.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

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


def dissimilarity_map(a: Tensor, b: Tensor, window: int = 11, sigma: float = 1.5, range: float = 1.0) -> Tensor:
    """1 - SSIM of images (N, C, H, W) in every voxel, mean over channels: (N, 1, H, W), 0 where they are equal.

    window, sigma: side and standard deviation in voxels of the Gaussian window, zero-padded at the border;
    range: the dynamic range of the images, from which the constants (0.01 range)^2 and (0.03 range)^2 follow.

    SSIM = L S with 1 - L = (ma - mb)^2 / (ma^2 + mb^2 + c1) and 1 - S = var(a - b) / (var a + var b + c2), so that
    1 - SSIM = (1 - L) + L (1 - S) is exact to float32 even with large constants, as for images in [0, 1] and a range of
    255.
    """
    with torch.autocast(a.device.type, enabled=False):
        a, b = a.float(), b.float()
        first, second = (0.01 * range) ** 2, (0.03 * range) ** 2
        mean_a, mean_b = _window(a, window, sigma), _window(b, window, sigma)
        var_a = (_window(a.square(), window, sigma) - mean_a.square()).clamp_min(0)
        var_b = (_window(b.square(), window, sigma) - mean_b.square()).clamp_min(0)
        var_of_change = (_window((a - b).square(), window, sigma) - (mean_a - mean_b).square()).clamp_min(0)
        of_mean = (mean_a - mean_b).square() / (mean_a.square() + mean_b.square() + first)
        of_structure = var_of_change / (var_a + var_b + second)
        return (of_mean + (1 - of_mean) * of_structure).mean(1, keepdim=True)


def _window(images: Tensor, window: int, sigma: float) -> Tensor:
    """Gaussian mean around every voxel."""
    offsets = torch.arange(window, device=images.device, dtype=images.dtype) - window // 2
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    weights = weights / weights.sum()
    channels = images.shape[1]
    across = weights.expand(channels, 1, 1, window)
    images = F.conv2d(images, across, padding=(0, window // 2), groups=channels)
    return F.conv2d(images, across.transpose(2, 3), padding=(window // 2, 0), groups=channels)
