"""Voxel grid of a volume, its shape and affine, and rotations."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Grid:
    """Voxels of a space: `shape` (X, Y, Z) and `affine` (4, 4) from voxel to millimetres, RAS."""

    shape: tuple[int, ...]
    affine: npt.NDArray[np.float64]

    @property
    def spacing(self) -> np.ndarray:
        """Voxel size along each axis in mm, (3,)."""
        return np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))

    @property
    def mean_spacing(self) -> float:
        """Geometric mean of the voxel sizes in mm."""
        return float(abs(np.linalg.det(self.affine[:3, :3])) ** (1 / 3))

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in millilitres."""
        return abs(float(np.linalg.det(self.affine[:3, :3]))) / 1000

    def points(self, shift: npt.ArrayLike = (0, 0, 0)) -> npt.NDArray[np.float32]:
        """Millimetres (3, X, Y, Z) of the voxel centres, plus `shift`."""
        voxels = np.indices(self.shape, dtype=np.float32)
        linear = self.affine[:3, :3].astype(np.float32)
        offset = (self.affine[:3, 3] + np.asarray(shift)).astype(np.float32)
        return np.tensordot(linear, voxels, axes=1) + offset.reshape(3, 1, 1, 1)


def rotation(angles: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Matrix (3, 3) of the rotation about x, then y, then z by `angles` (3,) in radians."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x
