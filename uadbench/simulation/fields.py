"""Smooth random fields and maps on regular grids in millimetres, sampled at arbitrary points."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Array = npt.NDArray[np.float32]

# The box, in millimetres of the MNI152 space, in which a head is simulated.
LOWER = np.array([-112.0, -152.0, -168.0])
UPPER = np.array([112.0, 132.0, 128.0])


@dataclass(frozen=True)
class Maps:
    """Maps `values` (K, X, Y, Z) on a grid of `spacing` mm whose first voxel lies at `origin` (mm, RAS)."""

    values: Array
    origin: npt.NDArray[np.float64]
    spacing: float

    def __call__(self, points: Array) -> Array:
        """Linear interpolation at `points` (3, ...) in mm; the border value continues outside. Returns (K, ...)."""
        origin = self.origin.astype(np.float32).reshape(3, *[1] * (points.ndim - 1))
        voxels = (points - origin) / np.float32(self.spacing)
        return np.stack([ndimage.map_coordinates(v, voxels, order=1, mode="nearest") for v in self.values])


def grid(spacing: float) -> Array:
    """Points (3, X, Y, Z), mm, of the box on a grid of `spacing` mm."""
    axes = [np.arange(low, high + 1e-6, spacing, dtype=np.float32) for low, high in zip(LOWER, UPPER, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def smooth_noise(rng: np.random.Generator, sigma: float, spacing: float, components: int = 1) -> Maps:
    """Gaussian random fields of zero mean and unit variance with a Gaussian kernel of `sigma` mm, over the box."""
    points = np.floor((UPPER - LOWER + 1e-6) / spacing).astype(int) + 1  # of `grid(spacing)` along each axis
    noise = rng.standard_normal((components, *points), dtype=np.float32)
    width = sigma / spacing
    noise = ndimage.gaussian_filter(noise, (0, width, width, width), mode="wrap")
    noise -= noise.mean(axis=(1, 2, 3), keepdims=True)
    noise /= noise.std(axis=(1, 2, 3), keepdims=True)
    return Maps(noise, LOWER, spacing)


def ramp(distance: Array, width: float) -> Array:
    """Fraction of a voxel of `width` mm that lies on the positive side of a surface at `distance` mm (0 to 1)."""
    return np.clip(distance / np.float32(width) + np.float32(0.5), 0, 1)
