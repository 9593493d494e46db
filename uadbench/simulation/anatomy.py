"""Anatomy of one subject: affine and diffeomorphic deformation of the template, ventricle size and sulcal width."""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from uadbench.data.grid import rotation
from uadbench.simulation import template
from uadbench.simulation.fields import LOWER, Array, Maps, grid, smooth_noise

# Spacing, mm, of the grid of velocities: a third of the finest scale of the deformation.
COARSE = 5.0
# Standard deviation (mm) of the displacement at each smoothness (sigma of the Gaussian kernel, mm): lobes, gyri, folds.
SCALES = ((28.0, 3.0), (13.0, 2.2), (7.0, 1.2))
# Deviation of an individual's folds from the average, in log-fractions, their smoothness in mm, and the power that
# sharpens the fractions.
FOLDING, FOLD_SIGMA, SHARPNESS = 1.1, 2.8, 2.0


@dataclass(frozen=True)
class Variability:
    """Deviations of a subject's head from the template after positioning (standard deviations)."""

    rotation: float  # degrees
    translation: float  # mm
    scale: float  # relative, of each axis


NATIVE = Variability(rotation=4.0, translation=5.0, scale=0.04)
REGISTERED = Variability(rotation=1.2, translation=1.2, scale=0.015)


def exponentiate(velocity: Maps, steps: int = 6) -> Maps:
    """Displacement (3, X, Y, Z), mm, of the flow of a stationary velocity field at time 1 by scaling and squaring.

    Arsigny et al. 2006, "A Log-Euclidean framework for statistics on diffeomorphisms", algorithm 2.
    """
    points = velocity.origin.astype(np.float32).reshape(3, 1, 1, 1) + velocity.spacing * np.indices(
        velocity.values.shape[1:], dtype=np.float32
    )
    displacement = velocity.values / np.float32(2**steps)
    for _ in range(steps):
        displacement = displacement + Maps(displacement, velocity.origin, velocity.spacing)(points + displacement)
    return Maps(displacement, velocity.origin, velocity.spacing)


def random_affine(rng: np.random.Generator, variability: Variability) -> npt.NDArray[np.float64]:
    """A 4×4 affine from subject millimetres to template millimetres about the middle of the brain."""
    angles = np.deg2rad(rng.normal(0, variability.rotation, 3).clip(-12, 12))
    scales = np.exp(rng.normal(0, variability.scale * 0.7) + rng.normal(0, variability.scale * 0.7, 3))
    shears = rng.normal(0, variability.scale * 0.3, 3)
    affine = np.eye(4)
    affine[:3, :3] = rotation(angles) @ np.diag(scales)
    affine[:3, :3] @= np.array([[1, shears[0], shears[1]], [0, 1, shears[2]], [0, 0, 1]])
    middle = np.array([0.0, -18.0, 8.0])
    affine[:3, 3] = middle - affine[:3, :3] @ (middle + rng.normal(0, variability.translation, 3).clip(-12, 12))
    return affine


@dataclass(frozen=True)
class Anatomy:
    """Mapping of a subject's points to the template, and width of its sulci."""

    affine: npt.NDArray[np.float64]  # subject mm → template mm
    warp: Maps  # displacement in mm, applied after the affine
    sulci: float  # gain of the fluid fraction: 1 keeps the template's
    folds: Maps  # two random fields of unit variance: log-gains of white matter and fluid relative to grey matter

    def posed(self, points: Array) -> Array:
        """Points (3, ...) in the pose of the template, but with the subject's shape."""
        linear = self.affine[:3, :3].astype(np.float32)
        shift = self.affine[:3, 3].astype(np.float32).reshape(3, *[1] * (points.ndim - 1))
        return np.tensordot(linear, points, axes=1) + shift

    def to_template(self, posed: Array) -> Array:
        """Template coordinates (3, ...), mm, of `posed` points."""
        return posed + self.warp(posed)

    def individual(self, white: Array, grey: Array, inside: Array, posed: Array) -> tuple[Array, Array, Array]:
        """Fractions of white matter, grey matter and fluid of this subject from those of the average of many.

        The template's fractions are averages over 152 people: sharp where people agree and intermediate where their
        folds differ. An individual is sampled from them: a correlated random field shifts the log-fractions (strongly
        where they are intermediate, not at all where they are 0 or 1), and a power sharpens them to those of a single
        brain. The three sum to `inside`, the fraction of the voxel within the cranial cavity.
        """
        fluid = np.clip(inside - white - grey, 0, 1) * np.float32(self.sulci)
        shift = np.exp(np.float32(FOLDING) * self.folds(posed))
        powers = [np.maximum(white, 0) ** SHARPNESS * shift[0], np.maximum(grey, 0) ** SHARPNESS]
        powers.append(fluid**SHARPNESS * shift[1])
        total = np.maximum(sum(powers), np.float32(1e-6))
        return powers[0] / total * inside, powers[1] / total * inside, powers[2] / total * inside


