"""Reading a NIfTI scan with every check that keeps a broken file from going further."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


class BadScan(Exception):
    """A file that cannot be used: costs its subject, never the run. Carries the file and the reason."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason


@dataclass(frozen=True)
class Scan:
    """One volume in its own space.

    data: (I, J, K), float32 grey values, or integer labels; affine: (4, 4) from voxel to scanner millimetres (RAS).
    """

    path: Path
    data: np.ndarray
    affine: np.ndarray

    @property
    def spacing(self) -> np.ndarray:
        """Voxel size along each axis in mm, (3,)."""
        return np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))


def read_scan(path: Path) -> Scan:
    """Read grey values. Raises BadScan for a file that is missing, cut short, not 3-D, not finite or constant."""
    data, affine = _read(path)
    data = data.astype(np.float32, copy=False)
    if not np.isfinite(data).all():
        raise BadScan(path, f"{int((~np.isfinite(data)).sum())} voxels are not finite")
    if data.min() == data.max():
        raise BadScan(path, f"every voxel is {data.flat[0]:g}")
    return Scan(path, data, affine)


def read_labels(path: Path, like: Scan) -> Scan:
    """Read whole-number labels 0…255 that must lie on the grid of `like`. Raises BadScan otherwise."""
    data, affine = _read(path)
    if data.shape != like.data.shape:
        raise BadScan(path, f"mask has shape {data.shape}, the scan {like.data.shape}")
    corners = np.array(np.meshgrid(*[[0, n - 1] for n in data.shape], [1.0])).reshape(4, -1)
    shift = np.abs((affine - like.affine) @ corners)[:3].max()
    # The same grid is often written with rounded numbers, never a voxel apart.
    if shift > like.spacing.min():
        raise BadScan(path, f"mask lies up to {shift:.1f} mm off the grid of the scan")
    if not np.isfinite(data).all() or data.min() < 0 or data.max() > 255 or (np.rint(data) != data).any():
        raise BadScan(path, "mask holds other values than whole numbers from 0 to 255")
    return Scan(path, data.astype(np.uint8), like.affine)


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import nibabel

    if not path.is_file():
        raise BadScan(path, "no such file")
    try:
        image: Any = nibabel.load(path)
        data = np.asanyarray(image.dataobj)
    # nibabel, gzip and zlib each have their own errors for files that are cut short or no images at all.
    except Exception as error:
        raise BadScan(path, f"cannot be read ({type(error).__name__}: {' '.join(str(error).split())[:120]})") from error
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if data.ndim != 3 or min(data.shape) < 2:
        raise BadScan(path, f"has shape {data.shape}; one volume of three dimensions is needed")
    affine: np.ndarray = np.asarray(image.affine, dtype=np.float64)
    spacing = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-3 * max(spacing.prod(), 1e-9):
        raise BadScan(path, "its affine is singular")
    if spacing.min() < 0.1 or spacing.max() > 20:
        raise BadScan(path, f"voxels of {' × '.join(f'{s:.3g}' for s in spacing)} mm are not of a head scan")
    return data, affine
