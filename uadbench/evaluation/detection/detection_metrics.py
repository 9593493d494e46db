"""Metrics of subjects, slices and lesions, and at thresholds set without labels, from one run's findings.

All except counts, thresholds and AUPRO have 95 % intervals over subjects (`jackknife`). Thresholds are those that a
known fraction of healthy brain voxels reaches (`calibration`): metrics at them estimate the performance in a clinic
without annotations, if its scans resemble the healthy ones. `voxel_fpr` measures how far the test set deviates from
these.
"""

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from uadbench.evaluation.detection.findings import Findings
from uadbench.evaluation.detection.froc_curve import FALSE_POSITIVES, Curve
from uadbench.evaluation.detection.regions import aupro
from uadbench.evaluation.voxels import jackknife
from uadbench.evaluation.voxels.histogram import ScoreHistogram
from uadbench.evaluation.voxels.jackknife import NONE, Interval
from uadbench.evaluation.voxels.metrics import ranked

SIZES = {"0-1ml": (0.0, 1.0), "1-10ml": (1.0, 10.0), "10-100ml": (10.0, 100.0), "100ml+": (100.0, np.inf)}
BINNED = "aupro|(?<!^froc)@|_healthy"  # metrics that bins of scores decide
DICE_RATES = {"dice_healthy5": 0.05, "dice_healthy1": 0.01}

Row = dict[str, Any]


def detection(findings: Findings, patients: Mapping[str, str] = {}, binned: bool = True) -> list[Row]:
    """Rows with metric, value, low, high and n_eff (NaN without interval); undefined metrics have no row.

    patients: by subject, of those with several scans, who are left out as one. binned: with what the bins of scores
    decide, AUPRO and all at thresholds of healthy subjects, which is meaningless where the scores share a few bins.

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
    `sensitivity_equal@R`: the same sensitivity at the threshold that a fraction R of the test set's own normal voxels
    reaches, so that all methods are compared at one rate. `froc@F`: sensitivity at F false positives a scan, see the
    module `froc`, and `froc`, the mean over FALSE_POSITIVES, both without an interval.
    """
    people = [patients.get(subject, subject) for subject in findings.subjects]
    healthy = [patients.get(subject, subject) for subject in findings.healthy_subjects]
    healthy = healthy or [str(number) for number in range(len(findings.healthy_summaries))]
    ratios = _Ratios(people)
    found = findings.anomalous > 0
    rows = [
        *ratios.mean("subject_ap", findings.ap, found),
        *ratios.mean("subject_dice", findings.dice, found),
        *_by_volume(findings, ratios),
        *ratios.pooled("outside_brain", findings.outside, findings.anomalous),
        *_dice(findings, ratios),
        *_surfaces(findings, ratios),
        *_slices(findings, patients),
        *_subjects(findings, people, healthy),
    ]
    for k, rate in enumerate(findings.rates):
        normal = findings.voxels - findings.anomalous
        rows.append(_row(f"threshold@{rate:g}", float(findings.thresholds[k])))
        rows += ratios.pooled(f"voxel_fpr@{rate:g}", findings.flagged[:, k] - findings.true[:, k], normal)
        rows += ratios.mean(f"false_positives@{rate:g}", findings.alarms[:, k])
        wrong = (findings.flagged[:, k] - findings.true[:, k]) * findings.voxel_volumes / 1000
        rows += ratios.mean(f"false_positive_ml@{rate:g}", wrong)
    rows += _all_thresholds(findings, ratios)
    rows += [row for part in (None, *SIZES) for row in _lesions(findings, part, ratios)]
    return [row for row in rows if binned or not re.search(BINNED, row["metric"])]


def exact_auroc(negatives: np.ndarray, positives: np.ndarray) -> float:
    """Probability that one of the scores `positives` (n,) exceeds one of `negatives` (m,), ties counting half."""
    ordered = np.sort(negatives)
    below, upto = (np.searchsorted(ordered, positives, side).sum() for side in ("left", "right"))  # type: ignore[call-overload]
    return float((below + upto) / 2 / (len(negatives) * len(positives)))


@dataclass(frozen=True)
class _Ratios:
    """Ratios of sums over subjects, of these patients."""

    patients: Sequence[Hashable]

    def pooled(self, metric: str, numerator: np.ndarray, denominator: np.ndarray, mean: bool = False) -> Iterator[Row]:
        """Row of the ratio of two sums over subjects (S,); none where the denominator is 0. mean: see `ratio`."""
        if denominator.sum() > 0:
            interval = jackknife.ratio(numerator, denominator, self.patients, mean)
            yield _row(metric, float(numerator.sum() / denominator.sum()), interval)

    def mean(self, metric: str, values: np.ndarray, of: np.ndarray | None = None) -> Iterator[Row]:
        """Row of the mean of values (S,) over all subjects, or over some, (S,) bool."""
        chosen = np.ones(len(values), bool) if of is None else of
        yield from self.pooled(metric, np.where(chosen, values, 0), chosen, mean=True)


