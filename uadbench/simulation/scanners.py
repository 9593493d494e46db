"""Scanners of the simulated cohorts: field strength, protocol, noise and coil shape the contrast of their scans."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from uadbench.simulation.physics import Mprage, Sequence, SpinEcho, SpoiledGradientEcho, Tissue

# T1 of tissue grows with this power of the field strength, that of free water does not (Rooney et al. 2007).
FIELD_POWER, FREE_WATER = 0.38, ("fluid", "cavity")
SPREAD = 0.04


@dataclass(frozen=True)
class Scanner:
    """One scanner with its protocol."""

    name: str
    tesla: float
    signal_to_noise: float  # of white matter, in each channel
    coil: float  # spread of the logarithm of the coil profile over a head with its scalp
    t1: Sequence
    t2: SpinEcho
    flair: SpinEcho

    def tissues(self, at_3_tesla: Mapping[str, Tissue]) -> dict[str, Tissue]:
        """The tissues at the scanner's field strength."""
        factor = (self.tesla / 3) ** FIELD_POWER
        return {
            name: tissue if name in FREE_WATER else replace(tissue, t1=tissue.t1 * factor)
            for name, tissue in at_3_tesla.items()
        }

    def noise(self, rng: np.random.Generator) -> float:
        """Standard deviation of the noise of one scan in each channel, relative to the signal of white matter."""
        return float(rng.uniform(0.85, 1.15)) / self.signal_to_noise


_A = Scanner("3T-mprage", 3.0, 40, 0.13, Mprage(2250, 3.0, 900, 9), SpinEcho(3700, 97), SpinEcho(9000, 122, 2430))
_B = Scanner(
    "3T-gradient-echo", 3.0, 32, 0.16, SpoiledGradientEcho(13, 3.0, 20), SpinEcho(4200, 105), SpinEcho(9200, 130, 2450)
)
_C = Scanner("1.5T-mprage", 1.5, 24, 0.08, Mprage(2000, 3.6, 950, 8), SpinEcho(3400, 90), SpinEcho(8800, 115, 2410))
_D = Scanner("3T-spin-echo", 3.0, 36, 0.12, SpinEcho(510, 11), SpinEcho(4600, 100), SpinEcho(9400, 126, 2470))
#: scanners of each data set: the healthy scans come from one, as CamCAN's, those of patients from several sites
SITES = {"camcan": (_A,), "atlas": (_A, _B, _C), "brats": (_A, _C, _D)}


def choose(rng: np.random.Generator, dataset: str) -> Scanner:
    """The scanner of one subject of a data set."""
    return SITES[dataset][rng.integers(len(SITES[dataset]))]


def varied(rng: np.random.Generator, sequence: Sequence) -> Sequence:
    """`sequence` as one subject was scanned: echo and repetition times and the flip angle deviate by up to SPREAD."""
    names = [name for name in ("tr", "te", "flip") if hasattr(sequence, name)]
    factors = 1 + rng.uniform(-SPREAD, SPREAD, len(names))
    return replace(sequence, **{n: getattr(sequence, n) * float(f) for n, f in zip(names, factors, strict=True)})
