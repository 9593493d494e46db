"""Simplex noise (Perlin 2001) in two dimensions, for a batch of images at once and on their device."""

from __future__ import annotations

import math

import torch
from torch import Tensor

TABLE = 256  # length of the random permutation that gives every lattice point its gradient
SKEW = (math.sqrt(3) - 1) / 2  # takes the plane to the square lattice whose halved squares are the triangles
UNSKEW = (3 - math.sqrt(3)) / 6
# Brings one octave to [-1, 1]: unit gradients add up to at most 2 (1/2 - 1/6)^4 / sqrt(6), halfway along an edge.
SCALE = 81 * math.sqrt(6) / 2


def simplex_noise(
    shape: tuple[int, ...],
    generator: torch.Generator,
    frequency: float = 64.0,
    octaves: int = 6,
    persistence: float = 0.8,
) -> Tensor:
    """Fractal noise (N, C, H, W), each image and channel its own, with mean 0.

    frequency: voxels per lattice cell of the first octave, halved by every further one, which counts `persistence`
    times the one before. The sum is not scaled: values lie within ±(1 - persistence^octaves) / (1 - persistence).
    Defaults: AnoDDPM (Wyatt et al. 2022), which cuts planes out of three-dimensional noise. Every octave has an offset
    of its own, without which all of them would vanish in the same corner.
    """
    count, channels, height, width = shape
    device = generator.device
    images = count * channels
    ranks = torch.rand((images, TABLE), generator=generator, device=device)
    table = ranks.argsort(1)
    offsets = TABLE * torch.rand((octaves, 2, images, 1, 1), generator=generator, device=device)
    rows = torch.arange(height, device=device, dtype=torch.float32)[:, None]
    columns = torch.arange(width, device=device, dtype=torch.float32)
    total = torch.zeros((images, height, width), device=device)
    for octave, (down, right) in enumerate(offsets):
        cell = frequency / 2**octave
        total += persistence**octave * simplex(rows / cell + down, columns / cell + right, table)
    return total.reshape(shape)


def simplex(y: Tensor, x: Tensor, table: Tensor) -> Tensor:
    """One octave at the coordinates y and x, which together give (N, H, W), in units of the lattice.

    table: a permutation of 0…TABLE - 1 for each image, (N, TABLE); gradients point in as many directions.
    """
    skewed = (x + y) * SKEW
    column, row = torch.floor(x + skewed), torch.floor(y + skewed)
    back = (column + row) * UNSKEW
    dx, dy = x - column + back, y - row + back  # from the first corner of the triangle
    lower = (dx > dy).float()  # which of the two triangles of a square
    total = torch.zeros_like(dx)
    for right, down in ((torch.zeros_like(dx), torch.zeros_like(dx)), (lower, 1 - lower), (1.0, 1.0)):
        shift = (right + down) * UNSKEW
        ex, ey = dx - right + shift, dy - down + shift
        angle = 2 * math.pi / TABLE * _hashed(column + right, row + down, table)
        fade = (0.5 - ex.square() - ey.square()).clamp_min(0).square().square()
        total = total + fade * (angle.cos() * ex + angle.sin() * ey)
    return SCALE * total


def _hashed(column: Tensor, row: Tensor, table: Tensor) -> Tensor:
    """An entry of the table for each lattice point (N, H, W)."""
    flat_row, flat_column = (side.long().remainder(TABLE).flatten(1) for side in (row, column))
    first = table.gather(1, flat_column)
    return table.gather(1, (first + flat_row).remainder(TABLE)).view(column.shape)
