"""Shapes of synthetic anomalies: squares, spheres and random blobs, softened towards the edge.

The mechanism is that of Naval Marimont and Tarroni 2023 (arXiv:2308.01412) as DISYRE uses it on slices: three kinds of
shape, rotated and scaled, placed in the foreground. Blobs are thresholded smooth noise around a disc.
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness.anomalies.augment import changed
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
    distance = _distance(row, column, size, shapes, draws, (height, width))
    inside = distance <= 1
    inside[torch.arange(count, device=draws.device), row, column] = True  # at least one voxel, however small the shape
    masks = inside[:, None].to(torch.float32)
    sigma = draws.chance(soften) * draws.uniform(*softness)
    if whole is not None:
        sigma = (sigma / whole).floor() * whole
    masks = changed(masks, sigma > 0, lambda part, at: gaussian_blur(part, sigma[at], softness[1]).clamp(0, 1))
    return masks * foreground, torch.stack([row, column], 1)


def _inner(foreground: Tensor, margin: float) -> Tensor:
    """The foreground (N, 1, H, W) at least `margin` voxels from the border; all of it in images where that is none."""
    height, width = foreground.shape[-2:]
    rows = torch.arange(height, device=foreground.device)
    columns = torch.arange(width, device=foreground.device)
    inside = ((rows >= margin) & (rows < height - margin))[:, None] & (columns >= margin) & (columns < width - margin)
    inner = foreground & inside
    return torch.where(inner.flatten(1).any(1)[:, None, None, None], inner, foreground)


def _distance(
    row: Tensor,
    column: Tensor,
    size: tuple[float, float],
    shapes: tuple[str, ...],
    draws: Draws,
    image: tuple[int, int],
) -> Tensor:
    """Distance (N, H, W) from the centres, turned at random: 1 on the border of a shape of a random kind and size.

    A square has the maximum norm, a sphere the Euclidean one; a blob is an ellipse whose border smooth noise moves.
    """
    height, width = image
    radius = draws.uniform(*size)
    angle = draws.angle()
    stretch = draws.uniform(0.6, 1.0)
    noise = smooth_field(draws.count, image, max(4, min(image) // 6), draws.generator)[:, 0]
    kinds = torch.tensor([SHAPES.index(name) for name in shapes], device=draws.device)
    kind = kinds[draws.choice(len(shapes))][:, None, None]
    y = torch.arange(height, device=draws.device) - row[:, None]
    x = torch.arange(width, device=draws.device) - column[:, None]
    cosine, sine = ((2 * part / radius)[:, None] for part in (angle.cos(), angle.sin()))
    u = (x * cosine)[:, None, :] + (y * sine)[:, :, None]
    v = (y * cosine)[:, :, None] - (x * sine)[:, None, :]
    blob = kind == 2
    round_one = torch.hypot(u, torch.where(blob, 1 / stretch[:, None, None], 1.0) * v) + 0.5 * noise * blob
    return torch.where(kind == 0, torch.maximum(u.abs(), v.abs()), round_one)