def random_anatomy(rng: np.random.Generator, age: float, variability: Variability) -> Anatomy:
    """Draw the anatomy of a subject of `age` years: ventricles and sulci widen with age, plus random variation."""
    affine = random_affine(rng, variability)
    velocity = np.zeros_like(grid(COARSE))
    for sigma, amount in SCALES:
        # Gyri and folds differ more than the skull around them.
        where = np.float32(1) if sigma > 20 else _brain_weight()
        velocity += np.float32(amount) * where * smooth_noise(rng, sigma, COARSE, 3).values
    decades = (age - 45) / 10
    growth = 1.5 + 0.8 * decades + rng.normal(0, 1.2)
    velocity += np.float32(growth) * _towards_ventricles()
    sulci = float(np.clip(2.0 + 0.2 * decades + rng.normal(0, 0.25), 1.0, 3.5))
    folds = smooth_noise(rng, FOLD_SIGMA, 3.0, 2)
    return Anatomy(affine, exponentiate(Maps(velocity, LOWER, COARSE)), sulci, folds)


def push(anatomy: Anatomy, centre: tuple[float, float, float], radius: float, amount: float) -> Maps:
    """Displacement (mm, in the pose of the template) from each point to its position before the lesion's mass effect.

    Around a lesion of `radius` mm tissue moves away from `centre` (`amount` > 0: the mass effect of a tumour, as a
    fraction of the distance) or towards it (`amount` < 0: the shrinkage after an infarct). The flow decays over two
    radii and at the rigid skull.
    """
    points = grid(COARSE)
    offset = points - np.array(centre, dtype=np.float32).reshape(3, 1, 1, 1)
    strength = amount * np.exp(-(offset**2).sum(axis=0) / np.float32(1.6 * radius) ** 2)
    cavity = template.surfaces()(anatomy.to_template(points))[template.CAVITY]
    room = np.clip(cavity / 18, 0, 1)
    return exponentiate(Maps((-offset * strength * room).astype(np.float32), LOWER, COARSE))


def sphere_radius(volume: float) -> float:
    """Radius in mm of a ball of `volume` ml."""
    return float((volume * 1000 * 3 / (4 * np.pi)) ** (1 / 3))


@functools.cache
def _brain_weight() -> Array:
    """Weight 1 in the brain, falling to 0.25 at the inner skull and beyond, on the grid of velocities."""
    cavity = template.surfaces()(grid(COARSE))[template.CAVITY]
    return np.clip(cavity / 12, 0.25, 1).astype(np.float32)


@functools.cache
def _towards_ventricles() -> Array:
    """Unit velocity that widens the ventricles: the gradient of their blurred map, scaled to a maximum of 1 mm."""
    ventricle = template.ventricle()
    blurred = ndimage.gaussian_filter(ventricle.values, (0, *[5.0 / ventricle.spacing] * 3))
    field = Maps(blurred, ventricle.origin, ventricle.spacing)(grid(COARSE))[0]
    gradient = np.stack(np.gradient(field)).astype(np.float32)
    return gradient / np.sqrt((gradient**2).sum(axis=0)).max()
