"""Foreign patches: a random place of another subject, flipped and turned, brought to where the anomaly will be."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.anomalies.draws import Draws


def foreign_patch(foreign: Tensor, centres: Tensor, generator: torch.Generator) -> Tensor:
    """Move a random foreground place of each foreign image (N, 1, H, W) to `centres` (N, 2: row, column).

    Around the centre the image is turned by a multiple of 90 degrees and mirrored at random, so that every value is an
    original one; voxels that fall outside the foreign image are 0.
    """
    count, _, height, width = foreign.shape
    draws = Draws(count, generator)
    row, column = (place[:, None] for place in draws.pixel(foreign > 0))
    quarter, mirrored = draws.choice(4)[:, None], draws.chance(0.5)[:, None]
    y = torch.arange(height, device=foreign.device) - centres[:, :1]
    x = torch.arange(width, device=foreign.device) - centres[:, 1:]
    x = torch.where(mirrored, -x, x)
    # After whole quarters each axis of the image runs along one of the source, so a place is the sum of two vectors.
    even, sign = quarter % 2 == 0, torch.where(quarter < 2, 1, -1)
    by_y = _along(torch.where(even, row + sign * y, column - sign * y), even, height, width)
    by_x = _along(torch.where(even, column + sign * x, row + sign * x), ~even, height, width)
    places, inside = by_y[0][:, :, None] + by_x[0][:, None, :], by_y[1][:, :, None] & by_x[1][:, None, :]
    values = torch.gather(foreign.flatten(1), 1, places.flatten(1)).reshape(count, height, width)
    return (values * inside)[:, None]


def _along(positions: Tensor, rows: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """What positions (N, n) add to places in flattened images, and which lie inside; rows (N, 1): rows or columns."""
    last, stride = torch.where(rows, height - 1, width - 1), torch.where(rows, width, 1)
    held = torch.minimum(positions.clamp_min(0), last)
    return held * stride, held == positions
