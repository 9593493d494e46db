"""Findings file: results of one run's final map for subjects, slices and lesions, beside the histograms."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from uadbench.core import study_folder
from uadbench.core.archive import FINDINGS
from uadbench.evaluation.voxels.columns import completed

if TYPE_CHECKING:
    import pandas as pd

SURFACE_RATE = 0.01  # fraction of healthy voxels at the threshold of surface metrics
TOLERANCE = 2.0  # mm, tolerance of the surface Dice


@dataclass(frozen=True)
class Findings:
    """Results of S test subjects, N slices with brain, L lesions and H healthy subjects, at K healthy rates.

    Voxels are those of the brain and of the label; outside of the brain scores are 0. K and H are 0 if no healthy
    subject was scored. Arrays of whole numbers are int64, of scores float32.
    """

    subjects: tuple[str, ...]
    spacing: float  # mm, side of a voxel
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
    wrong = (findings.flagged - findings.true) * findings.spacing**3 / 1000
    for k, rate in enumerate(findings.rates):
        either = findings.flagged[:, k] + findings.anomalous
        rows[f"dice@{rate:g}"] = np.where(
            findings.anomalous > 0, 2 * findings.true[:, k] / np.maximum(either, 1), np.nan
        )
        rows[f"false_positive_ml@{rate:g}"] = wrong[:, k]
        rows[f"false_positives@{rate:g}"] = findings.alarms[:, k]
    return rows


PLAIN = ("subjects", "spacing")  # stored in the header
ARRAYS = tuple(field.name for field in fields(Findings) if field.name not in PLAIN)


def save(path: str | os.PathLike[str], findings: Findings, meta: Mapping[str, Any]) -> None:
    """Write findings and JSON-serialisable metadata that identify the run to one .npz file, atomically."""
    arrays = {name: getattr(findings, name) for name in ARRAYS}
    FINDINGS.save(path, arrays, meta=dict(meta), **{name: getattr(findings, name) for name in PLAIN})


def load(path: str | os.PathLike[str]) -> tuple[Findings, dict[str, Any]]:
    """The findings and the metadata given to `save`. Raises HarnessError if the file was not written by `save`."""
    with FINDINGS.opened(path) as (header, stored):
        arrays = {name: stored[name] for name in ARRAYS}
        return Findings(tuple(header["subjects"]), float(header["spacing"]), **arrays), completed(header["meta"])


def beside(path: str | os.PathLike[str]) -> Path:
    """Path of the findings of the run with histograms in the file `path`."""
    return Path(path).with_name(study_folder.FINDINGS)
