"""Findings file: results of one run's final map for subjects, slices and lesions, beside the histograms.

Operating points need no labels: they are thresholds that a known fraction of healthy brain voxels reaches.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from uadbench.core import study_folder
from uadbench.core.archive import FINDINGS
from uadbench.evaluation.voxels.bins import decode
from uadbench.evaluation.voxels.columns import completed
from uadbench.evaluation.voxels.histogram import ScoreHistogram

if TYPE_CHECKING:
    import pandas as pd

SURFACE_RATE = 0.01  # fraction of healthy voxels at the threshold of surface metrics
TOLERANCE = 2.0  # mm, least tolerance of the surface Dice


def tolerance(sides: Sequence[float]) -> float:
    """Tolerance in mm of the surface Dice with voxels of `sides` mm: at least the longest side.

    Below it, surfaces that are drawn in voxels agree exactly or not at all.
    """
    return max(TOLERANCE, *sides)


def _none() -> Any:
    """Default of an array that files of earlier versions lack."""
    return field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class Findings:
    """Results of S test subjects, N slices with brain, L lesions and H healthy subjects, at K healthy rates.

    Voxels are those of the brain and of the label; outside of the brain scores are 0. K and H are 0 if no healthy
    subject was scored. Arrays of whole numbers are int64, of scores float32.
    """

    subjects: tuple[str, ...]
    spacing: float | tuple[float, ...]  # mm, side of a cube of the volume of a voxel; (S,) where subjects differ
    voxels: np.ndarray  # (S,) of brain and label
    anomalous: np.ndarray  # (S,) anomalous ones among them
    outside: np.ndarray  # (S,) anomalous voxels outside of the brain, which are missed
    ap: np.ndarray  # (S,) float64, average precision within the subject; NaN without an anomalous voxel
    dice: np.ndarray  # (S,) float64, greatest Dice over all thresholds within the subject; NaN likewise
    hd95: np.ndarray  # (S,) float64 mm, at the threshold of SURFACE_RATE, see `surfaces`; NaN likewise
    surface_dice: np.ndarray  # (S,) float64, likewise
    region_normal: np.ndarray  # (B,) float64, normal voxels of all subjects by score, ascending, see `regions`
    region_lesions: np.ndarray  # (B,) float64, lesions by score, each of weight 1
    peaks: np.ndarray  # (S,) maximum score
    summaries: np.ndarray  # (S,) subject scores, see `operating_points.summary`
    slice_subjects: np.ndarray  # (N,) index of the subject
    slice_peaks: np.ndarray  # (N,) maximum score
    slice_anomalous: np.ndarray  # (N,) bool, any anomalous voxel
    rates: np.ndarray  # (K,) float64, healthy rates, descending
    thresholds: np.ndarray  # (K,) thresholds that these fractions of healthy voxels reach
    flagged: np.ndarray  # (S, K) voxels at or above each threshold
    true: np.ndarray  # (S, K) anomalous ones among them
    alarms: np.ndarray  # (S, K) false positives; `lesions.detect` defines these, lesions and candidates
    lesion_subjects: np.ndarray  # (L,) index of the subject
    lesion_voxels: np.ndarray  # (L,) voxels of the lesion
    lesion_found: np.ndarray  # (L, K) bool, matched with a candidate
    healthy_summaries: np.ndarray  # (H,) subject scores
    # Empty in files of earlier versions:
    healthy_subjects: tuple[str, ...] = ()  # (H,)
    curve_scores: np.ndarray = (
        _none()
    )  # (E,) descending; lesions found and false positives by threshold, see `froc_curve.Curve`
    curve_scans: np.ndarray = _none()  # (E,) index of the subject
    curve_found: np.ndarray = _none()  # (E,)
    curve_alarms: np.ndarray = _none()  # (E,)
    equal_rates: np.ndarray = _none()  # (R,) float64, fractions of the normal voxels of all subjects
    equal_thresholds: np.ndarray = _none()  # (R,) thresholds that these fractions of them reach
    equal_found: np.ndarray = _none()  # (S, R) lesions found there

    @property
    def voxel_volumes(self) -> np.ndarray:
        """Volume in mm³ of a voxel of each subject: (S,) float64."""
        sides = self.spacing if isinstance(self.spacing, tuple) else (self.spacing,) * len(self.subjects)
        return np.array([side**3 for side in sides])


def by_subject(findings: Findings) -> pd.DataFrame:
    """A row for each subject: voxels, AP, Dice and, at each healthy rate R, Dice and false positives (`dice@R`, …)."""
    import pandas as pd

    rows = pd.DataFrame(
        {
            "subject": findings.subjects,
            "voxels": findings.voxels,
            "anomalous": findings.anomalous,
            "outside_brain": findings.outside,
            "ap": findings.ap,
            "dice": findings.dice,
            "highest": findings.peaks,
            "hd95_healthy1": findings.hd95,
            "surface_dice_healthy1": findings.surface_dice,
        }
    )
    wrong = (findings.flagged - findings.true) * findings.voxel_volumes[:, None] / 1000
    for k, rate in enumerate(findings.rates):
        either = findings.flagged[:, k] + findings.anomalous
        rows[f"dice@{rate:g}"] = np.where(
            findings.anomalous > 0, 2 * findings.true[:, k] / np.maximum(either, 1), np.nan
        )
        rows[f"false_positive_ml@{rate:g}"] = wrong[:, k]
        rows[f"false_positives@{rate:g}"] = findings.alarms[:, k]
    return rows


PLAIN = ("subjects", "spacing", "healthy_subjects")  # stored in the header
ARRAYS = tuple(each.name for each in fields(Findings) if each.name not in PLAIN)
LATER = tuple(name for name in ARRAYS if name.startswith(("curve_", "equal_")))  # which earlier versions lack


def save(path: str | os.PathLike[str], findings: Findings, meta: Mapping[str, Any]) -> None:
    """Write findings and JSON-serialisable metadata that identify the run to one .npz file, atomically."""
    arrays = {name: getattr(findings, name) for name in ARRAYS}
    FINDINGS.save(path, arrays, meta=dict(meta), **{name: getattr(findings, name) for name in PLAIN})


def load(path: str | os.PathLike[str]) -> tuple[Findings, dict[str, Any]]:
    """The findings and the metadata given to `save`. Raises HarnessError if the file was not written by `save`."""
    with FINDINGS.opened(path) as (header, stored):
        arrays = {name: stored[name] for name in ARRAYS if name in stored or name not in LATER}
        healthy = tuple(header.get("healthy_subjects", ()))
        spacing = tuple(sides) if isinstance(sides := header["spacing"], list) else float(sides)
        found = Findings(tuple(header["subjects"]), spacing, **arrays, healthy_subjects=healthy)
        return found, completed(header["meta"])


def beside(path: str | os.PathLike[str]) -> Path:
    """Path of the findings of the run with histograms in the file `path`."""
    return Path(path).with_name(study_folder.FINDINGS)


RATES = (0.05, 0.02, 0.01, 0.005, 0.001, 0.0001)  # fractions of healthy brain voxels at or above a threshold
QUANTILE = 0.99  # of a brain's scores, see `summary`


@dataclass(frozen=True)
class Calibration:
    """Thresholds and subject scores of healthy subjects held out from training.

    thresholds (rates,) float32 rise as `rates` fall; summaries (subjects,) float32 are the subject scores.
    """

    rates: np.ndarray
    thresholds: np.ndarray
    subjects: tuple[str, ...]
    summaries: np.ndarray


class Calibrator:
    """Collects healthy subjects one by one in constant memory."""

    def __init__(self) -> None:
        self.histogram = ScoreHistogram("final")
        self.subjects: list[str] = []
        self.summaries: list[float] = []

    def add(self, subject: str, score: np.ndarray, brain: np.ndarray) -> None:
        """Count a healthy subject: score map (D, H, W) float32, 0 outside the brain (D, H, W) bool."""
        inside = score[brain]
        self.histogram.add(subject, inside, np.zeros(inside.size, bool))
        self.subjects.append(subject)
        self.summaries.append(summary(inside))

    def finish(self) -> Calibration:
        """The calibration by all subjects so far; ValueError if no voxel was counted."""
        rates = np.array(RATES)
        thresholds = thresholds_at(self.histogram, rates)
        return Calibration(rates, thresholds, tuple(self.subjects), np.array(self.summaries, np.float32))


def thresholds_at(healthy: ScoreHistogram, rates: np.ndarray) -> np.ndarray:
    """The lowest thresholds (rates,) float32 that at most these fractions of healthy voxels reach (score ≥ threshold).

    If more voxels than that have the maximum score, as in a saturated map, the threshold is the next number above it,
    so that no healthy voxel is classified as anomalous. Thresholds are above 0 for rates below 1. They are edges of the
    histogram's bins, so exact to a bin. Raises ValueError without a voxel.
    """
    edges, counts, _ = healthy.pooled()
    return thresholds_of(edges, counts, healthy.grid.highest, rates)


def thresholds_of(edges: np.ndarray, counts: np.ndarray, highest: int, rates: np.ndarray) -> np.ndarray:
    """The same of `counts` (bins,) of voxels with scores from `edges` (bins,) on, ascending, to that of a code."""
    if not counts.sum():
        raise ValueError("no healthy voxel was counted")
    reached = np.cumsum(counts[::-1])[::-1] / counts.sum()
    top = decode(np.array([highest]))[0]
    edges = np.append(_up(edges), np.nextafter(np.float32(top), np.float32(np.inf)))
    reached = np.append(reached, 0.0)
    return edges[[int(np.argmax(reached <= rate)) for rate in rates]]


def summary(scores: np.ndarray) -> float:
    """Subject score: the 99th percentile of the scores of its brain voxels (n,); 0 without a voxel.

    The maximum of a million voxels depends on a single artefact or on saturation; the 99th percentile depends on about
    1 % of a brain, so that much smaller lesions hardly affect it.
    """
    return float(np.quantile(scores, QUANTILE)) if scores.size else 0.0


def slice_peaks(score: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Maximum score (slices,) float32 of each axial slice with brain; `score` is 0 outside the brain."""
    return score.max(axis=(1, 2))[brain.any(axis=(1, 2))].astype(np.float32)


def _up(values: np.ndarray) -> np.ndarray:
    """Float64 values rounded up to float32, so that the same float32 scores reach them."""
    rounded = values.astype(np.float32)
    return np.where(rounded < values, np.nextafter(rounded, np.float32(np.inf)), rounded)
