"""Scans and their label masks, with validation of both."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation, ornt_transform
from scipy import ndimage

from uadbench.data.grid import Grid
from uadbench.data.preprocessing.reading.geometry import extent
from uadbench.data.preprocessing.reading.volume import BadScan, read_volume, states_orientation

#: tolerance of labels from whole numbers: rounding of a scaled file, not partial volume
ROUNDING = 1e-3


class OffGrid(BadScan):
    """A mask on another grid than the scan's, possibly that of another scan."""


@dataclass(frozen=True)
class Scan:
    """One volume in its own space.

    data: (I, J, K), float32 grey values, or integer labels; affine: (4, 4) from voxel to scanner millimetres (RAS).
    oriented: whether the header states an orientation; otherwise the order of the voxels defines it.
    """

    path: Path
    data: np.ndarray
    affine: np.ndarray
    oriented: bool = True

    @property
    def grid(self) -> Grid:
        return Grid(self.data.shape, self.affine)

    @property
    def digest(self) -> str:
        """SHA-256 of the grey values in the order right, anterior, superior: of any file name, format and type."""
        upright = apply_orientation(self.data, io_orientation(self.affine))
        voxels = np.ascontiguousarray(upright, np.float32).tobytes()
        return hashlib.sha256(repr(upright.shape).encode() + voxels).hexdigest()


def read_scan(path: Path) -> Scan:
    """Read grey values; a background of NaN, as written by SPM, becomes 0.

    Raises BadScan for a file that `read_volume` refuses, and for values that are not finite or all equal.
    """
    data, affine = read_volume(path)
    data = without_nan_background(data.astype(np.float32, copy=False))
    if not np.isfinite(data).all():
        count = int((~np.isfinite(data)).sum())
        raise BadScan(path, f"{count} voxels are not finite; set them to 0 if they are background, else leave it out")
    if data.min() == data.max():
        raise BadScan(path, f"every voxel is {data.flat[0]:g}; copy or download it again")
    return Scan(path, data, affine, states_orientation(path))


def read_labels(path: Path, like: Scan) -> Scan:
    """Read whole-number labels 0…255, which may all be 0, from a mask with the grid of `like`.

    Axes may be stored in another order or direction, according to the header.
    Raises OffGrid for another grid, BadScan for an unusable mask.
    """
    data, affine = read_volume(path)
    turn = ornt_transform(io_orientation(affine), io_orientation(like.affine))
    data, affine = apply_orientation(data, turn), affine @ inv_ornt_aff(turn, data.shape)
    if data.shape != like.data.shape:
        raise OffGrid(path, f"mask has shape {data.shape}, the scan {like.data.shape}; give the mask in its voxels")
    shift = np.abs(extent(data.shape, affine - like.affine)).max()
    # Affines of the same grid often differ by rounding, but never by a voxel.
    if shift > like.grid.spacing.min():
        raise OffGrid(path, f"mask lies up to {shift:.1f} mm off the grid of the scan; correct the affine of either")
    return Scan(path, whole_numbers(path, without_nan_background(data)), like.affine)


def whole_numbers(path: Path, data: np.ndarray) -> np.ndarray:
    """Labels as uint8, same shape. Raises BadScan unless all are whole numbers from 0 to 255, up to rounding."""
    whole = np.rint(data) if np.isfinite(data).all() else np.full(data.shape, -1)
    if whole.min() < 0 or whole.max() > 255 or np.abs(whole - data).max() > ROUNDING:
        raise BadScan(path, "mask holds other values than whole numbers from 0 to 255; give the labels themselves")
    return whole.astype(np.uint8)


def without_nan_background(data: np.ndarray) -> np.ndarray:
    """Values (I, J, K), 0 for NaN regions that touch the border of the volume; enclosed NaN, not background, stay."""
    missing = np.isnan(data) if data.dtype.kind == "f" else np.zeros((), bool)
    if not missing.any():
        return data
    regions, count = ndimage.label(missing)
    faces = [np.moveaxis(regions, axis, 0)[[0, -1]] for axis in range(regions.ndim)]
    outer = np.zeros(count + 1, bool)
    outer[np.unique(np.concatenate([face.ravel() for face in faces]))] = True
    outer[0] = False
    return np.where(outer[regions], np.zeros((), data.dtype), data)
