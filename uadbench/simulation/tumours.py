"""Gliomas: oedema along the white matter, a solid enhancing rim, a necrotic core, and their mass effect."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from uadbench.simulation.anatomy import sphere_radius
from uadbench.simulation.fields import Array, smooth_noise
from uadbench.simulation.head import Mixture

NECROTIC, OEDEMA, ENHANCING = 1, 2, 4


@dataclass(frozen=True)
class Tumour:
    """Parameters of one glioma."""

    centre: tuple[float, float, float]  # mm in the pose of the template
    core: float  # ml, necrotic and enhancing
    whole: float  # ml, with the oedema
    necrosis: float  # fraction of the core
    mass: float  # fraction of the core's radius by which tissue is pushed away


def random_tumour(rng: np.random.Generator) -> Tumour:
    """Draw position and size: hemispheric, in the white matter, whole tumour around 75 ml."""
    side = 1 if rng.random() < 0.5 else -1
    centre = (side * rng.uniform(20, 42), rng.uniform(-62, 42), rng.uniform(-8, 40))
    whole = float(np.clip(75 * np.exp(rng.normal(0, 0.5)), 15, 200))
    core = whole * float(rng.uniform(0.25, 0.6))
    return Tumour(centre, core, whole, float(rng.uniform(0.15, 0.6)), float(rng.uniform(0.15, 0.5)))


def insert(
    mixture: Mixture, tumour: Tumour, rng: np.random.Generator, voxel: float, spacing: float
) -> npt.NDArray[np.uint8]:
    """Insert `tumour` into `mixture` (voxels of `voxel` ml) and return the labels 0, 1, 2, 4 (uint8)."""
    offset = mixture.posed - np.array(tumour.centre, dtype=np.float32).reshape(3, 1, 1, 1)
    distance = np.sqrt((offset**2).sum(axis=0))
    coarse, middle, fine = smooth_noise(rng, 14.0, 4.0), smooth_noise(rng, 8.0, 4.0), smooth_noise(rng, 4.5, 4.0)
    coarse, middle, fine = (m(mixture.posed)[0] for m in (coarse, middle, fine))
    radius = sphere_radius(tumour.core)
    white, fluid = mixture.fractions["white"], mixture.fractions["fluid"]
    brain = mixture.brain > 0.5
    core_score = distance + radius * (0.3 * coarse + 0.15 * middle) + 0.8 * fine
    core_depth = _depth(np.where(brain & (fluid < 0.8), core_score, np.inf), tumour.core / voxel)
    # Oedema follows white matter, spares cortex and does not enter the ventricles.
    spread = distance + 5.0 * middle + 5.0 * coarse - 18.0 * white
    spread = np.where(core_depth > 0, -np.inf, spread)
    whole_depth = _depth(np.where(brain & (fluid < 0.4), spread, np.inf), tumour.whole / voxel)
    oedema = np.clip(whole_depth / max(2 * spacing, 4.0) + 0.5, 0, 1) * (brain & (fluid < 0.4))
    core = np.clip(core_depth / spacing + 0.5, 0, 1) * brain
    inner = core_depth + 1.5 * fine + 2.5 * middle
    necrotic_depth = _depth(np.where(core_depth > 1.0, -inner, np.inf), tumour.core * tumour.necrosis / voxel)
    necrosis = np.clip(necrotic_depth / spacing + 0.5, 0, 1) * core
    mixture.replace("oedema", (0.9 * oedema).astype(np.float32))
    mixture.replace("rim", core.astype(np.float32))
    mixture.replace("necrosis", necrosis.astype(np.float32))
    labels: npt.NDArray[np.uint8] = np.zeros(brain.shape, np.uint8)
    labels[oedema >= 0.5] = OEDEMA
    labels[core >= 0.5] = ENHANCING
    labels[(necrosis >= 0.5) & (core >= 0.5)] = NECROTIC
    return labels


def _depth(score: Array, voxels: float) -> Array:
    """Depth of each score below the threshold that `voxels` voxels stay under, clipped to ±1,000."""
    finite = np.isfinite(score) | (score == -np.inf)
    wanted = min(max(round(voxels), 4), int(finite.sum()) - 1)
    threshold = np.partition(score.ravel(), wanted)[wanted]
    depth: Array = np.clip(threshold - score, -1e3, 1e3).astype(np.float32)
    return depth
