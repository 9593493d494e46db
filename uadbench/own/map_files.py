"""Files of external score maps, labels and brain masks: folders of NIfTI files, paired by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation

from uadbench.core.errors import HarnessError
from uadbench.data.preprocessing.reading.scan import whole_numbers
from uadbench.data.preprocessing.reading.volume import BadScan, read_volume
from uadbench.own.map_arrays import single_precision

SUFFIXES = (".nii.gz", ".nii")
TOLERANCE = 1e-3  # mm, for equal affines


def nifti_files(folder: Path) -> dict[str, Path]:
    """The NIfTI files of a folder by name without .nii or .nii.gz.

    Raises HarnessError for a folder without such files, and for two files of one name.
    """
    if not folder.is_dir():
        raise HarnessError(f"{folder}: no such folder; give a folder of .nii or .nii.gz files")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        suffix = next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), None)
        if suffix is None or path.name.startswith("."):
            continue
        stem = path.name.removesuffix(suffix)
        if stem in files:
            raise HarnessError(f"{path}: same name as {files[stem].name}; keep one of the two")
        files[stem] = path
    if not files:
        raise HarnessError(f"{folder}: holds no .nii or .nii.gz file")
    return files


def all_in(files: dict[str, Path], others: dict[str, Path], problem: str) -> None:
    """Raise HarnessError for the first file without a counterpart."""
    for stem in sorted(files.keys() - others.keys()):
        raise HarnessError(f"{files[stem]}: {problem}; add it or take this file away")


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Volume (D, H, W) with stored values, axes reoriented to superior, anterior and right, and its affine (4, 4)."""
    try:
        values, affine = read_volume(path)
    except BadScan as error:
        raise HarnessError(str(error)) from error
    turned = io_orientation(affine)
    upright = apply_orientation(values, turned)
    return upright.transpose(2, 1, 0), affine @ inv_ornt_aff(turned, values.shape)


def read_scores(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """A score map as float32, and its affine. Raises HarnessError if too many scores become equal in float32."""
    values, affine = _read(path)
    return single_precision(str(path), values), affine


def read_matching(path: Path, of: Path, shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """Labels (whole numbers, uint8) of a file that must have the grid of the map `of`."""
    values, own = _read(path)
    if values.shape != shape:
        sizes = ["×".join(str(n) for n in reversed(s)) for s in (values.shape, shape)]
        raise HarnessError(f"{path}: has {sizes[0]} voxels but {of} has {sizes[1]}; resample one to the other")
    if not np.allclose(own, affine, rtol=0, atol=TOLERANCE):
        raise HarnessError(f"{path}: its affine differs from that of {of}; resample one to the other")
    try:
        return whole_numbers(path, values)
    except BadScan as error:
        raise HarnessError(str(error)) from error
