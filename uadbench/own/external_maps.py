"""Evaluation of score maps of other programs: folders of NIfTI files of maps, labels and brain masks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from uadbench.core.errors import HarnessError
from uadbench.evaluation.detection.operating_points import Calibration, Calibrator
from uadbench.evaluation.inference.collecting import ScoredSubject
from uadbench.evaluation.protocols.labels import EVERY, LabelValues
from uadbench.evaluation.protocols.protocols import Truth
from uadbench.evaluation.protocols.upd_resize import voxel_size
from uadbench.evaluation.voxels.scores import check_scores
from uadbench.own import score_maps
from uadbench.own.map_files import all_in, nifti_files, read_matching, read_scores
from uadbench.own.score_maps import SCORE, Evaluation


def evaluate(
    maps: Path,
    labels: Path,
    brain: Path | None = None,
    protocol: str = "full",
    healthy: Path | None = None,
    healthy_brain: Path | None = None,
    values: LabelValues = EVERY,
) -> Evaluation:
    """Count the score maps in folder `maps` against the labels of the same names.

    Every map needs a label and every label a map of the same file name, apart from .nii and .nii.gz. The brain is where
    the masks in `brain`, which may hold more files, are > 0; without masks it is everywhere, air included. `protocol`
    selects the voxels to count. Protocols that resize use voxel sizes of the headers, and label classes as numbers.
    `healthy`: maps of healthy subjects, which set thresholds; their masks are in `healthy_brain` or in `brain`.
    `values`: labels that are lesion, and labels of voxels to ignore.
    Raises HarnessError naming the file if one is unmatched, unreadable, of another grid or not a valid score map, if
    labels are no whole numbers, if a map's scores would merge in float32, and if no voxel is anomalous.
    """
    scored, labelled = nifti_files(maps), nifti_files(labels)
    all_in(scored, labelled, f"no label of this name in {labels}")
    all_in(labelled, scored, f"no map of this name in {maps}")
    masks = _masks(scored, brain)
    if masks is None:
        print(
            "warning: no brain masks: air counts as brain, which raises AUROC and lowers chance; give --brain",
            file=sys.stderr,
        )
    calibration = None
    if healthy is not None:
        calibration = _calibrate(healthy, healthy_brain or brain)
    read = _subjects(scored, labelled, masks, values)
    evaluation = score_maps.evaluate(read, protocol, calibration, masks is not None, str(labels))
    if evaluation.findings is None:
        print(f"warning: {maps}: voxel sizes differ; lesions and subjects are not measured", file=sys.stderr)
    return evaluation


def _subjects(
    scored: dict[str, Path], labelled: dict[str, Path], masks: dict[str, Path] | None, values: LabelValues
) -> Iterator[ScoredSubject]:
    """The subjects by the names of their files, sorted."""
    for stem, path in sorted(scored.items()):
        score, affine = read_scores(path)
        labels = read_matching(labelled[stem], path, score.shape, affine)
        brain = values.counted(labels, _inside(masks, stem, path, score, affine))
        yield ScoredSubject(Truth(stem, values.classes(labels), brain, voxel_size(affine)), {SCORE: score})


def _masks(scored: dict[str, Path], brain: Path | None) -> dict[str, Path] | None:
    if brain is None:
        return None
    masks = nifti_files(brain)
    all_in(scored, masks, f"no brain mask of this name in {brain}")
    return masks


def _inside(masks: dict[str, Path] | None, stem: str, path: Path, score: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Brain mask (D, H, W) bool of a score map; checks the scores in it."""
    if masks is None:
        inside = np.ones(score.shape, bool)
    else:
        inside = read_matching(masks[stem], path, score.shape, affine) > 0
        if not inside.any():
            raise HarnessError(f"{masks[stem]}: the brain mask is empty; give the brain of {path}")
    check_scores(f"{path} of {stem}", score[inside])
    return inside


def _calibrate(folder: Path, brain: Path | None) -> Calibration:
    """Thresholds from the score maps of healthy subjects."""
    scored = nifti_files(folder)
    masks = _masks(scored, brain)
    calibrator = Calibrator()
    for stem, path in sorted(scored.items()):
        score, affine = read_scores(path)
        inside = _inside(masks, stem, path, score, affine)
        calibrator.add(stem, np.where(inside, score, np.float32(0)), inside)
    return calibrator.finish()
