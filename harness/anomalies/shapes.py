"""Shapes of synthetic anomalies: squares, spheres and random blobs, softened towards the edge.

The mechanism is that of Naval Marimont and Tarroni 2023 (arXiv:2308.01412) as DISYRE uses it on slices: three kinds of
shape, rotated and scaled, placed in the foreground. Blobs are thresholded smooth noise around a disc.
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness.anomalies.draws import Draws
from harness.anomalies.filters import gaussian_blur, smooth_field

SHAPES = ("square", "sphere", "blob")


def random_masks(
    foreground: Tensor,
    generator: torch.Generator,
    *,
    shapes: tuple[str, ...] = SHAPES,
    size: tuple[float, float] = (10.0, 44.0),
    soften: float = 0.7,
    softness: tuple[float, float] = (0.0, 5.0),
    whole: float | None = None,
    margin: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """One mask for each image: float32 (N, 1, H, W) in [0, 1], zero outside the foreground; and its centres (N, 2).

    foreground: bool (N, 1, H, W); size: side or diameter in voxels, uniform in the range; soften: the share of masks
    that are smoothed by a Gaussian whose standard deviation in voxels is uniform in `softness`; whole: if given, the
    deviation is cut to whole multiples of this; margin: voxels from the border within which no centre lies, where
    there is foreground farther in.
    """
    count, _, height, width = foreground.shape
    draws = Draws(count, generator)
    row, column = draws.pixel(_inner(foreground, margin) if margin > 0 else foreground)
    radius = draws.uniform(*size)[:, None, None] / 2
    angle = draws.angle()[:, None, None]
    y = torch.arange(height, device=draws.device)[None, :, None] - row[:, None, None]
    x = torch.arange(width, device=draws.device)[None, None, :] - column[:, None, None]
    u = (x * angle.cos() + y * angle.sin()) / radius
    v = (y * angle.cos() - x * angle.sin()) / radius
    distance = torch.stack([torch.maximum(u.abs(), v.abs()), torch.hypot(u, v), _blob(u, v, draws, (height, width))])
    kinds = torch.tensor([SHAPES.index(name) for name in shapes], device=draws.device)
    kind = kinds[draws.choice(len(shapes))]
    inside = distance[kind, torch.arange(count, device=draws.device)] <= 1
    inside[torch.arange(count, device=draws.device), row, column] = True  # at least one voxel, however small the shape
    masks = inside[:, None].to(torch.float32)
    sigma = torch.where(draws.chance(soften), draws.uniform(*softness), torch.zeros_like(radius[:, 0, 0]))
    if whole is not None:
        sigma = (sigma / whole).floor() * whole
    masks = gaussian_blur(masks, sigma, softness[1]).clamp(0, 1) if softness[1] > 0 else masks
    return masks * foreground, torch.stack([row, column], 1)


def _inner(foreground: Tensor, margin: float) -> Tensor:
    """The foreground (N, 1, H, W) at least `margin` voxels from the border; all of it in images where that is none."""
    height, width = foreground.shape[-2:]
    rows = torch.arange(height, device=foreground.device)
    columns = torch.arange(width, device=foreground.device)
    inside = ((rows >= margin) & (rows < height - margin))[:, None] & (columns >= margin) & (columns < width - margin)
    inner = foreground & inside
    return torch.where(inner.flatten(1).any(1)[:, None, None, None], inner, foreground)


def _blob(u: Tensor, v: Tensor, draws: Draws, size: tuple[int, int]) -> Tensor:
    """Distance of an irregular shape: a stretched disc whose border is moved by smooth noise."""
    stretch = draws.uniform(0.6, 1.0)[:, None, None]
    cells = max(4, min(size) // 6)
    noise = smooth_field(draws.count, size, cells, draws.generator)[:, 0]
    return torch.hypot(u, v / stretch) + 0.5 * noise
