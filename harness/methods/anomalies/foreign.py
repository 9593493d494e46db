"""Foreign patches: a random place of another subject, brought to where the anomaly will be."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.methods.anomalies.draws import Draws


def foreign_patch(
    foreign: Tensor, centres: Tensor, size: tuple[int, int], inset: float, generator: torch.Generator
) -> Tensor:
    """Images (N, 1, *size) that show a random place of each foreign image (N, 1, H, W) at `centres`.

    centres: int64 (N, 2), row and column in the new images; inset: voxels from the border of the foreign brain's
    bounding box within which no place is drawn, so that patches show more brain than background (the public DISYRE
    code draws crops of 64 x 64 mm within that box). The foreign image is moved as a whole, so that every value is an
    original one; beyond its border all is 0.
    """
    height, width = foreign.shape[-2:]
    draws = Draws(len(foreign), generator)
    row, column = (_within((foreign[:, 0] > 0).any(axis), inset, draws) for axis in (2, 1))
    rows, in_rows = _held(torch.arange(size[0], device=foreign.device) + (row - centres[:, 0])[:, None], height)
    columns, in_columns = _held(torch.arange(size[1], device=foreign.device) + (column - centres[:, 1])[:, None], width)
    which = torch.arange(len(foreign), device=foreign.device)[:, None, None]
    values = foreign[which, 0, rows[:, :, None], columns[:, None, :]]
    return (values * (in_rows[:, :, None] & in_columns[:, None, :]))[:, None]


def _within(filled: Tensor, inset: float, draws: Draws) -> Tensor:
    """A random place (N,) from `inset` after the first of filled (N, L) to as much before the last, or their middle."""
    marks = filled.to(torch.int64)
    first, last = marks.argmax(1), filled.shape[1] - 1 - marks.flip(1).argmax(1)
    low, high = first + inset, last - inset
    middle = (first + last) / 2
    low, high = torch.where(low > high, middle, low), torch.where(low > high, middle, high)
    return (low + draws.uniform() * (high - low)).round().long()


def _held(places: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Places held within [0, side), and which of them lay there."""
    held = places.clamp(0, side - 1)
    return held, held == places
