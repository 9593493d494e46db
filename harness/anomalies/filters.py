"""Batched filters on the device: a Gaussian of its own width for each image, and smooth random fields."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def gaussian_blur(images: Tensor, sigma: Tensor, largest: float) -> Tensor:
    """Blur images (N, 1, H, W), each with its own standard deviation in voxels (N,); 0 leaves an image as it is.

    `largest` bounds the widths and so the kernel (three standard deviations); the border is continued with zeros.
    """
    radius = max(1, math.ceil(3 * largest))
    offsets = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    kernels = torch.exp(-0.5 * (offsets / sigma.clamp_min(1e-3)[:, None]) ** 2)
    kernels = kernels / kernels.sum(1, keepdim=True)
    count = len(images)
    stacked = images.reshape(1, count, *images.shape[-2:])  # images as channels: one grouped convolution for all
    stacked = F.conv2d(stacked, kernels[:, None, None, :], padding=(0, radius), groups=count)
    stacked = F.conv2d(stacked, kernels[:, None, :, None], padding=(radius, 0), groups=count)
    return stacked.reshape_as(images)


def smooth_field(count: int, size: tuple[int, int], cells: int, generator: torch.Generator) -> Tensor:
    """Smooth random fields (count, 1, H, W): standard normal values on a cells x cells grid, interpolated cubically."""
    grid = torch.randn((count, 1, cells, cells), generator=generator, device=generator.device)
    return F.interpolate(grid, size=size, mode="bicubic", align_corners=True)


def smoothed(maps: Tensor, sigma: float) -> Tensor:
    """Score maps (N, 1, H, W) blurred by a Gaussian of `sigma` voxels, 0 = off; in float32 under autocast, too."""
    if sigma == 0:
        return maps
    with torch.autocast(maps.device.type, enabled=False):
        return gaussian_blur(maps.float(), torch.full((len(maps),), sigma, device=maps.device), sigma)
