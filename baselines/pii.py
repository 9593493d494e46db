"""PII: as FPI, but the square of another subject is inserted seamlessly by Poisson blending."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from uadbench.methods.anomalies import poisson
from uadbench.methods.interpolation import PatchInterpolation
from uadbench.methods.params import InterpolationParams

REVISION = 3
TITLE = "PII"
FAMILY = "S-S"
PAPER = "Tan et al., MICCAI 2021 (arXiv:2107.02622)"
SMALL = {"steps": 4, "batch": 4, "patch": 32, "widths": [4, 8, 16, 16]}
VARIANTS = {"upd": {"title": "PII (UPD)", "params": {"tolerance": 0.0, "he": False, "field": 0.0, "grey_channels": 3}}}


@dataclass(frozen=True)
class Params(InterpolationParams):
    """Defaults: Tan et al. 2021 (jemtan/PII), whose only public setting is that for chest X-rays.

    UPD_study's PII labels every changed voxel. As in UPD_study, centres lie in the brain, one image of a pair is
    corrupted and the foreign slice is any of another subject.
    """

    central: float = 0.8
    tolerance: float = 1e-3


class Baseline(PatchInterpolation):
    """Poisson image interpolation."""

    def blend(self, host: Tensor, foreign: Tensor, mask: Tensor, alpha: Tensor) -> Tensor:
        """Poisson blending in the square with mixed gradients, clipped to the host's range."""
        low, high = host.amin((1, 2, 3), keepdim=True), host.amax((1, 2, 3), keepdim=True)
        return poisson.blend(host, foreign, mask, alpha, rectangles=True).clamp(low, high)
