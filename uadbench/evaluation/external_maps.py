"""Evaluation of external score maps: pooled metrics, and findings of subjects, slices and lesions."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from uadbench.errors import HarnessError
from uadbench.evaluation import findings
from uadbench.evaluation.collecting import Collector
from uadbench.evaluation.detection_metrics import detection
from uadbench.evaluation.findings import Findings
from uadbench.evaluation.histogram import ScoreHistogram, save
from uadbench.evaluation.labels import EVERY, LabelValues
from uadbench.evaluation.map_files import all_in, nifti_files, read_matching, read_scores
from uadbench.evaluation.metrics import average_precision_bounds, best_dice_bounds
from uadbench.evaluation.operating_points import Calibration, Calibrator
from uadbench.evaluation.protocols import Truth
from uadbench.evaluation.protocols import protocol as named
from uadbench.evaluation.scores import check_scores
from uadbench.evaluation.test_set import LabelDigest
from uadbench.evaluation.tidy_results import numbers
from uadbench.evaluation.upd_resize import voxel_size

ALIKE = 0.01  # largest relative difference of voxel volumes between subjects for lesion metrics
HALF = 0.5  # fraction of anomalous voxels above which labels are suspected to be inverted
SCORE = "final"


@dataclass(frozen=True)
class Evaluation:
    """Evaluation of a folder of score maps.

    findings: None if voxel sizes differ between subjects. masked: whether brain masks were given.
    """

    protocol: str
    histogram: ScoreHistogram
    findings: Findings | None
    masked: bool
    outside: int  # anomalous voxels outside of the brain masks, which count as missed
    test_set: str  # digest of the labels, see `test_set`

    def summary(self, resamples: int = 1000, seed: int = 0) -> dict[str, Any]:
        """Content printed by the command `evaluate`; see `evaluate_maps`."""
        histogram = self.histogram
        rows = {row["metric"]: row for row in numbers(histogram, self.protocol, resamples, seed)}
        out: dict[str, Any] = {}
        for metric in ("ap", "dice", "auroc"):
            row = rows.get(metric)
            out[metric] = row and row["value"]
            out[f"{metric}_interval"] = [row["low"], row["high"]] if row and np.isfinite(row["low"]) else None
        out["ap_bounds"] = list(average_precision_bounds(histogram))
        out["dice_bounds"] = None
        if named(self.protocol).thresholds is None:
            out["dice_bounds"] = list(best_dice_bounds(histogram))
        out["threshold"] = rows["dice_threshold"]["value"]
        out["chance_ap"] = histogram.positives / histogram.voxels
        out |= {"subjects": len(histogram.subjects), "voxels": histogram.voxels, "positives": histogram.positives}
        out |= {"brain": self.masked, "positives_outside_brain": self.outside}
        if self.findings is not None:
            out["detection"] = {
                row["metric"]: {"value": row["value"], "interval": _interval(row)}
                for row in detection(self.findings, resamples, seed)
            }
        return out | {"protocol": self.protocol, "resamples": resamples, "seed": seed}

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Write PROTOCOL.npz and findings.npz, which `summarize` reads beside those of the harness's runs.

        about: the metadata `columns.META` but the digest of the test set, which identify method, task and run.
        """
        about = {**about, "test_set": self.test_set}
        folder.mkdir(parents=True, exist_ok=True)
        save(folder / f"{self.protocol}.npz", {SCORE: self.histogram}, {**about, "protocol": self.protocol})
        if self.findings is not None:
            findings.save(folder / findings.NAME, self.findings, about)


def evaluate_maps(
    maps: Path, labels: Path, brain: Path | None = None, protocol: str = "full", resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Metrics of the score maps in folder `maps` against the labels (anomalous where > 0) of the same names.

    Returns ap, dice, auroc with their 95 % bootstrap intervals over subjects (`…_interval`, None for one subject and
    where binning dominates), `ap_bounds` and `dice_bounds`, guaranteed bounds of the unbinned values (see
    `average_precision_bounds`; None for a Dice over fixed thresholds), the threshold of the best Dice, the chance AP,
    the numbers of subjects, voxels and positives, whether brain masks were given, the number of positives outside
    them, and the metrics of `detection.detection`. Raises HarnessError like `evaluate`.
    """
    return evaluate(maps, labels, brain, protocol).summary(resamples, seed)


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
    histogram, how = ScoreHistogram(), named(protocol)
    collector: Collector | None = None
    sizes: list[float] = []
    outside, digest = 0, LabelDigest()
    for stem, path in sorted(scored.items()):
        score, affine = read_scores(path)
        found_labels = read_matching(labelled[stem], path, score.shape, affine)
        classes = values.classes(found_labels)
        inside = values.counted(found_labels, _inside(masks, stem, path, score, affine))
        digest.add(stem, classes, inside)
        spacing = voxel_size(affine)
        histogram.name = str(path)
        region = how.region(Truth(stem, classes, inside, spacing))
        histogram.add(stem, region.scores(score), region.labels)
        sizes.append(float(np.prod(spacing)))
        collector = collector or Collector(spacing, calibration)
        collector.add(stem, np.where(inside, score, np.float32(0)), classes > 0, inside)
        outside += int(np.count_nonzero(classes[~inside]))
    if not histogram.positives:
        raise HarnessError(f"{labels}: no label has an anomalous voxel; nothing to find")
    if histogram.positives > HALF * histogram.voxels:
        share = histogram.positives / histogram.voxels
        print(f"warning: {labels}: {share:.0%} of the voxels are anomalous; are 0 and 1 swapped?", file=sys.stderr)
    found = None if collector is None else collector.finish()
    if max(sizes) > (1 + ALIKE) * min(sizes):
        print(f"warning: {maps}: voxel sizes differ; lesions and subjects are not measured", file=sys.stderr)
        found = None
    return Evaluation(protocol, histogram, found, masks is not None, outside, digest.text)


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


def _interval(row: dict[str, Any]) -> list[float] | None:
    return [row["low"], row["high"]] if np.isfinite(row["low"]) else None
