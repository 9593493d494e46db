"""Evaluation of score maps of other programs: folders of NIfTI files of maps, labels and brain masks, or arrays."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from uadbench.core.errors import HarnessError
from uadbench.data.label_values import EVERY, LabelValues
from uadbench.data.preprocessing.reading.scan import BRAIN
from uadbench.evaluation.detection.findings import Calibration, Calibrator
from uadbench.evaluation.inference.collecting import ScoredSubject
from uadbench.evaluation.protocols.upd_resize import voxel_size
from uadbench.own import scan_sets, score_maps
from uadbench.own.map_arrays import read_arrays, subject
from uadbench.own.map_files import (
    Masks,
    all_in,
    map_set,
    nifti_files,
    read_matching,
    read_scores,
    say,
    warn_of_unused,
)
from uadbench.own.patients import Patients
from uadbench.own.scan_sets import is_data_set
from uadbench.own.score_maps import Evaluation

if TYPE_CHECKING:
    from uadbench.own.map_arrays import Arrays

ALIKE = 0.01  # largest relative difference of voxel volumes that passes without a warning


def evaluate(
    maps: Path,
    labels: Path,
    brain: Path | None = None,
    protocol: str = "full",
    healthy: Path | None = None,
    healthy_brain: Path | None = None,
    values: LabelValues = EVERY,
    patients: Patients | None = None,
    unmasked: bool = False,
) -> Evaluation:
    """Count the score maps in folder `maps`, also of derivatives of BIDS, against the labels of the same names.

    Every map needs a label and every label a map of the same file name, apart from .nii and .nii.gz; or `labels` is the
    data set that was scored, see `scan_sets.labels`. The brain is where the masks in `brain`, which may hold more
    files, are > 0, by default those that `score` writes with the maps; without masks everywhere, air included.
    `protocol` selects the voxels to count. Protocols that resize use voxel sizes of the headers, and label classes as
    numbers.
    `healthy`: maps of healthy subjects, which set thresholds; masks are in `healthy_brain`, in `brain`, or with them.
    `values`: labels that are lesion, and labels of voxels to ignore. `patients`: who has several maps, see there.
    `unmasked`: whether subjects of a data set without a mask are healthy.
    Raises HarnessError naming the file if one is unmatched, unreadable, of another grid or not a valid score map, if
    labels are no whole numbers, if a map's scores would merge in float32, and if no voxel is anomalous.
    """
    files, beside = map_set(maps)
    labelled, stated = _labels(labels, files, maps, unmasked)
    controls, theirs = ({}, None) if healthy is None else map_set(healthy)
    given, named = (
        None if folder is None else Masks(nifti_files(folder), str(folder)) for folder in (brain, healthy_brain)
    )
    masks = given or beside
    covered = given is not None and controls.keys() <= given.files.keys()
    others = named or (masks if covered or theirs is None else theirs)
    for found in (masks, others if others is not masks else None):
        if found is not None:
            warn_of_unused(found.files, {**files, **controls}, "map")
            if found in (beside, theirs):
                say(f"brain masks: {found.where}; --brain and --healthy-brain name others")
    calibration = None if healthy is None else _calibrate(_subjects(controls, others))
    subjects = _subjects({name: files[name] for name in labelled}, masks, labelled, values)
    told = str(labels), values, patients or stated
    evaluation = score_maps.evaluate(subjects, protocol, calibration, masks is not None, *told)
    volumes = evaluation.findings.voxel_volumes
    if volumes.max() > (1 + ALIKE) * volumes.min():
        weight = "pooled metrics count voxels, so that scans of finer ones weigh more; volumes are of each scan's own"
        print(f"warning: {maps}: voxel sizes differ; {weight}", file=sys.stderr)
    return evaluation


def evaluate_arrays(
    spacing: float | Sequence[float] | None,
    maps: Arrays,
    labels: Arrays,
    brain: Arrays | None = None,
    protocol: str = "full",
    healthy: Arrays | None = None,
    healthy_brain: Arrays | None = None,
    values: LabelValues = EVERY,
    patients: Patients | None = None,
) -> Evaluation:
    """The same of arrays in place of files, paired by order, or by key as files are by name.

    spacing: mm, of all voxels, or along D, H and W; None if unknown: then lesions are measured as if it were 1.
    """
    if spacing is None and (protocol == "upd" or healthy is not None):
        raise HarnessError("spacing: not given, but needed with healthy maps and protocol upd; give it in mm")
    if healthy is not None and healthy_brain is None and brain is not None:
        raise HarnessError("healthy_brain: not given, and brain is of the maps; give masks of the healthy maps")
    voxel, calibration = np.asarray(1.0 if spacing is None else spacing), None
    if voxel.shape not in ((), (3,)) or voxel.dtype.kind not in "iuf" or not (voxel > 0).all():
        raise HarnessError(f"spacing: {spacing!r} is no voxel size; give its side in mm, or three along D, H and W")
    sides = tuple(np.broadcast_to(voxel, 3).tolist())
    if healthy is not None:
        calibration = _calibrate(read_arrays({"healthy": healthy, "healthy_brain": healthy_brain}, sides))
    subjects = read_arrays({"maps": maps, "brain": brain, "labels": labels}, sides, values)
    return score_maps.evaluate(subjects, protocol, calibration, brain is not None, values=values, patients=patients)


def _labels(
    labels: Path, maps: dict[str, Path], folder: Path, unmasked: bool
) -> tuple[Mapping[str, Path | None], Mapping[str, str] | None]:
    """Labels of maps by their names, None of a healthy subject, and patients, where a data set states them."""
    if is_data_set(labels):
        return scan_sets.labels(labels, maps, unmasked)
    if unmasked:
        raise HarnessError(
            f"--unmasked: {labels} is no data set; give labels of zeros for healthy subjects, or --healthy"
        )
    files = nifti_files(labels)
    remedy = "add it, for a healthy subject one of zeros or --healthy, or take this file away"
    all_in(maps, files, f"no label of this name in {labels}", remedy)
    all_in(files, maps, f"no map of this name in {folder}")
    return files, None


def _subjects(
    files: dict[str, Path],
    masks: Masks | None,
    labelled: Mapping[str, Path | None] | None = None,
    values: LabelValues = EVERY,
) -> Iterator[ScoredSubject]:
    """The subjects by the names of their files, sorted; without labels healthy ones."""
    if masks is not None:
        masks.check(files)
    for stem, path in sorted(files.items()):
        score, affine = read_scores(path)
        wanted = {BRAIN: masks.files[stem] if masks else None, "label": labelled[stem] if labelled else None}
        mask, labels = (
            None if other is None else read_matching(other, path, score.shape, affine, what)
            for what, other in wanted.items()
        )
        yield subject(stem, str(path), score, voxel_size(affine), mask, labels, values)


def _calibrate(healthy: Iterable[ScoredSubject]) -> Calibration:
    """Thresholds from the score maps of healthy subjects."""
    calibrator = Calibrator()
    for each in healthy:
        brain = each.truth.brain
        calibrator.add(each.name, np.where(brain, each.final, np.float32(0)), brain)
    return calibrator.finish()
