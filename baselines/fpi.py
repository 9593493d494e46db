"""FPI: a network predicts in each voxel the weight of a square blended in from another subject, which is the score."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from uadbench.methods.interpolation import PatchInterpolation
from uadbench.methods.params import InterpolationParams

REVISION = 3
TITLE = "FPI"
FAMILY = "S-S"
PAPER = "Tan et al., 2020 (arXiv:2011.04197)"
SMALL = {"steps": 4, "batch": 4, "patch": 32, "widths": [4, 8, 16, 16]}


@dataclass(frozen=True)
class Params(InterpolationParams):
    """Defaults: Tan et al. 2020 for brains (jemtan/FPI): centres in the central half, no tolerance of the label.

    Differences: slices are halved three times from 128 voxels, not four times from 256; the foreign slice is any slice
    of the other subject, not that of the same height; one image of every pair is corrupted, not both, which with random
    pairs is the same distribution.
    """


class Baseline(PatchInterpolation):
    """Foreign patch interpolation."""

    def blend(self, host: Tensor, foreign: Tensor, mask: Tensor, alpha: Tensor) -> Tensor:
        """x = (1 - alpha) x_host + alpha x_foreign in the square."""
        return host + alpha[:, None, None, None] * mask * (foreign - host)
