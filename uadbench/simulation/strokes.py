"""Chronic infarcts: a fluid-like cavity with a gliotic rim, cortical within an arterial territory or lacunar."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from uadbench.simulation.anatomy import Anatomy, push, sphere_radius
from uadbench.simulation.fields import Maps, smooth_noise
from uadbench.simulation.head import Mixture

# Centre of the regions (mm, MNI152, right side) of infarcts, the scatter around it, and the frequency:
# territories of the middle, posterior and anterior cerebral artery, deep perforators, cerebellum and pons.
REGIONS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float], float]] = {
    "mca": ((51.0, -12.0, 18.0), (6.0, 24.0, 18.0), 0.45),
    "pca": ((20.0, -84.0, 4.0), (8.0, 9.0, 9.0), 0.10),
    "aca": ((9.0, 30.0, 42.0), (3.0, 22.0, 14.0), 0.06),
    "deep": ((23.0, -3.0, 10.0), (6.0, 12.0, 11.0), 0.29),
    "cerebellum": ((26.0, -64.0, -38.0), (9.0, 8.0, 7.0), 0.07),
    "pons": ((5.0, -26.0, -32.0), (2.0, 3.0, 7.0), 0.03),
}
# Median volume (ml) and log standard deviation.
SIZES = {"deep": (1.2, 0.9), "pons": (0.5, 0.5), "cerebellum": (6.0, 0.9)}
CORTICAL = (18.0, 1.1)


@dataclass(frozen=True)
class Stroke:
    """Parameters of one infarct."""

    region: str
    centre: tuple[float, float, float]  # mm in the pose of the template
    volume: float  # ml


def random_stroke(rng: np.random.Generator) -> Stroke:
    names = list(REGIONS)
    weights = np.array([REGIONS[name][2] for name in names])
    region = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    middle, scatter, _ = REGIONS[region]
    centre = np.array(middle) + np.clip(rng.standard_normal(3), -1.8, 1.8) * scatter
    centre[0] = max(centre[0], 3.0) * (1 if rng.random() < 0.5 else -1)
    median, spread = SIZES.get(region, CORTICAL)
    volume = float(np.clip(median * np.exp(rng.normal(0, spread)), 0.3, 180.0))
    return Stroke(region, (float(centre[0]), float(centre[1]), float(centre[2])), volume)


def shrinkage(stroke: Stroke, anatomy: Anatomy, rng: np.random.Generator) -> Maps | None:
    """Displacement of tissue towards a large old infarct (widening the ventricle); None for small ones."""
    if stroke.volume < 8:
        return None
    return push(anatomy, stroke.centre, sphere_radius(stroke.volume), -float(rng.uniform(0.1, 0.35)))


def insert(
    mixture: Mixture, stroke: Stroke, rng: np.random.Generator, voxel: float, spacing: float
) -> npt.NDArray[np.uint8]:
    """Insert `stroke` into `mixture` (voxels of `voxel` ml) and return its mask (uint8)."""
    x = mixture.posed[0]
    centre = np.array(stroke.centre, dtype=np.float32)
    side = np.sign(centre[0])
    offset = mixture.posed - centre.reshape(3, 1, 1, 1)
    radius = np.float32(sphere_radius(stroke.volume))
    # A cortical infarct is a wedge: it narrows from the cortex towards the ventricle.
    axis = centre - np.array([side * 12, np.clip(centre[1], -50, 30), 18], dtype=np.float32)
    axis /= np.linalg.norm(axis) + np.float32(1e-6)
    along = np.tensordot(axis, offset, axes=1)
    across = np.sqrt(np.maximum((offset**2).sum(axis=0) - along**2, 0))
    wedge = 0.0 if stroke.region in ("deep", "pons") else 0.45
    distance = np.hypot(along, across / np.clip(1 + wedge * along / radius, 0.45, 1.6)) / radius
    rough = smooth_noise(rng, max(float(radius) * 0.45, 4.0), 4.0)(mixture.posed)[0]
    fine = smooth_noise(rng, 4.0, 4.0)(mixture.posed)[0]
    score = distance + np.float32(0.3) * rough + np.float32(0.1) * fine
    fractions = mixture.fractions
    tissue = fractions["white"] + fractions["grey"]
    # One hemisphere and brain tissue only: without ventricles and wide fluid spaces, but with sulci between lost gyri.
    allowed = (x * side > 0.5) & (mixture.brain > 0.5) & (tissue > 0.25) & (mixture.ventricle < 0.3)
    score = np.where(allowed, score, np.float32(np.inf))
    wanted = max(round(stroke.volume / voxel), 4)
    wanted = min(wanted, int(allowed.sum()) - 1)
    threshold = np.partition(score.ravel(), wanted)[wanted]
    depth = (threshold - score) * radius  # mm, roughly
    inside = np.where(allowed, np.clip(depth / np.float32(spacing) + 0.5, 0, 1), 0).astype(np.float32)
    rim = np.float32(min(max(0.22 * float(radius), 1.0), 4.5))
    patchy = smooth_noise(rng, 5.0, 4.0)(mixture.posed)[0]
    core = np.clip((depth - rim * (1 + np.float32(0.5) * patchy)) / np.float32(max(spacing, 1.5)) + 0.5, 0, 1) * inside
    mixture.replace("gliosis", (inside * np.float32(0.85)).astype(np.float32))
    mixture.replace("cavity", (core * np.float32(0.92)).astype(np.float32))
    return (inside >= 0.5).astype(np.uint8)
