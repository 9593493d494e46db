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
    source_row, source_column = draws.pixel(foreign > 0)
    quarter, mirrored = draws.choice(4), draws.chance(0.5)
    y = torch.arange(height, device=foreign.device)[None, :, None] - centres[:, 0, None, None]
    x = torch.arange(width, device=foreign.device)[None, None, :] - centres[:, 1, None, None]
    y, x = torch.broadcast_tensors(y, x)
    x = torch.where(mirrored[:, None, None], -x, x)
    quarter = quarter[:, None, None]
    cosine, sine = (quarter == 0).long() - (quarter == 2).long(), (quarter == 1).long() - (quarter == 3).long()
    rows = source_row[:, None, None] + cosine * y + sine * x
    columns = source_column[:, None, None] - sine * y + cosine * x
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    place = (rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)).flatten(1)
    values = torch.gather(foreign.flatten(1), 1, place).reshape(count, height, width)
    return (values * inside)[:, None]
