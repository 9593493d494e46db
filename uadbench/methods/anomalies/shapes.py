"""Shapes of synthetic anomalies: squares, spheres and random blobs, softened towards the edge.

The method is that of Naval Marimont and Tarroni 2023 (arXiv:2308.01412) as DISYRE uses it on slices: three kinds of
shape, rotated and scaled, placed in the foreground. Blobs are thresholded smooth noise around a disc.
"""

from typing import Any

import torch
from torch import Tensor

from uadbench.methods.anomalies.augment import changed
from uadbench.methods.anomalies.draws import Draws
from uadbench.methods.anomalies.filters import gaussian_blur, smooth_field
from uadbench.methods.params import AnomalyParams

SHAPES = ("square", "sphere", "blob")
NOISE = 0.25  # standard deviation of the noise that moves a blob's border, as a fraction of its radius
ROUGHNESS = 12  # voxels between independent values of the noise that moves a blob's border
BISECTIONS = 12  # of a blob's border: the relative error of its area is some 0.1 %


def random_masks(
    foreground: Tensor, generator: torch.Generator, params: AnomalyParams, spacing: float = 1.0
) -> tuple[Tensor, Tensor]:
    """One mask for each image: float32 (N, 1, H, W) in [0, 1], zero outside the foreground; and its centres (N, 2).

    foreground: bool (N, 1, H, W), voxels of `spacing` mm. Of `params`, `size` and `blob` are uniform in their ranges;
    the fraction `soften` of the masks is smoothed by a Gaussian whose deviation is uniform in `softness`, and with
    `whole_softness` rounded down to whole mm; no centre lies nearer to the border than `margin`, unless all of the
    foreground does.
    """
    count, _, height, width = foreground.shape
    draws = Draws(count, generator)
    softness, margin = _voxels(params.softness, spacing), params.margin / spacing
    row, column = draws.pixel(_inner(foreground, margin) if margin > 0 else foreground)
    inside = _shapes(row, column, params, spacing, draws, (height, width))
    inside[torch.arange(count, device=draws.device), row, column] = True  # at least one voxel, however small the shape
    masks = inside[:, None].to(torch.float32)
    sigma = draws.chance(params.soften) * draws.uniform(*softness)
    if params.whole_softness:
        sigma = (sigma / (1 / spacing)).floor() * (1 / spacing)
    masks = changed(masks, sigma > 0, lambda part, at: gaussian_blur(part, sigma[at], softness[1]).clamp(0, 1))
    return masks * foreground, torch.stack([row, column], 1)


def _inner(foreground: Tensor, margin: float) -> Tensor:
    """The foreground (N, 1, H, W) at least `margin` voxels from the border; all of it where that is empty."""
    height, width = foreground.shape[-2:]
    rows = torch.arange(height, device=foreground.device)
    columns = torch.arange(width, device=foreground.device)
    inside = ((rows >= margin) & (rows < height - margin))[:, None] & (columns >= margin) & (columns < width - margin)
    inner = foreground & inside
    return torch.where(inner.flatten(1).any(1)[:, None, None, None], inner, foreground)


def _voxels(lengths: tuple[float, float], spacing: float) -> tuple[float, float]:
    return lengths[0] / spacing, lengths[1] / spacing


def _shapes(
    row: Tensor, column: Tensor, params: AnomalyParams, spacing: float, draws: Draws, image: tuple[int, int]
) -> Tensor:
    """Masks of shapes of random kinds and sizes, rotated at random around their centres: bool (N, H, W).

    A square is a rectangle of two independent sides; a sphere is a disc; a blob is an ellipse with a border displaced
    by smooth noise and the area of the disc of its diameter.
    """
    sides = [draws.uniform(*_voxels(params.size, spacing)) for _ in range(2)]
    angle, stretch = draws.angle(), draws.uniform(0.6, 1.0)
    diameter = draws.uniform(*_voxels(params.blob, spacing))
    kind = draws.among(tuple(SHAPES.index(name) for name in params.shapes))
    noise = smooth_field(draws.count, image, max(4, min(image) // ROUGHNESS), draws.generator)
    y = torch.arange(image[0], device=draws.device) - row[:, None]
    x = torch.arange(image[1], device=draws.device) - column[:, None]
    cosine, sine = angle.cos()[:, None], angle.sin()[:, None]
    u = (x * cosine)[:, None, :] + (y * sine)[:, :, None]
    v = (y * cosine)[:, :, None] - (x * sine)[:, None, :]
    half = [side[:, None, None] / 2 for side in sides]
    square = (u.abs() <= half[0]) & (v.abs() <= half[1])
    inside = torch.where(kind[:, None, None] == SHAPES.index("square"), square, u**2 + v**2 <= half[0] ** 2)

    def blobs(_: Tensor, at: Any) -> Tensor:
        radius = diameter[at, None, None] / 2
        distance = torch.hypot(u[at], v[at] / stretch[at, None, None]) / radius + NOISE * noise[at, 0]
        return _lowest(distance, torch.pi * radius**2)[:, None]

    return changed(inside[:, None], kind == SHAPES.index("blob"), blobs)[:, 0]


def _lowest(values: Tensor, count: Tensor) -> Tensor:
    """Mask of the `count` (N, 1, 1) lowest of values (N, H, W), by bisection: bool (N, H, W), approximate."""
    low, high = (extreme(values, (1, 2), keepdim=True) for extreme in (torch.amin, torch.amax))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        few = (values <= middle).sum((1, 2), keepdim=True) < count
        low, high = torch.where(few, middle, low), torch.where(few, high, middle)
    return values <= high
