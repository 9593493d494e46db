"""Noise fields with structure: coarse Gaussian noise."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def coarse_noise(shape: torch.Size, cells: int, deviation: float, generator: torch.Generator) -> Tensor:
    """Noise (N, C, H, W): N(0, deviation^2) on cells x cells points, enlarged bilinearly, rolled at random.

    The coarseness makes the noise hide structures rather than texture (Kascenas et al. 2022). One roll serves the
    whole batch; since the field is not periodic it leaves a seam, as in the original.
    """
    count, channels, height, width = shape
    grid = torch.randn((count, channels, cells, cells), generator=generator, device=generator.device)
    field = F.interpolate(grid * deviation, size=(height, width), mode="bilinear", align_corners=True)
    rolls = torch.rand(2, generator=generator, device=generator.device)
    return torch.roll(field, (int(rolls[0] * height), int(rolls[1] * width)), (-2, -1))
