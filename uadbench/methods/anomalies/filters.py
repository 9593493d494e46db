"""Batched filters on the device: Gaussian blur with a width per image, and smooth random fields.

Both are separable, so each is two products with small matrices: several times as fast as convolving or interpolating.
"""

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional as F


def gaussian_blur(images: Tensor, sigma: Tensor, largest: float, reach: Tensor | None = None) -> Tensor:
    """Blur images (N, 1, H, W), each with its own standard deviation in voxels (N,); 0 leaves an image as it is.

    `largest` bounds the widths and so the kernel (three standard deviations); `reach` (N,) in voxels narrows each
    image's kernel; borders are zero-padded. float32, also under autocast.
    """
    height, width = images.shape[-2:]
    rows = _blurring(height, sigma, largest, reach)
    columns = rows if width == height else _blurring(width, sigma, largest, reach)
    with torch.autocast(images.device.type, enabled=False):
        return torch.bmm(torch.bmm(rows, images[:, 0].float()), columns)[:, None]  # Gaussian matrices are symmetric


def _blurring(length: int, sigma: Tensor, largest: float, reach: Tensor | None = None) -> Tensor:
    """Matrices (N, length, length) whose rows are the Gaussian around each place, cut at its radius and the border."""
    radius = max(1, math.ceil(3 * largest))
    offsets = torch.arange(-radius, radius + 1, device=sigma.device, dtype=torch.float32)
    kernels = torch.exp(-0.5 * (offsets / sigma.float().clamp_min(1e-3)[:, None]) ** 2)
    if reach is not None:
        kernels = kernels * (offsets.abs() <= reach[:, None])
    kernels = F.pad(kernels / kernels.sum(1, keepdim=True), (1, 1))
    places = torch.arange(length, device=sigma.device)
    return kernels[:, (places[:, None] - places + radius + 1).clamp(0, 2 * radius + 2)]


def smooth_field(count: int, size: tuple[int, int], cells: int, generator: torch.Generator) -> Tensor:
    """Smooth random fields (count, 1, H, W): standard normal values on a cells x cells grid, interpolated cubically."""
    grid = torch.randn((count, 1, cells, cells), generator=generator, device=generator.device)
    return interpolated(grid, size)


def interpolated(grid: Tensor, size: tuple[int, int]) -> Tensor:
    """Grids (..., h, w) interpolated cubically to `size` (H, W), corners aligned: float32, also under autocast."""
    rows, columns = (_interpolating(*sides, grid.device) for sides in zip(size, grid.shape[-2:], strict=True))
    with torch.autocast(grid.device.type, enabled=False):
        return rows @ grid.float() @ columns.T


@functools.cache
def _interpolating(length: int, cells: int, device: torch.device) -> Tensor:
    """Matrix (length, cells) of cubic interpolation from evenly spaced values, the first and last at the ends."""
    unit = torch.eye(cells, device=device)[None, None]
    return F.interpolate(unit, size=(length, cells), mode="bicubic", align_corners=True)[0, 0]


def smoothed(maps: Tensor, sigma: float) -> Tensor:
    """Score maps (N, 1, H, W) blurred by a Gaussian of `sigma` voxels, 0 = off; float32, also under autocast.

    Truncated at four standard deviations and reflected at the border, as in scipy's `gaussian_filter`.
    """
    if not sigma:
        return maps
    rows, columns = (_reflecting(length, sigma, maps.device) for length in maps.shape[-2:])
    with torch.autocast(maps.device.type, enabled=False):
        return rows @ maps.float() @ columns.T


def _reflecting(length: int, sigma: float, device: torch.device) -> Tensor:
    """Matrix (length, length) of a Gaussian with reflection at the borders."""
    radius = int(4 * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1, device=device)
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    places = (torch.arange(length, device=device)[:, None] + offsets).remainder(2 * length)
    places = torch.where(places < length, places, 2 * length - 1 - places)
    matrix = torch.zeros((length, length), device=device)
    return matrix.scatter_add_(1, places, (weights / weights.sum()).expand(length, -1))
