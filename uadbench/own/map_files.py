"""Files of external score maps, labels and brain masks: folders of NIfTI files, paired by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation

from uadbench.core.errors import HarnessError
from uadbench.data.preprocessing.reading.scan import whole_numbers
from uadbench.data.preprocessing.reading.volume import BadScan, read_volume

SUFFIXES = (".nii.gz", ".nii")
TOLERANCE = 1e-3  # mm, for equal affines
MERGED = 1e-3  # maximum fraction of voxels that may merge to one number when a map is rounded to float32


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
    single = values.astype(np.float32)
    if values.dtype.itemsize > 4 or values.dtype.kind in "iu":
        share = _merged(values, single)
        if share > MERGED:
            raise HarnessError(
                f"{path}: {share:.1%} of its voxels have scores of type {values.dtype} that are one number in float32; "
                "store scores before a function that saturates (logits, not a sigmoid of them), or their ranks"
            )
    return single, affine


def _merged(values: np.ndarray, single: np.ndarray) -> float:
    """Largest fraction of voxels that rounding to float32 makes equal to voxels of another score."""
    changed = single.astype(values.dtype) != values
    if not changed.any():
        return 0.0
    affected = np.isin(single, np.unique(single[changed]))
    scores, counts = np.unique(values[affected], return_counts=True)
    _, group = np.unique(scores.astype(np.float32), return_inverse=True)
    largest = np.zeros(group.max() + 1)
    np.maximum.at(largest, group, counts)
    return float((np.bincount(group, counts) - largest).max() / values.size)


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
