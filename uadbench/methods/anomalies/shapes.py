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
KERNEL = 2**0.5  # mm, deviation of `kernels`: exp(-d² / 4) in the public MOOD22 code (snavalm/mood22), 1 mm voxels
TURNED = 0.5  # fraction of the rectangles on a canvas that are rotated, by at most TURN; public MOOD22 code
TURN = 3.0  # rad
BISECTIONS = 12  # of a blob's border: the relative error of its area is some 0.1 %


def random_masks(
    foreground: Tensor, generator: torch.Generator, params: AnomalyParams, spacing: float = 1.0
) -> tuple[Tensor, Tensor]:
    """One mask for each image: float32 (N, 1, H, W) in [0, 1]; and its centres, int64 (N, 2).

    foreground: bool (N, 1, H, W), voxels of `spacing` mm, outside of which masks are 0 with `cut`. Of `params`, `size`
    and `blob` are uniform in their ranges; the fraction `soften` of the masks is smoothed by a Gaussian whose deviation
    is uniform in `softness`, and with `whole_softness` rounded down to whole mm, or by one of `kernels`; no centre lies
    nearer to the border than `margin`, unless all of the foreground does. With `canvas` places are `_on_canvas`.
    """
    count, _, height, width = foreground.shape
    draws = Draws(count, generator)
    softness, margin = _voxels(params.softness, spacing), params.margin / spacing
    place = None
    if not params.canvas:
        place = draws.pixel(_inner(foreground, margin) if margin > 0 else foreground)
    inside, row, column = _shapes(place, params, spacing, draws, (height, width))
    if place is not None:  # at least one voxel, however small the shape; a turned canvas may lose its own
        inside[torch.arange(count, device=draws.device), row, column] = True
    masks = inside[:, None].to(torch.float32)
    if params.kernels:
        reach = draws.among(params.kernels) / (2 * spacing)
        sigma = draws.chance(params.soften) * (KERNEL / spacing)
        largest = max(params.kernels) / (2 * spacing)
        masks = changed(masks, sigma > 0, lambda part, at: gaussian_blur(part, sigma[at], largest, reach[at]))
    else:
        sigma = draws.chance(params.soften) * draws.uniform(*softness)
        if params.whole_softness:
            sigma = (sigma / (1 / spacing)).floor() * (1 / spacing)
        masks = changed(masks, sigma > 0, lambda part, at: gaussian_blur(part, sigma[at], softness[1]))
    masks = masks.clamp(0, 1)
    return masks * foreground if params.cut else masks, torch.stack([row, column], 1)


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
    place: tuple[Tensor, Tensor] | None, params: AnomalyParams, spacing: float, draws: Draws, image: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Masks of shapes of random kinds and sizes, bool (N, H, W), and the rows and columns of their centres (N,).

    A square is a rectangle of two independent sides; a sphere is a disc; a blob is an ellipse with a border displaced
    by smooth noise and the area of the disc of its diameter. Shapes are rotated at random around the centres `place`;
    without these they lie on a canvas.
    """
    sides = [draws.uniform(*_voxels(params.size, spacing)) for _ in range(2)]
    angle, stretch = draws.angle(), draws.uniform(0.6, 1.0)
    diameter = draws.uniform(*_voxels(params.blob, spacing))
    kind = draws.among(tuple(SHAPES.index(name) for name in params.shapes))
    noise = smooth_field(draws.count, image, max(4, min(image) // ROUGHNESS), draws.generator)
    rows, columns = (torch.arange(side, device=draws.device) for side in image)
    on_canvas = None
    if place is None:
        extent = (torch.where(kind == SHAPES.index("square"), sides[1], sides[0]), sides[0])
        fixed, rotated = kind == SHAPES.index("blob"), kind == SHAPES.index("square")
        row, column, turn, on_canvas = _on_canvas(extent, fixed, rotated, params.canvas / spacing, draws, image)
        angle = torch.where(rotated, turn, angle)
    else:
        row, column = place
    y, x = rows - row[:, None], columns - column[:, None]
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

    inside = changed(inside[:, None], kind == SHAPES.index("blob"), blobs)[:, 0]
    if on_canvas is not None:
        inside = inside & on_canvas
        row, column = (at.round().long().clamp(0, side - 1) for at, side in zip((row, column), image, strict=True))
    return inside, row, column


def _on_canvas(
    extent: tuple[Tensor, Tensor], fixed: Tensor, rotated: Tensor, canvas: float, draws: Draws, image: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rows and columns of centres (N,), angles (N,), and canvases, bool (N, H, W), as in the public MOOD22 code.

    A canvas of `canvas` voxels, or of the image where that is smaller, lies at any place within the image. A shape of
    an extent (N,) along either axis lies at any place within its canvas, one that is `fixed` (N,) in the middle. Half
    of those `rotated` (N,) then turn with their canvas around its middle, which cuts what leaves it.
    """
    middles, offsets, within = [], [], []
    for size, side in zip(extent, image, strict=True):
        length = min(canvas, side)
        middle = draws.uniform() * (side - length) + (length - 1) / 2
        room = (length - size).clamp_min(0) / 2
        middles.append(middle)
        offsets.append(torch.where(fixed, 0.0, draws.uniform(-1.0, 1.0) * room))
        within.append((torch.arange(side, device=draws.device) - middle[:, None]).abs() <= length / 2)
    turn = rotated * draws.chance(TURNED) * draws.uniform(-TURN, TURN)
    down, right = offsets
    row = middles[0] + right * turn.sin() + down * turn.cos()
    column = middles[1] + right * turn.cos() - down * turn.sin()
    return row, column, turn, within[0][:, :, None] & within[1][:, None, :]


def _lowest(values: Tensor, count: Tensor) -> Tensor:
    """Mask of the `count` (N, 1, 1) lowest of values (N, H, W), by bisection: bool (N, H, W), approximate."""
    low, high = (extreme(values, (1, 2), keepdim=True) for extreme in (torch.amin, torch.amax))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        few = (values <= middle).sum((1, 2), keepdim=True) < count
        low, high = torch.where(few, middle, low), torch.where(few, high, middle)
    return values <= high