def _by_volume(findings: Findings, ratios: _Ratios) -> Iterator[Row]:
    """Mean AP and greatest Dice of subjects, by volume of their anomalous voxels."""
    volume = findings.anomalous * findings.voxel_volumes / 1000
    for part, (low, high) in SIZES.items():
        chosen = (findings.anomalous > 0) & (volume >= low) & (volume < high)
        for metric, values in (("subject_ap", findings.ap), ("subject_dice", findings.dice)):
            yield from ratios.mean(f"{metric}/{part}", values, chosen)


def _dice(findings: Findings, ratios: _Ratios) -> Iterator[Row]:
    """Dice at healthy thresholds, of all voxels pooled and as the mean over subjects."""
    found = findings.anomalous > 0
    if not found.any():
        return
    for metric, rate in DICE_RATES.items():
        for k in np.flatnonzero(np.isclose(findings.rates, rate)):
            both, either = 2 * findings.true[:, k], findings.flagged[:, k] + findings.anomalous
            yield from ratios.pooled(metric, both, either)
            yield from ratios.mean(f"subject_{metric}", both / np.maximum(either, 1), found)


def _surfaces(findings: Findings, ratios: _Ratios) -> Iterator[Row]:
    """Per-region overlap, and surface distances at the healthy threshold."""
    area = aupro(findings.region_normal, findings.region_lesions)
    if area is not None:
        yield _row("aupro", area)
    measured = np.isfinite(findings.hd95)
    for name, values in (("hd95", findings.hd95), ("surface_dice", findings.surface_dice)):
        yield from ratios.mean(f"subject_{name}_healthy1", values, measured)


def _slices(findings: Findings, patients: Mapping[str, str]) -> Iterator[Row]:
    label, peaks = findings.slice_anomalous, findings.slice_peaks
    if not label.any() or label.all():
        return
    histogram = ScoreHistogram("slices")
    histogram.patient_of = patients
    for number, subject in enumerate(findings.subjects):
        own = findings.slice_subjects == number
        histogram.add(subject, peaks[own], label[own])
    intervals = jackknife.of_histogram(histogram, ("auroc", "ap"))
    yield _row("slice_auroc", exact_auroc(peaks[~label], peaks[label]), intervals["auroc"])
    yield _row("slice_ap", ranked(peaks, label)[0], intervals["ap"])
    yield _row("slice_chance", float(label.mean()))


def _subjects(findings: Findings, people: Sequence[str], well: Sequence[str]) -> Iterator[Row]:
    ill, healthy = findings.summaries[findings.anomalous > 0], findings.healthy_summaries
    if not len(ill) or not len(healthy):
        return
    patients = [people[number] for number in np.flatnonzero(findings.anomalous > 0)]
    won = (ill[:, None] > healthy) + 0.5 * (ill[:, None] == healthy)
    # Two independent groups: the share won by each patient, and against each healthy subject.
    left_out = (
        jackknife.ratio_left_out(won.mean(axis=1 - axis), np.ones(len(group)), group)
        for axis, group in enumerate((patients, well))
    )
    interval = jackknife.pooled(float(won.mean()), *left_out)
    yield _row("subject_auroc", exact_auroc(healthy, ill), interval)


def _lesions(findings: Findings, part: str | None, ratios: _Ratios) -> Iterator[Row]:
    """Number of lesions and sensitivity at every rate, of all lesions or those of one size."""
    volume = findings.lesion_voxels * findings.voxel_volumes[findings.lesion_subjects] / 1000  # ml
    low, high = SIZES[part] if part else (0.0, np.inf)
    chosen = (volume >= low) & (volume < high)
    suffix = f"/{part}" if part else ""
    number = np.bincount(findings.lesion_subjects[chosen], minlength=len(findings.subjects))
    if not number.any():
        return
    yield _row(f"lesions{suffix}", float(number.sum()))
    for k, rate in enumerate(findings.rates):
        hits = np.bincount(findings.lesion_subjects[chosen & findings.lesion_found[:, k]], minlength=len(number))
        yield from ratios.pooled(f"sensitivity@{rate:g}{suffix}", hits, number)
        if part is None:
            yield from ratios.pooled(f"lesion_f1@{rate:g}", 2 * hits, number + hits + findings.alarms[:, k])


def _all_thresholds(findings: Findings, ratios: _Ratios) -> Iterator[Row]:
    """Sensitivity at rates of the test set's normal voxels, and at numbers of false positives a scan."""
    scans, lesions = len(findings.subjects), len(findings.lesion_subjects)
    number = np.bincount(findings.lesion_subjects, minlength=scans)
    for k, rate in enumerate(findings.equal_rates):
        yield from ratios.pooled(f"sensitivity_equal@{rate:g}", findings.equal_found[:, k], number)
    if findings.equal_rates.size and lesions:  # not in files of earlier versions
        curve = Curve(*(getattr(findings, f"curve_{name}") for name in ("scores", "scans", "found", "alarms")))
        found = curve.sensitivities(scans, lesions)
        yield _row("froc", float(found.mean()))
        for alarms, sensitivity in zip(FALSE_POSITIVES, found, strict=True):
            yield _row(f"froc@{alarms:g}", float(sensitivity))


def _row(metric: str, value: float, interval: Interval = NONE) -> Row:
    return {"metric": metric, "value": value, **asdict(interval)}
