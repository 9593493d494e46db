"""Files of external score maps, labels and brain masks: folders of NIfTI files, paired by name."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation

from uadbench.core.errors import HarnessError, listed
from uadbench.core.volume_names import stem
from uadbench.data.preprocessing.reading.volume import BadScan, read_volume
from uadbench.own import bids_derivative
from uadbench.own.bids_derivative import DESCRIPTION
from uadbench.own.map_arrays import labels_of
from uadbench.own.scan_places import BRAIN, TABLE

OURS = (".json", ".html", TABLE)  # ends of what `score` writes beside maps
TOLERANCE = 1e-3  # mm, for equal affines


def nifti_files(folder: Path) -> dict[str, Path]:
    """The NIfTI files of a folder by name without .nii or .nii.gz; a warning names files of other suffixes.

    Raises HarnessError for a folder without NIfTI files, and for two of one name.
    """
    if not folder.is_dir():
        raise HarnessError(f"{folder}: no folder; give a folder of .nii or .nii.gz files")
    files: dict[str, Path] = {}
    others = []
    for path in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
        name = stem(path.name)
        if name is None:
            others += [path.name] * (path.is_file() and not path.name.endswith(OURS))
        elif name in files:
            raise HarnessError(f"{path}: same name as {files[name].name}; keep one of the two")
        else:
            files[name] = path
    if not files:
        raise HarnessError(f"{folder}: holds no .nii or .nii.gz file{f', but {listed(others)}' if others else ''}")
    if others:
        warn(f"{folder}: {len(others)} files are passed over, they are no .nii or .nii.gz ({listed(others)})")
    return files


@dataclass(frozen=True)
class Masks:
    """Brain masks by name, and where they are, for messages."""

    files: dict[str, Path]
    where: str

    def check(self, maps: Mapping[str, Path]) -> None:
        """Raise HarnessError for a map without a mask."""
        remedy = "add it, score the scan again, or name masks of all with --brain or --healthy-brain"
        all_in(maps, self.files, f"no brain mask of this name in {self.where}", remedy)


def map_set(folder: Path) -> tuple[dict[str, Path], Masks | None]:
    """Score maps of a folder by name, of derivatives of BIDS by sub-X[_ses-Y], and the brain masks that lie with them.

    None without any. Raises HarnessError for a folder without maps.
    """
    if (folder / DESCRIPTION).is_file() and any(folder.glob("sub-*")):
        files, masks = bids_derivative.find(folder)
        return files, Masks(masks, str(folder)) if masks else None
    files, beside = nifti_files(folder), folder / BRAIN
    there = beside.is_dir() and any(stem(path.name) for path in beside.iterdir())
    return files, Masks(nifti_files(beside), str(beside)) if there else None


def warn_of_unused(files: dict[str, Path], used: Collection[str], partner: str) -> None:
    """A warning that names the files of a folder whose names are not among those used, those of a `partner`."""
    if unused := [path for name, path in files.items() if name not in used]:
        names = listed([path.name for path in unused])
        warn(f"{unused[0].parent}: {len(unused)} files are passed over, no {partner} has their names ({names})")


def warn(text: str) -> None:
    say(f"warning: {text}")


def say(text: str) -> None:
    print(text, file=sys.stderr)


def all_in(
    files: Mapping[str, Path], others: Collection[str], problem: str, remedy: str = "add it or take this file away"
) -> None:
    """Raise HarnessError for the first file without a counterpart."""
    for name in sorted(files.keys() - others):
        raise HarnessError(f"{files[name]}: {problem}; {remedy}")


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
    """A score map of any type of number, and its affine."""
    values, affine = _read(path)
    return bids_derivative.scores(path, values), affine


def read_matching(path: Path, of: Path, shape: tuple[int, ...], affine: np.ndarray, what: str) -> np.ndarray:
    """Labels or a brain mask (uint8), as `what` says, of a file that must have the grid of the map `of`."""
    values, own = _read(path)
    if values.shape != shape:
        sizes = ["×".join(str(n) for n in reversed(s)) for s in (values.shape, shape)]
        raise HarnessError(f"{path}: has {sizes[0]} voxels but {of} has {sizes[1]}; resample one to the other")
    if not np.allclose(own, affine, rtol=0, atol=TOLERANCE):
        raise HarnessError(f"{path}: its affine differs from that of {of}; resample one to the other")
    return labels_of(path, values, what)
