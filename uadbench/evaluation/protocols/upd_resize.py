"""Resizing of axial slices to UPD_study's evaluation grid: 128 x 128 pixels of a field of view of 240 mm."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 128  # pixels
FIELD = 240.0  # mm, the side of UPD_study's template, SRI24
TRUNCATE = 4.0  # standard deviations at which the Gaussian is cut off, as in scipy and scikit-image


def resize(volume: np.ndarray | Tensor, spacing: tuple[float, float, float]) -> Any:
    """Slices (D, H, W) of any type, voxels of `spacing` (slice, row, column) mm, as squares (D, 128, 128) float32.

    The field of view is centred on the image and 0 outside of it. Interpolation is linear; where pixels are larger than
    voxels, slices are first smoothed with a Gaussian of (ratio - 1) / 2 voxels, the rule of scikit-image's `resize`,
    which UPD_study uses. Slices of 128 x 128 are returned unchanged, as UPD_study's own preprocessing produces them.
    Tensors are resized on their device, with different rounding from arrays.
    """
    slices: Any = np.ascontiguousarray(volume, np.float32) if isinstance(volume, np.ndarray) else volume.float()
    if slices.shape[1:] == (SIDE, SIDE):
        return slices
    rows, columns = (weights(n, step) for n, step in zip(slices.shape[1:], spacing[1:], strict=True))
    if not isinstance(volume, np.ndarray):
        rows, columns = (slices.new_tensor(matrix) for matrix in (rows, columns))
    narrow = slices.reshape(-1, slices.shape[2]) @ columns.T
    return rows @ narrow.reshape(*slices.shape[:2], SIDE)


@lru_cache(maxsize=8)
def weights(voxels: int, spacing: float) -> np.ndarray:
    """Contribution of each voxel of a line (`spacing` mm apart) to each pixel, (128, voxels) float32, ≥ 0."""
    ratio = FIELD / SIDE / spacing
    sigma = max(ratio - 1, 0) / 2
    reach = int(TRUNCATE * sigma + 0.5)
    places = (np.arange(SIDE) - (SIDE - 1) / 2) * ratio + (voxels - 1) / 2  # of pixel centres, in voxels
    # Smoothing and interpolation in one step: the kernel is a hat convolved with the Gaussian on whole voxels.
    shifts = np.arange(-reach, reach + 1)
    gaussian = np.exp(-0.5 * (shifts / sigma) ** 2) if reach else np.ones(1)
    gaussian /= gaussian.sum()
    distance = np.arange(voxels)[None, :, None] + shifts - places[:, None, None]
    made: np.ndarray = (np.maximum(1 - np.abs(distance), 0) @ gaussian).astype(np.float32)
    made.setflags(write=False)
    return made


def voxel_size(affine: np.ndarray) -> tuple[float, float, float]:
    """Voxel size in mm along (D, H, W) of an array with an `affine` (4, 4) from voxel (x, y, z) = (W, H, D)."""
    x, y, z = np.linalg.norm(np.asarray(affine, float)[:3, :3], axis=0)
    return float(z), float(y), float(x)
