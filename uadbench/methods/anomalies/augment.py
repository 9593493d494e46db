"""Augmentation of healthy slices, batched on the device; the background stays 0.

Kinds, ranges and probabilities are those of the public DISYRE code (snavalm/disyre), which applies them before the
corruption, so that the network's target is the augmented image. Slices are warped whole and cropped afterwards: warping
a crop would fill the region beyond its border with black wedges. MONAI and TorchIO transform one image at a time and
draw from one generator, NumPy's or torch's global one; here a batch has one random stream for each purpose.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from uadbench.methods.anomalies.draws import Draws
from uadbench.methods.anomalies.filters import gaussian_blur, interpolated


def warped(
    images: Tensor, generator: torch.Generator, spacing: float = 1.0, mirror: float = 0.5, geometry: float = 0.1
) -> tuple[Tensor, Tensor]:
    """Images (N, 1, H, W) mirrored along either axis, rotated, scaled and elastically shifted; `spacing` in mm.

    Each transform applies to an image with its probability: mirroring of either axis (`mirror`); rotation up to 15
    degrees, scaling .75-1.25, elastic shifts of some mm (`geometry`). Values from outside of an image are 0. Also
    returns which images were rotated, scaled or shifted, bool (N,).
    """
    draws = Draws(len(images), generator)
    for axis in (-2, -1):
        images = torch.where(wide(draws.chance(mirror)), images.flip(axis), images)
    zero = torch.zeros(len(images), device=images.device)
    angle = torch.where(draws.chance(geometry), draws.uniform(-math.pi / 12, math.pi / 12), zero)
    scale = torch.where(draws.chance(geometry), draws.uniform(0.75, 1.25), zero + 1)
    shift = torch.where(draws.chance(geometry), draws.uniform(1.0, 4.0) / spacing, zero)
    size = (images.shape[-2], images.shape[-1])
    field = torch.randn((len(images), 2, 5, 5), generator=generator, device=images.device)

    def warp(part: Tensor, at: Any) -> Tensor:
        return resampled(part, angle[at], scale[at], interpolated(field[at], size) * wide(shift[at]))

    bent = (angle != 0) | (scale != 1) | (shift != 0)
    return changed(images, bent, warp), bent


def cropped(images: Tensor, patch: tuple[int, int], generator: torch.Generator) -> Tensor:
    """A random crop (N, 1, h, w) of each image (N, 1, H, W): `patch` (h, w), or the image where that is smaller."""
    count, _, height, width = images.shape
    draws = Draws(count, generator)
    h, w = min(patch[0], height), min(patch[1], width)
    rows = draws.choice(height - h + 1)[:, None] + torch.arange(h, device=images.device)
    columns = draws.choice(width - w + 1)[:, None] + torch.arange(w, device=images.device)
    which = torch.arange(count, device=images.device)[:, None, None]
    return images[which, 0, rows[:, :, None], columns[:, None, :]][:, None]


def boxed(images: Tensor, side: int, generator: torch.Generator, loose: Tensor) -> Tensor:
    """A random crop (N, 1, side, side) of each image (N, 1, H, W) from the bounding box of its voxels above 0.

    Along an axis on which the box is smaller, the crop is centred on it, or those of `loose`, bool (N,), lie at random
    around it. Beyond the border of an image values are 0. These are the positions of the public DISYRE code
    (snavalm/disyre), whose warped slices are the loose ones: in a larger box all but the last.
    """
    draws, filled = Draws(len(images), generator), images[:, 0] > 0
    top, left = (_start(filled.any(axis), side, loose, draws) for axis in (2, 1))
    return window(images, top, left, (side, side))


def _start(filled: Tensor, side: int, loose: Tensor, draws: Draws) -> Tensor:
    """Starts (N,) of intervals of length `side` in, or around, the extent of filled (N, L)."""
    first, last = extent(filled)
    spare = last + 1 - first - side
    return first + torch.where(loose | (spare > 0), (draws.uniform() * spare).floor().long(), spare // 2)


def extent(filled: Tensor) -> tuple[Tensor, Tensor]:
    """First and last true position (N,) of each row of filled (N, L); those of the whole row if it has none."""
    marks = filled.to(torch.int64)
    return marks.argmax(1), filled.shape[1] - 1 - marks.flip(1).argmax(1)


def window(images: Tensor, top: Tensor, left: Tensor, size: tuple[int, int]) -> Tensor:
    """Windows (N, 1, *size) of images (N, 1, H, W) from rows `top` and columns `left` (N,) on; 0 beyond the border."""
    rows, in_rows = _held(top, size[0], images.shape[-2])
    columns, in_columns = _held(left, size[1], images.shape[-1])
    which = torch.arange(len(images), device=images.device)[:, None, None]
    values = images[which, 0, rows[:, :, None], columns[:, None, :]]
    return (values * (in_rows[:, :, None] & in_columns[:, None, :]))[:, None]


def _held(start: Tensor, count: int, side: int) -> tuple[Tensor, Tensor]:
    """`count` positions from each start (N,) on, clamped to [0, side), and whether each was in this range."""
    places = start[:, None] + torch.arange(count, device=start.device)
    held = places.clamp(0, side - 1)
    return held, held == places


def recoloured(images: Tensor, generator: torch.Generator, spacing: float = 1.0, probability: float = 0.15) -> Tensor:
    """Images (N, 1, H, W) in [0, 1] with augmented grey values; the background stays 0, all else above it.

    Each transform applies with `probability`: brightness x .9-1.1, gamma .5-2, plain and inverted, noise up to .05;
    blur of .5-1.5 mm (`spacing` in mm) with half of it, since the public code blurs one channel in two.
    """
    foreground = images > 0
    draws = Draws(len(images), generator)
    hit, brightness = draws.chance(probability), wide(draws.uniform(0.9, 1.1))
    images = changed(images, hit, lambda part, at: (part * brightness[at]).clamp(0, 1))
    hit, gamma = draws.chance(probability), wide(_gamma(draws))
    images = changed(images, hit, lambda part, at: part.clamp_min(1e-6) ** gamma[at])
    hit, inverted = draws.chance(probability), wide(_gamma(draws))
    images = changed(images, hit, lambda part, at: 1 - (1 - part).clamp_min(1e-6) ** inverted[at])
    hit, deviation = draws.chance(probability), wide(draws.uniform(0.0, 0.05))
    images = changed(images, hit, lambda part, at: part + deviation[at] * noise_like(part, generator))
    hit, sigma = draws.chance(probability / 2), draws.uniform(0.5, 1.5) / spacing
    images = changed(images, hit, lambda part, at: gaussian_blur(part, sigma[at], 1.5 / spacing))
    return images.clamp(1e-3, 1) * foreground


def changed(images: Tensor, hit: Tensor, change: Callable[[Tensor, Any], Tensor]) -> Tensor:
    """Images (N, 1, H, W), those selected by `hit` (N,) replaced by `change(part, at)`; `at` indexes the batch.

    A CPU computes only these. A GPU computes all, since reading `hit` would wait for its queue.
    """
    if images.device.type != "cpu":
        return torch.where(wide(hit), change(images, slice(None)), images)
    at = torch.nonzero(hit).flatten()
    return images.index_copy(0, at, change(images[at], at)) if len(at) else images


def wide(values: Tensor) -> Tensor:
    """Values (N,) as (N, 1, 1, 1)."""
    return values[:, None, None, None]


def noise_like(images: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(images.shape, generator=generator, device=images.device)


def _gamma(draws: Draws) -> Tensor:
    """Exponents between .5 and 2, as often below 1 as above."""
    return torch.where(draws.chance(0.5), draws.uniform(0.5, 1.0), draws.uniform(1.0, 2.0))


def resampled(
    images: Tensor, angle: Tensor, scale: Tensor, moved: Tensor | None = None, outside: str = "zeros"
) -> Tensor:
    """Images turned by angle (N,) and enlarged by scale (N,) around their middle, then moved by (N, 2, H, W) voxels.

    outside: `zeros`, or `border` for the nearest value.
    """
    height, width = images.shape[-2:]
    y = torch.arange(height, device=images.device, dtype=images.dtype)[None, :, None] - (height - 1) / 2
    x = torch.arange(width, device=images.device, dtype=images.dtype)[None, None, :] - (width - 1) / 2
    cosine, sine = (angle.cos() / scale)[:, None, None], (angle.sin() / scale)[:, None, None]
    rows, columns = cosine * y + sine * x, cosine * x - sine * y
    if moved is not None:
        rows, columns = rows + moved[:, 0], columns + moved[:, 1]
    grid = torch.stack([columns * 2 / max(width - 1, 1), rows * 2 / max(height - 1, 1)], -1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode=outside, align_corners=True)
