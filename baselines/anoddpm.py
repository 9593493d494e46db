"""AnoDDPM: partial diffusion with simplex noise, whose coarse octaves hide lesions better than Gaussian noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor
from uadbench.baselines.ddpm import Params as DDPMParams

from uadbench.baselines import ddpm
from uadbench.methods.anomalies.noise import simplex_noise

REVISION = 2
TITLE = "AnoDDPM"
FAMILY = "IR"
PAPER = "Wyatt et al., CVPRW 2022"
SMALL = {
    "steps": 4,
    "batch": 4,
    "patch": 32,
    "widths": [8, 16],
    "groups": 4,
    "layers": 1,
    "attention_from": 9,
    "stride": 125,
    "frequency": 16,
}
VARIANTS = {"public": {"title": "AnoDDPM (public code)", "params": {"highest": 800}}}


@dataclass(frozen=True)
class Params(DDPMParams):
    """Defaults: Wyatt et al. 2022."""

    frequency: PositiveFloat = 64.0  # voxels per unit of the coarsest octave
    octaves: PositiveInt = 6  # number of octaves, each with cells half as large as the one before
    persistence: PositiveFloat = 0.8  # weight of an octave relative to the one before


class Baseline(ddpm.Baseline):
    """DDPM with simplex noise in both the forward and the reverse process."""

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Noise (N, 1, H, W): planes of OpenSimplex noise, not scaled to unit variance, as published."""
        p = self.params
        return simplex_noise(shape, generator, p.frequency, p.octaves, p.persistence)
