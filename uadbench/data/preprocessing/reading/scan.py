"""Scans and their label masks, with validation of both."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation, ornt_transform
from scipy import ndimage

from uadbench.data.grid import Grid
from uadbench.data.preprocessing.reading.geometry import extent
from uadbench.data.preprocessing.reading.volume import BadScan, read_grid, read_volume, states_orientation

#: tolerance of labels from whole numbers: rounding of a scaled file, not partial volume
ROUNDING = 1e-3
BRAIN = "brain mask"
MOST_VALUES = 100  # different values of a brain mask; a parcellation has fewer


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


def read_labels(path: Path, like: Scan, what: str = "mask") -> Scan:
    """Read whole-number labels 0…255, which may all be 0, from a mask with the grid of `like`.

    Axes may be stored in another order or direction, according to the header. what: the mask in messages, or BRAIN.
    Raises OffGrid for another grid, BadScan for an unusable mask.
    """
    data, affine = read_volume(path)
    turn, shift = _fit(Grid(data.shape, affine), like.grid)
    data = apply_orientation(data, turn)
    if shift is None:
        raise OffGrid(path, f"{what} has shape {data.shape}, the scan {like.data.shape}; give the mask in its voxels")
    if shift > like.grid.spacing.min():
        raise OffGrid(path, f"{what} lies up to {shift:.1f} mm off the grid of the scan; correct the affine of either")
    return Scan(path, whole_numbers(path, data, what), like.affine)


def _fit(grid: Grid, like: Grid) -> tuple[np.ndarray, float | None]:
    """The orientation that turns a grid into the axes of another, and the mm between both; None for another shape."""
    turn = ornt_transform(io_orientation(grid.affine), io_orientation(like.affine))
    shape = tuple(np.take(grid.shape, np.argsort(turn[:, 0])).tolist())
    affine = grid.affine @ inv_ornt_aff(turn, grid.shape)
    return turn, float(np.abs(extent(shape, affine - like.affine)).max()) if shape == like.shape else None


def same_grid(path: Path, other: Path) -> bool:
    """Whether two volumes have one grid by their headers, axes in any order; False where one has no valid header."""
    try:
        grid, like = read_grid(path), read_grid(other)
    except BadScan:
        return False
    shift = _fit(grid, like)[1]
    # Affines of the same grid often differ by rounding, but never by a voxel.
    return shift is not None and shift <= like.spacing.min()


def whole_numbers(path: Path, data: np.ndarray, what: str = "mask") -> np.ndarray:
    """Labels as uint8, same shape; a background of NaN becomes 0.

    what: as of `read_labels`. Raises BadScan, by the kind of odd value, unless all are whole numbers from 0 to 255, up
    to rounding, and for a brain mask of more than MOST_VALUES values.
    """
    data = without_nan_background(data)
    if not np.isfinite(data).all():
        raise BadScan(path, f"{what} holds {int((~np.isfinite(data)).sum())} values that are not finite; set them to 0")
    whole, low, high = np.rint(data), data.min(), data.max()
    if low < -ROUNDING:
        raise BadScan(path, f"{what} holds values down to {low:g}; labels are whole numbers from 0, background, to 255")
    odd = np.abs(whole - data) > ROUNDING
    if odd.any() and high <= 1 + ROUNDING:
        raise BadScan(
            path, f"{what} is a map of probabilities from 0 to 1, or interpolated; threshold it, for example at 0.5"
        )
    if odd.any():
        found = f"values between whole numbers, such as {data[odd][0]:g}: interpolated labels, or grey values"
        raise BadScan(path, f"{what} holds {found}; resample labels to the nearest neighbour, threshold grey values")
    if high > 255 + ROUNDING:
        raise BadScan(path, f"{what} holds values up to {high:g}; labels end at 255: renumber them")
    whole = whole.astype(np.uint8)
    if what == BRAIN and (count := np.count_nonzero(np.bincount(whole.ravel()))) > MOST_VALUES:
        found = f"{count} different values up to {high:g}: probabilities, or grey values"
        raise BadScan(path, f"{what} holds {found}; threshold it, probabilities at half of their maximum")
    return whole


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
