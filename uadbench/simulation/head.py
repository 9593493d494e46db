"""Tissue fractions of every voxel of a whole head: brain, fluid, skull, scalp, and a simplified face and neck."""

from dataclasses import dataclass

import numpy as np

from uadbench.simulation import template
from uadbench.simulation.anatomy import Anatomy
from uadbench.simulation.fields import Array, Maps, ramp, smooth_noise

OUTSIDE = ("bone", "marrow", "fat", "muscle")


@dataclass(frozen=True)
class Shell:
    """Thickness in mm of the layers around one brain, and the noise that varies it."""

    gap: float  # fluid between brain and skull
    skull: float
    scalp: float  # fat below the skin
    uneven: Maps  # two random fields of unit variance


def random_shell(rng: np.random.Generator) -> Shell:
    gap, skull, scalp = rng.uniform(0.5, 2.5), rng.uniform(5.0, 7.5), rng.uniform(3.0, 6.5)
    return Shell(float(gap), float(skull), float(scalp), smooth_noise(rng, 6.0, 4.0, 2))


@dataclass
class Mixture:
    """Tissue fractions of a grid of voxels, with a sum of at most 1; the rest is air."""

    fractions: dict[str, Array]
    detail: Array  # relative T1 detail of the template
    brain: Array  # fraction of the voxel in the brain mask
    ventricle: Array  # fraction of the voxel in the ventricles
    posed: Array  # (3, ...) coordinates in the pose of the template, mm

    def replace(self, tissue: str, amount: Array) -> None:
        """Replace a fraction `amount` (0 to 1) of all tissues within the skull by `tissue`, in proportion."""
        keep = 1 - amount
        within = [name for name in self.fractions if name not in OUTSIDE]
        lost = sum(self.fractions[name] for name in within) * amount
        self.fractions |= {name: self.fractions[name] * keep for name in within}
        self.fractions[tissue] = self.fractions.get(tissue, np.float32(0)) + lost
        self.detail = self.detail * keep


def mix(anatomy: Anatomy, shell: Shell | None, points: Array, spacing: float, push: Maps | None = None) -> Mixture:
    """Sample a subject at `points` (3, ...) mm for voxels of (nominally) `spacing` mm.

    Without a `shell` only the brain is simulated (for skull-stripped scans). `push` is the displacement (mm, in the
    pose of the template) of a mass effect.
    """
    posed = anatomy.posed(points)
    source = anatomy.to_template(posed if push is None else posed + push(posed))
    maps = template.tissues(spacing)(source)
    inside, outside = maps[template.BRAIN], {}
    if shell is not None:
        cavity, head = template.surfaces()(source)
        thick, marbled = shell.uneven(source)
        cavity = cavity + np.float32(shell.gap)
        inside = ramp(cavity, spacing)
        outside = _outside(cavity, head, inside, shell, thick, marbled, source, spacing)
    white, grey, fluid = anatomy.individual(maps[template.WHITE], maps[template.GREY], inside, posed)
    fractions = {"white": white, "grey": grey, "fluid": fluid, **outside}
    return Mixture(fractions, maps[template.DETAIL], maps[template.BRAIN], maps[template.VENTRICLE], posed)


def _outside(
    cavity: Array, head: Array, inside: Array, shell: Shell, thick: Array, marbled: Array, source: Array, spacing: float
) -> dict[str, Array]:
    """Fractions of bone, marrow, fat and muscle around the cranial cavity."""
    skull = np.float32(shell.skull) * (1 + np.float32(0.15) * thick)
    within_skull = ramp(cavity + skull, spacing)
    # Diploe: the marrow in the middle of the bone.
    diploe = ramp(cavity + 0.72 * skull, spacing) - ramp(cavity + 0.35 * skull, spacing)
    bone = within_skull - inside
    marrow = np.minimum(diploe, bone) * np.clip(np.float32(0.6) + np.float32(0.4) * marbled, 0, 1)
    body = np.maximum(ramp(head, spacing), within_skull) - within_skull
    superficial = 1 - ramp(head - np.float32(shell.scalp) * (1 + np.float32(0.2) * marbled), spacing)
    # Fat between muscles of the face and neck, and air in the nose, mouth and sinuses.
    fat = np.clip(np.maximum(np.float32(0.8) * superficial, np.float32(0.15) + np.float32(0.25) * marbled), 0, 1)
    x, y, z = source
    passage = ramp(14 - np.hypot(x, (y - 52) / 2.2), 4.0) * ramp(z + 78, 4.0) * ramp(-30 - z, 4.0)
    air = passage * ramp(thick, 0.5)
    body = body * (1 - air)
    return {"bone": bone - marrow, "marrow": marrow, "fat": body * fat, "muscle": body * (1 - fat)}


def render(mixture: Mixture, signals: dict[str, float], detail: float = 1.0) -> Array:
    """Noise-free image: each voxel's signals weighted by its fractions, times 1 + `detail` × the template's detail."""
    image = np.zeros_like(mixture.detail)
    for tissue, fraction in mixture.fractions.items():
        image += np.float32(signals[tissue]) * fraction
    return image * (1 + np.float32(detail) * mixture.detail)
