"""Foreign patches: a random position of another subject's slice, shifted to the anomaly."""

from __future__ import annotations

import torch
from torch import Tensor

from uadbench.methods.anomalies.draws import Draws


def foreign_patch(
    foreign: Tensor, centres: Tensor, size: tuple[int, int], inset: float, generator: torch.Generator
) -> Tensor:
    """Images (N, 1, *size) with a random position of each foreign image (N, 1, H, W) shifted to `centres`.

    centres: int64 (N, 2), row and column in the new images; inset: margin in voxels, along the border of the foreign
    brain's bounding box, from which no position is drawn, so that patches show more brain than background (the public
    DISYRE code draws crops of 64 x 64 mm within that box). The shift is by whole voxels, without interpolation. Beyond
    the foreign image's border values are 0.
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
    """Random positions (N,) at least `inset` inside the first and last of filled (N, L); their middle if too narrow."""
    marks = filled.to(torch.int64)
    first, last = marks.argmax(1), filled.shape[1] - 1 - marks.flip(1).argmax(1)
    low, high = first + inset, last - inset
    middle = (first + last) / 2
    low, high = torch.where(low > high, middle, low), torch.where(low > high, middle, high)
    return (low + draws.uniform() * (high - low)).round().long()


def _held(places: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Positions clamped to [0, side), and whether each was in this range."""
    held = places.clamp(0, side - 1)
    return held, held == places
