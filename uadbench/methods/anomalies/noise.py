"""Coarse Gaussian noise fields."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def coarse_noise(shape: torch.Size, cells: float, deviation: float, generator: torch.Generator) -> Tensor:
    """Noise (N, C, H, W): N(0, deviation^2) on a grid of points, upsampled bilinearly, rolled at random.

    The grid has `cells` points along the longer side of the image, rounded, and in proportion along the shorter one, so
    that its cells are square; at least two each, and at most one per pixel. Coarse noise hides structures rather than
    texture (Kascenas et al. 2022). One roll serves the whole batch; since the field is not periodic it leaves a seam,
    as in the original.
    """
    count, channels, height, width = shape
    points = [max(2, min(side, round(cells * side / max(height, width)))) for side in (height, width)]
    grid = torch.randn((count, channels, *points), generator=generator, device=generator.device)
    field = F.interpolate(grid * deviation, size=(height, width), mode="bilinear", align_corners=True)
    rolls = torch.rand(2, generator=generator, device=generator.device)
    return torch.roll(field, (int(rolls[0] * height), int(rolls[1] * width)), (-2, -1))
