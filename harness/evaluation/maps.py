"""Evaluation of anybody's score maps: folders of NIfTI files, paired by name, to pooled metrics with intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation

from harness.data.scan import whole_numbers
from harness.data.volume import BadScan, read_volume
from harness.errors import HarnessError
from harness.evaluation.histogram import ScoreHistogram
from harness.evaluation.metrics import average_precision_bounds
from harness.evaluation.protocols import Volume
from harness.evaluation.protocols import protocol as named
from harness.evaluation.results import numbers
from harness.evaluation.scores import check_scores
from harness.evaluation.squares import voxel_size

SUFFIXES = (".nii.gz", ".nii")
TOLERANCE = 1e-3  # mm, for equal affines
MERGED = 1e-3  # share of voxels that may become one number when a map is rounded to float32


def evaluate_maps(
    maps: Path, labels: Path, brain: Path | None = None, protocol: str = "full", resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Metrics of the score maps in folder `maps` against the labels (anomalous where > 0) of the same names.

    Every map needs a label and every label a map of the same file name but for .nii and .nii.gz. The brain is where the
    masks in `brain`, which may hold more files, are > 0; without masks it is everywhere, air included. `protocol` says
    what of it is counted. Protocols that resize take voxel sizes from the headers, and classes of labels as numbers.
    Returns ap, dice, auroc with their 95 % bootstrap intervals over subjects (`…_interval`, None for one subject),
    `ap_bounds` that hold the AP of the raw scores for certain (see `average_precision_bounds`), the threshold of the
    best Dice, the AP of chance, and the numbers of subjects, voxels and positives.
    Raises HarnessError naming the file if one is unmatched, unreadable, of another grid or not a valid score map, if
    labels are no whole numbers, if a map's scores would merge in float32, and if no voxel is anomalous.
    """
    scored, labelled = nifti_files(maps), nifti_files(labels)
    _all_in(scored, labelled, f"no label of this name in {labels}")
    _all_in(labelled, scored, f"no map of this name in {maps}")
    masks = None if brain is None else nifti_files(brain)
    if masks is not None:
        _all_in(scored, masks, f"no brain mask of this name in {brain}")
    histogram = ScoreHistogram()
    how = named(protocol)
    for stem, path in sorted(scored.items()):
        score, affine = _scores(path)
        classes = _matching(labelled[stem], path, score.shape, affine)
        inside = np.ones(score.shape, bool) if masks is None else _matching(masks[stem], path, score.shape, affine) > 0
        check_scores(f"{path} of {stem}", score[inside])
        histogram.name = str(path)
        histogram.add(stem, *how.voxels(Volume(stem, score, classes, inside, voxel_size(affine))))
    if not histogram.positives:
        raise HarnessError(
            f"{labels}: no label has an anomalous voxel{' in the brain' if brain else ''}; nothing to find"
        )
    return _summary(histogram, protocol, resamples, seed)


def nifti_files(folder: Path) -> dict[str, Path]:
    """The NIfTI files of a folder by name without .nii or .nii.gz.

    Raises HarnessError if there is none, or two of one name.
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


def _all_in(files: dict[str, Path], others: dict[str, Path], problem: str) -> None:
    """Raise HarnessError for the first file without a counterpart."""
    for stem in sorted(files.keys() - others.keys()):
        raise HarnessError(f"{files[stem]}: {problem}; add it or take this file away")


def _summary(histogram: ScoreHistogram, protocol: str, resamples: int, seed: int) -> dict[str, Any]:
    rows = {row["metric"]: row for row in numbers(histogram, protocol, resamples, seed)}
    out: dict[str, Any] = {}
    for metric in ("ap", "dice", "auroc"):
        row = rows.get(metric)
        out[metric] = row and row["value"]
        out[f"{metric}_interval"] = [row["low"], row["high"]] if row and np.isfinite(row["low"]) else None
    out["ap_bounds"] = list(average_precision_bounds(histogram))
    out["threshold"] = rows["dice_threshold"]["value"]
    out["chance_ap"] = histogram.positives / histogram.voxels
    out |= {"subjects": len(histogram.subjects), "voxels": histogram.voxels, "positives": histogram.positives}
    return out | {"protocol": protocol, "resamples": resamples, "seed": seed}


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Volume (D, H, W) as stored, axes towards superior, anterior and right, and its affine (4, 4)."""
    try:
        values, affine = read_volume(path)
    except BadScan as error:
        raise HarnessError(str(error)) from error
    turned = io_orientation(affine)
    upright = apply_orientation(values, turned)
    return upright.transpose(2, 1, 0), affine @ inv_ornt_aff(turned, values.shape)


def _scores(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """A score map as float32, and its affine. Raises HarnessError where float32 cannot tell its scores apart."""
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
    """Largest share of voxels that rounding to float32 makes equal to voxels of another score."""
    changed = single.astype(values.dtype) != values
    if not changed.any():
        return 0.0
    affected = np.isin(single, np.unique(single[changed]))
    scores, counts = np.unique(values[affected], return_counts=True)
    _, group = np.unique(scores.astype(np.float32), return_inverse=True)
    largest = np.zeros(group.max() + 1)
    np.maximum.at(largest, group, counts)
    return float((np.bincount(group, counts) - largest).max() / values.size)


def _matching(path: Path, of: Path, shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """The labels (whole numbers, uint8) of a file that must lie on the grid of the map `of`."""
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
