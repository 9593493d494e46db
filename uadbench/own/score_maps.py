"""Evaluation of score maps, whatever made them: pooled metrics, and findings of subjects, slices and lesions."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from uadbench.core.errors import HarnessError
from uadbench.data.label_values import EVERY, LabelValues
from uadbench.evaluation.detection.detection_metrics import detection
from uadbench.evaluation.detection.findings import Calibration, Findings
from uadbench.evaluation.inference.collecting import HistogramCollector, LabelDigest, ScoredSubject, collect
from uadbench.evaluation.inference.doubts import DoubtCollector
from uadbench.evaluation.inference.findings_collector import FindingsCollector
from uadbench.evaluation.protocols.protocols import PROTOCOLS
from uadbench.evaluation.summary.tidy_results import numbers
from uadbench.evaluation.voxels.columns import voxel_text
from uadbench.evaluation.voxels.histogram import ScoreHistogram
from uadbench.evaluation.voxels.metrics import (
    WIDE,
    auroc,
    average_precision_bounds,
    best_dice_bounds,
    precision_bounds,
    turned,
)
from uadbench.own.patients import Patients, grouped

HALF = 0.5  # fraction of anomalous voxels above which labels are suspected to be inverted
SCORE = "final"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Evaluation of the final maps of a set of subjects by one protocol. masked: whether brain masks were given."""

    protocol: str
    histograms: HistogramCollector
    detections: FindingsCollector
    masked: bool
    digest: LabelDigest

    @property
    def histogram(self) -> ScoreHistogram:
        return self.histograms.histograms[self.protocol][SCORE]

    @cached_property
    def findings(self) -> Findings:
        return self.detections.finish()

    def summary(self) -> dict[str, Any]:
        """Metrics by name, JSON-serialisable.

        ap, dice, auroc, None where binning makes them `doubtful`, with their 95 % intervals over patients
        (`…_interval`, None for one patient and where binning dominates) and effective numbers of patients (`…_n_eff`),
        `ap_bounds` and `dice_bounds`, guaranteed bounds of the unbinned values (see `average_precision_bounds`; None
        for a Dice over fixed thresholds), the threshold of the best Dice, the chance AP, the numbers of subjects,
        voxels and positives, whether brain masks were given, the number of positives outside them, and the metrics of
        `detection_metrics.detection`.
        """
        histogram = self.histogram
        rows = {row["metric"]: row for row in numbers(histogram, self.protocol)}
        out: dict[str, Any] = {}
        for metric in ("ap", "dice", "auroc"):
            row = rows.get(metric)
            out[metric] = row and row["value"]
            out[f"{metric}_interval"] = row and _interval(row)
            out[f"{metric}_n_eff"] = row and _known(row["n_eff"])
        out["ap_bounds"] = list(average_precision_bounds(histogram))
        out["dice_bounds"] = None
        if PROTOCOLS[self.protocol].thresholds is None:
            out["dice_bounds"] = list(best_dice_bounds(histogram))
        out["threshold"] = rows["dice_threshold"]["value"] if rows else None
        out["chance_ap"] = histogram.positives / histogram.voxels
        out |= {
            "subjects": len(histogram.subjects),
            "patients": len(set(histogram.patients)),
            "voxels": histogram.voxels,
            "positives": histogram.positives,
        }
        out |= {"brain": self.masked, "positives_outside_brain": self.detections.outside}
        out["detection"] = {
            row["metric"]: {"value": row["value"], "interval": _interval(row), "n_eff": _known(row["n_eff"])}
            for row in detection(self.findings, histogram.patient_of, binned=bool(rows))
        }
        return out | {"protocol": self.protocol}

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Write PROTOCOL.npz and findings.npz, which `summarize` reads beside those of the harness's runs.

        about: the metadata `columns.META` but the digest of the test set, which identify method, task and run.
        """
        patients, voxels = self.histogram.patient_of, [voxel_text(sides) for sides in sorted(self.detections.sides)]
        voxel = " to ".join(dict.fromkeys((voxels[0], voxels[-1])))
        about = {**about, "test_set": self.digest.text, "voxel_mm": voxel}
        about |= {"patients": patients} if patients else {}
        self.histograms.save(folder, about)
        self.detections.save(folder, about)


def evaluate(
    subjects: Iterable[ScoredSubject],
    protocol: str = "full",
    calibration: Calibration | None = None,
    masked: bool = True,
    labels: str = "labels",
    values: LabelValues = EVERY,
    patients: Patients | None = None,
) -> Evaluation:
    """Evaluate the maps SCORE of subjects, at least one, each read once and in turn.

    protocol: selects the voxels to count. calibration: thresholds of healthy subjects. labels: where the labels are
    from, for messages. values: what their values mean. patients: who has several maps, see `patients.grouped`. Raises
    HarnessError for an unknown protocol, a map without a patient, a value that no label holds, and if no voxel is
    anomalous.
    """
    if not masked:
        print(
            "warning: no brain masks: air counts as brain, which raises AUROC and lowers chance; give brain masks",
            file=sys.stderr,
        )
    collectors = HistogramCollector([protocol]), FindingsCollector(calibration)
    evaluation = Evaluation(protocol, *collectors, masked, LabelDigest())
    doubts, rounding = DoubtCollector(), RoundingCollector()
    collect(evaluation.digest.passed(subjects), [*collectors, doubts, rounding])
    histogram, left_over = evaluation.histogram, values.left_over(doubts.voxels, labels)
    healthy = () if calibration is None else calibration.subjects
    histogram.patient_of = grouped(collectors[1].subjects, healthy, patients)
    if not histogram.positives:
        raise HarnessError(f"{labels}: no label has an anomalous voxel; nothing to find")
    _check_rounding(histogram, rounding.voxels)
    for note in filter(None, [left_over, *doubts.notes(), turned(auroc(histogram))]):
        print(f"warning: {note}", file=sys.stderr)
    if histogram.positives > HALF * histogram.voxels:
        share = histogram.positives / histogram.voxels
        print(f"warning: {labels}: {share:.0%} of the voxels are anomalous; are 0 and 1 swapped?", file=sys.stderr)
    return evaluation


class RoundingCollector:
    """Numbers of voxels by subject whose scores rounding to float32 made equal to others."""

    def __init__(self) -> None:
        self.voxels: Counter[str] = Counter()

    def add(self, subject: ScoredSubject) -> None:
        if subject.merged is not None:
            self.voxels[subject.name] = int(np.count_nonzero(subject.merged))


def saturated(kind: object) -> str:
    """What rounding did to scores of a type, and the remedy."""
    return (
        f"scores of type {kind} that are one number in float32; store scores before a function that saturates (logits, "
        "not a sigmoid of them), or their ranks"
    )


def _check_rounding(histogram: ScoreHistogram, merged: Counter[str]) -> None:
    """Raise HarnessError if rounding to float32 may change AP by more than WIDE; it names the map with most voxels."""
    _, negatives, positives = histogram.pooled()
    low, high = precision_bounds(negatives, positives, histogram.merged)
    if high - low > WIDE:
        ((worst, voxels),) = merged.most_common(1)
        raise HarnessError(
            f"map {worst}: AP may be {low:.3g} or {high:.3g}: {voxels} of its voxels have {saturated('64 bits')}"
        )


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _interval(row: dict[str, Any]) -> list[float] | None:
    return [row["low"], row["high"]] if np.isfinite(row["low"]) else None
