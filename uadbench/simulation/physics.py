"""MR signal of tissues from relaxation times and sequence parameters, with bias field and Rician noise."""

from dataclasses import dataclass, replace

import numpy as np

from uadbench.simulation.fields import Array, smooth_noise


@dataclass(frozen=True)
class Tissue:
    """Proton density (water = 1) and relaxation times in ms at 3 T."""

    pd: float
    t1: float
    t2: float


# White and grey matter: Wansapura et al. 1999 and Stanisz et al. 2005 (between the two); fluid: Lu et al. 2005; fat and
# muscle: Gold et al. 2004; bone has next to no signal at these echo times.
TISSUES: dict[str, Tissue] = {
    "white": Tissue(0.70, 880.0, 72.0),
    "grey": Tissue(0.81, 1450.0, 98.0),
    "fluid": Tissue(1.00, 4160.0, 1600.0),
    "fat": Tissue(0.75, 371.0, 133.0),
    "muscle": Tissue(0.75, 1420.0, 32.0),
    "marrow": Tissue(0.45, 500.0, 60.0),
    "bone": Tissue(0.08, 400.0, 3.0),
    # Chronic infarct.
    "cavity": Tissue(0.98, 3700.0, 1100.0),
    "gliosis": Tissue(0.86, 1900.0, 170.0),
    # Glioma.
    "oedema": Tissue(0.86, 1650.0, 165.0),
    "tumour": Tissue(0.86, 1850.0, 170.0),
    "rim": Tissue(0.84, 1600.0, 140.0),
    "necrosis": Tissue(0.95, 2600.0, 300.0),
}


@dataclass(frozen=True)
class Mprage:
    """Inversion-prepared spoiled gradient echo: times in ms, flip angle in degrees, `pulses` per inversion."""

    tr: float
    te: float
    ti: float
    flip: float
    echo_spacing: float = 7.0
    pulses: int = 176

    def signal(self, tissue: Tissue) -> float:
        """Signal at the central echo in the steady state over inversions (Deichmann et al. 2000)."""
        half = self.pulses // 2
        cosine = np.cos(np.deg2rad(self.flip))
        before = self.ti - half * self.echo_spacing
        after = self.tr - before - self.pulses * self.echo_spacing
        decay = float(np.exp(-self.echo_spacing / tissue.t1))
        # Each step maps the longitudinal magnetisation m to a·m + b; (a, b) of the steps are composed.
        lead, pulse, tail = _recovery(before, tissue.t1), (decay * cosine, 1 - decay), _recovery(after, tissue.t1)
        to_centre = _then((-1.0, 0.0), lead, *[pulse] * half)
        a, b = _then(to_centre, *[pulse] * (self.pulses - half), tail)
        start = b / (1 - a)
        m = to_centre[0] * start + to_centre[1]
        return float(tissue.pd * abs(m) * np.sin(np.deg2rad(self.flip)) * np.exp(-self.te / tissue.t2))


@dataclass(frozen=True)
class SpoiledGradientEcho:
    """Spoiled gradient echo in the steady state: times in ms, flip angle in degrees."""

    tr: float
    te: float
    flip: float

    def signal(self, tissue: Tissue) -> float:
        """The Ernst equation, with T2 instead of T2*, whose effect is small at these echo times."""
        angle, e1 = np.deg2rad(self.flip), np.exp(-self.tr / tissue.t1)
        return float(tissue.pd * np.sin(angle) * (1 - e1) / (1 - np.cos(angle) * e1) * np.exp(-self.te / tissue.t2))


@dataclass(frozen=True)
class SpinEcho:
    """Spin echo (T1- or T2-weighted), after an inversion `ti` ms before it if given (FLAIR); times in ms."""

    tr: float
    te: float
    ti: float = 0.0

    def signal(self, tissue: Tissue) -> float:
        """Magnitude of the signal with complete recovery counted from the excitation (TE ≪ TR)."""
        m = 1 - np.exp(-self.tr / tissue.t1)
        if self.ti:
            m = 1 - 2 * np.exp(-self.ti / tissue.t1) + np.exp(-self.tr / tissue.t1)
        return float(tissue.pd * abs(m) * np.exp(-self.te / tissue.t2))


Sequence = Mprage | SpoiledGradientEcho | SpinEcho


def _recovery(time: float, t1: float) -> tuple[float, float]:
    decay = float(np.exp(-time / t1))
    return decay, 1 - decay


def _then(*steps: tuple[float, float]) -> tuple[float, float]:
    """Compose maps m ↦ a·m + b, the first applied first."""
    a, b = 1.0, 0.0
    for factor, offset in steps:
        a, b = factor * a, factor * b + offset
    return a, b


def vary(rng: np.random.Generator, spread: float = 0.04) -> dict[str, Tissue]:
    """Tissues of one subject: relaxation times varied by `spread` (relative), densities by a third of it."""
    out = {}
    for name, tissue in TISSUES.items():
        f1, f2, fp = np.exp(rng.normal(0, spread, 3) * (1, 1, 1 / 3))
        out[name] = replace(tissue, pd=tissue.pd * fp, t1=tissue.t1 * f1, t2=tissue.t2 * f2)
    return out


def with_gadolinium(tissue: Tissue, millimolar: float) -> Tissue:
    """`tissue` with a contrast agent of relaxivities 4.5 (T1) and 5.5 (T2) per s and mmol/l, typical of chelates."""
    t1 = 1 / (1 / tissue.t1 + 4.5e-3 * millimolar)
    t2 = 1 / (1 / tissue.t2 + 5.5e-3 * millimolar)
    return replace(tissue, t1=t1, t2=t2)


def bias_field(rng: np.random.Generator, points: Array, amount: float) -> Array:
    """Positive factor of median 1 at `points` (3, ...): a smooth coil profile; amount: SD of its logarithm."""
    coarse = smooth_noise(rng, 45.0, 12.0)
    return np.exp(np.float32(amount) * coarse(points)[0])


def rician(rng: np.random.Generator, signal: Array, sigma: float) -> Array:
    """Magnitude of `signal` plus complex Gaussian noise of `sigma` in each channel (Gudbjartsson and Patz 1995)."""
    real = signal + np.float32(sigma) * rng.standard_normal(signal.shape, dtype=np.float32)
    imaginary = np.float32(sigma) * rng.standard_normal(signal.shape, dtype=np.float32)
    return np.hypot(real, imaginary)
