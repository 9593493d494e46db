"""Metrics of subjects, slices and lesions, and at thresholds set without labels, from one run's findings.

All except counts and thresholds have 95 % bootstrap intervals over subjects. Thresholds are those that a known fraction
of healthy brain voxels reaches (`calibration`): metrics at them estimate the performance in a clinic without
annotations, if its scans resemble the healthy ones. `voxel_fpr` measures how far the test set deviates from these.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from uadbench.evaluation.detection.findings import Findings
from uadbench.evaluation.detection.regions import aupro
from uadbench.evaluation.voxels.bootstrap import LEVEL, bootstrap_all, resampling_weights
from uadbench.evaluation.voxels.histogram import ScoreHistogram
from uadbench.evaluation.voxels.metrics import ranked

SIZES = {"0-1ml": (0.0, 1.0), "1-10ml": (1.0, 10.0), "10-100ml": (10.0, 100.0), "100ml+": (100.0, np.inf)}
DICE_RATES = {"dice_healthy5": 0.05, "dice_healthy1": 0.01}

Row = dict[str, Any]


def detection(findings: Findings, resamples: int = 1000, seed: int = 0, patients: Mapping[str, str] = {}) -> list[Row]:
    """Rows with metric, value, low and high (NaN without interval); undefined metrics have no row.

    patients: by subject, of those with several scans, which are resampled together.

    Means over subjects with an anomalous voxel: `subject_ap`, `subject_dice` (greatest over thresholds), and those of
    subjects by volume of their anomalous voxels, `subject_ap/1-10ml`.
    `dice_healthy5`, `dice_healthy1`: Dice of all voxels pooled at the thresholds that 5 % and 1 % of healthy voxels
    reach; `subject_dice_healthy1`: the mean over subjects. `subject_hd95_healthy1` in mm and
    `subject_surface_dice_healthy1`: means of the metrics of `surfaces` at that threshold. `aupro`: area under the
    per-region overlap, see `regions`, without an interval. `outside_brain`: fraction of the anomalous voxels that
    lie outside of the brain, which count as missed everywhere.
    `slice_auroc`, `slice_ap`: slices with brain, anomalous with any anomalous voxel, by their maximum score. Chance of
    the former is above 0.5: slices with more brain hold more anomalies and have a higher maximum of any score, noise
    included; `slice_chance`, the fraction of anomalous slices, is that of the latter.
    `subject_auroc`: test subjects with an anomaly against healthy validation subjects, by `calibration.summary`. The
    latter come from another cohort: scanner, age and preprocessing, not only lesions, separate the two.
    At each healthy rate R: `threshold@R`; `voxel_fpr@R`, fraction of the test set's normal voxels that reach it;
    `sensitivity@R`, fraction of the lesions detected, and likewise of lesions by size, `sensitivity@R/1-10ml` (from the
    lower bound to below the upper one); `false_positives@R` per subject, `false_positive_ml@R`, volume of all voxels at
    or above the threshold outside of the label; `lesion_f1@R`, 2 × found / (lesions + found + false positives). Lesions
    and false positives are those of `lesions.detect`, matched one to one. `lesions`, `lesions/1-10ml`: their numbers.
    """
    people = [patients.get(subject, subject) for subject in findings.subjects]
    healthy = [patients.get(subject, subject) for subject in findings.healthy_subjects]
    healthy = healthy or [str(number) for number in range(len(findings.healthy_summaries))]
    draws = _Draws(people, resamples, seed)
    found = findings.anomalous > 0
    rows = [
        *draws.ratio("subject_ap", np.where(found, findings.ap, 0), found),
        *draws.ratio("subject_dice", np.where(found, findings.dice, 0), found),
        *_by_volume(findings, draws),
        *draws.ratio("outside_brain", findings.outside, findings.anomalous),
        *_dice(findings, draws),
        *_surfaces(findings, draws),
        *_slices(findings, resamples, seed, patients),
        *_subjects(findings, resamples, seed, people, healthy),
    ]
    for k, rate in enumerate(findings.rates):
        normal = findings.voxels - findings.anomalous
        rows.append(_row(f"threshold@{rate:g}", float(findings.thresholds[k])))
        rows += draws.ratio(f"voxel_fpr@{rate:g}", findings.flagged[:, k] - findings.true[:, k], normal)
        rows += draws.ratio(f"false_positives@{rate:g}", findings.alarms[:, k], np.ones(len(normal)))
        wrong = (findings.flagged[:, k] - findings.true[:, k]) * findings.spacing**3 / 1000
        rows += draws.ratio(f"false_positive_ml@{rate:g}", wrong, np.ones(len(normal)))
    return rows + [row for part in (None, *SIZES) for row in _lesions(findings, part, draws)]


def exact_auroc(negatives: np.ndarray, positives: np.ndarray) -> float:
    """Probability that one of the scores `positives` (n,) exceeds one of `negatives` (m,), ties counting half."""
    ordered = np.sort(negatives)
    below, upto = (np.searchsorted(ordered, positives, side).sum() for side in ("left", "right"))  # type: ignore[call-overload]
    return float((below + upto) / 2 / (len(negatives) * len(positives)))


class _Draws:
    """The same resamples of the subjects for every ratio."""

    def __init__(self, patients: Sequence[Hashable], resamples: int, seed: int) -> None:
        enough = resamples and len(set(patients)) > 1
        self.weights = resampling_weights(patients, resamples, seed) if enough else None

    def ratio(self, metric: str, numerator: np.ndarray, denominator: np.ndarray) -> Iterator[Row]:
        """Row of the ratio of two sums over subjects (S,); omits a ratio, or resample, whose denominator is 0."""
        if not denominator.sum() > 0:
            return
        interval = None
        if self.weights is not None:
            below = self.weights @ denominator
            interval = _interval((self.weights @ numerator)[below > 0] / below[below > 0])
        yield _row(metric, float(numerator.sum() / denominator.sum()), interval)


def _by_volume(findings: Findings, draws: _Draws) -> Iterator[Row]:
    """Mean AP and greatest Dice of subjects, by volume of their anomalous voxels."""
    volume = findings.anomalous * findings.spacing**3 / 1000
    for part, (low, high) in SIZES.items():
        chosen = (findings.anomalous > 0) & (volume >= low) & (volume < high)
        for metric, values in (("subject_ap", findings.ap), ("subject_dice", findings.dice)):
            yield from draws.ratio(f"{metric}/{part}", np.where(chosen, values, 0), chosen)


def _dice(findings: Findings, draws: _Draws) -> Iterator[Row]:
    """Dice at healthy thresholds, of all voxels pooled and as the mean over subjects."""
    found = findings.anomalous > 0
    if not found.any():
        return
    for metric, rate in DICE_RATES.items():
        for k in np.flatnonzero(np.isclose(findings.rates, rate)):
            both, either = 2 * findings.true[:, k], findings.flagged[:, k] + findings.anomalous
            yield from draws.ratio(metric, both, either)
            yield from draws.ratio(f"subject_{metric}", np.where(found, both / np.maximum(either, 1), 0), found)


def _surfaces(findings: Findings, draws: _Draws) -> Iterator[Row]:
    """Per-region overlap, and surface distances at the healthy threshold."""
    area = aupro(findings.region_normal, findings.region_lesions)
    if area is not None:
        yield _row("aupro", area)
    measured = np.isfinite(findings.hd95)
    for name, values in (("hd95", findings.hd95), ("surface_dice", findings.surface_dice)):
        yield from draws.ratio(f"subject_{name}_healthy1", np.where(measured, values, 0), measured)


def _slices(findings: Findings, resamples: int, seed: int, patients: Mapping[str, str]) -> Iterator[Row]:
    label, peaks = findings.slice_anomalous, findings.slice_peaks
    if not label.any() or label.all():
        return
    histogram = ScoreHistogram("slices")
    histogram.patient_of = patients
    for number, subject in enumerate(findings.subjects):
        own = findings.slice_subjects == number
        histogram.add(subject, peaks[own], label[own])
    intervals = bootstrap_all(histogram, ("auroc", "ap"), resamples, seed) if resamples else {}
    yield _row("slice_auroc", exact_auroc(peaks[~label], peaks[label]), intervals.get("auroc"))
    yield _row("slice_ap", ranked(peaks, label)[0], intervals.get("ap"))
    yield _row("slice_chance", float(label.mean()))


def _subjects(
    findings: Findings, resamples: int, seed: int, people: Sequence[str], well: Sequence[str]
) -> Iterator[Row]:
    ill, healthy = findings.summaries[findings.anomalous > 0], findings.healthy_summaries
    if not len(ill) or not len(healthy):
        return
    patients = [people[number] for number in np.flatnonzero(findings.anomalous > 0)]
    interval = None
    if resamples and len(set(patients)) > 1 and len(set(well)) > 1:  # each group is resampled separately
        won = (ill[:, None] > healthy) + 0.5 * (ill[:, None] == healthy)
        drawn, others = resampling_weights(patients, resamples, seed), resampling_weights(well, resamples, seed + 1)
        interval = _interval((drawn @ won * others).sum(axis=1) / (drawn.sum(axis=1) * others.sum(axis=1)))
    yield _row("subject_auroc", exact_auroc(healthy, ill), interval)


def _lesions(findings: Findings, part: str | None, draws: _Draws) -> Iterator[Row]:
    """Number of lesions and sensitivity at every rate, of all lesions or those of one size."""
    volume = findings.lesion_voxels * findings.spacing**3 / 1000  # ml
    low, high = SIZES[part] if part else (0.0, np.inf)
    chosen = (volume >= low) & (volume < high)
    suffix = f"/{part}" if part else ""
    number = np.bincount(findings.lesion_subjects[chosen], minlength=len(findings.subjects))
    if not number.any():
        return
    yield _row(f"lesions{suffix}", float(number.sum()))
    for k, rate in enumerate(findings.rates):
        hits = np.bincount(findings.lesion_subjects[chosen & findings.lesion_found[:, k]], minlength=len(number))
        yield from draws.ratio(f"sensitivity@{rate:g}{suffix}", hits, number)
        if part is None:
            yield from draws.ratio(f"lesion_f1@{rate:g}", 2 * hits, number + hits + findings.alarms[:, k])


def _interval(drawn: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _row(metric: str, value: float, interval: tuple[float, float] | None = None) -> Row:
    low, high = interval or (np.nan, np.nan)
    return {"metric": metric, "value": value, "low": low, "high": high}
