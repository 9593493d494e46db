"""Paired comparisons of methods: differences, their significance, and whether they are large enough to matter.

A value is the mean over a method's seeds. Its difference between two methods is computed once without each patient, the
same for both, so that their difficulty cancels; a patient brings all of their scans (delete-one jackknife, Efron and
Tibshirani 1993, chapter 11). The variance between the seeds of each method is added; otherwise two runs of one method
would differ significantly. Student's t has the degrees of freedom of Satterthwaite's approximation, with those of
`jackknife.Spread` for patients. The column `resampled` states whether seeds count; with a single seed a comparison
holds only for the given trained runs.
`benchmarks/uncertainty.py` measures the false-positive rate for identical methods. Holm's correction equals
statsmodels' multipletests, as a test checks, without a dependency of this stage on statsmodels.
"""

import functools
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from uadbench.evaluation.protocols.protocols import PROTOCOLS
from uadbench.evaluation.voxels.columns import SIMULATED
from uadbench.evaluation.voxels.histogram import ScoreHistogram, load
from uadbench.evaluation.voxels.jackknife import CROWDED_NOTE, Spread, crowded, leave_one_out
from uadbench.evaluation.voxels.metrics import METRICS, doubtful
from uadbench.evaluation.voxels.resampling import coarsen
from uadbench.methods.registry import CONTROL

LATER = ["n_eff", "better", "equal", "worse"]  # which files of earlier versions lack
COLUMNS = [
    *("experiment", *SIMULATED, "task", "protocol", "score", "metric", "method", "other"),
    *("difference", "low", "high", "p", "p_holm", "resampled", "subjects", "seeds", "seeds_other", *LATER),
]
SCORE = "final"
COMPARED = ("ap", "dice")
MARGIN = 0.02  # difference of a metric up to which two methods are equal for practical purposes
BINS = 128  # of scores; their error is nearly the same without each patient, and subtracted below
#: raised when a change alters the comparison of the same runs or the columns of results, so that finished studies are
#: summarised again
REVISION = 4
BOTH, SUBJECTS = "subjects and seeds", "subjects"


@dataclass(frozen=True)
class Run:
    """One seed of a method: counts (subjects, bins) float32 and the metrics of all subjects on the finest bins.

    patients: of the subjects, in their order. crowded: metrics without interval, since scores share bins of subjects.
    """

    subjects: tuple[str, ...]
    negatives: np.ndarray
    positives: np.ndarray
    exact: dict[str, float]
    patients: tuple[str, ...]
    crowded: frozenset[str] = frozenset()

    @classmethod
    def of(cls, histogram: ScoreHistogram) -> "Run":
        """The run of a histogram; its metrics are NaN where binning makes them `doubtful`."""
        rows, (_, *fine) = histogram.per_subject(), histogram.pooled()
        told = not doubtful(histogram)
        exact = {name: float(METRICS[name](*fine)) if told else np.nan for name in COMPARED}
        hidden = frozenset(name for name in COMPARED if not told or crowded(METRICS[name], rows, fine))
        negatives, positives = (part.astype(np.float32) for part in coarsen(*rows, BINS))
        return cls(tuple(histogram.subjects), negatives, positives, exact, tuple(histogram.patients), hidden)

    def of_subjects(self, common: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Counts (subjects, bins) of some subjects, and their patients."""
        places = {subject: row for row, subject in enumerate(self.subjects)}
        rows = [places[subject] for subject in common]
        return self.negatives[rows], self.positives[rows], [self.patients[row] for row in rows]

    def value(self, metric: str, common: tuple[str, ...]) -> float:
        """A metric of some subjects: of all of them on the finest bins, which single subjects lack."""
        if len(common) == len(self.subjects):
            return self.exact[metric]
        negatives, positives, _ = self.of_subjects(common)
        whole = float(METRICS[metric](negatives.sum(0, np.float64), positives.sum(0, np.float64)))
        return whole if np.isfinite(self.exact[metric]) else np.nan

    def left_out(self, metric: str, common: tuple[str, ...]) -> np.ndarray:
        """The same without each patient (patients,); NaN where there is no interval."""
        negatives, positives, patients = self.of_subjects(common)
        if metric in self.crowded:
            return np.full(len(set(patients)), np.nan)
        return leave_one_out(METRICS[metric], negatives.astype(np.float64), positives.astype(np.float64), patients)


Group = tuple[str, str, str]  # experiment, task, protocol
Methods = dict[str, list[Run]]  # runs by method, by seed


@dataclass(frozen=True)
class Runs:
    """The runs of all files by experiment, task and protocol; the names of controls, and which scans are simulated."""

    by_group: dict[Group, Methods]
    controls: set[str]
    simulated: dict[tuple[Group, str], list[bool]]

    @classmethod
    def read(cls, paths: Iterable[str | os.PathLike[str]]) -> "Runs":
        """Maps without an anomalous voxel are skipped; a warning names files whose scores share bins."""
        groups: dict[Group, dict[str, dict[int, Run]]] = {}
        found = cls({}, set(), {})
        for path in paths:
            histograms, meta = load(path, only=SCORE)
            if SCORE not in histograms or not histograms[SCORE].positives:
                continue
            group = (meta["experiment"], meta["task"], meta["protocol"])
            run = groups.setdefault(group, {}).setdefault(meta["method"], {})[meta["seed"]] = Run.of(histograms[SCORE])
            if run.crowded and all(np.isfinite(value) for value in run.exact.values()):
                print(f"warning: {path}: {SCORE}: {CROWDED_NOTE}", file=sys.stderr)
            if meta.get("family") == CONTROL:
                found.controls.add(meta["method"])
            known = found.simulated.get((group, meta["method"]), [False, False])
            flags = [old or bool(meta[key]) for old, key in zip(known, SIMULATED, strict=True)]
            found.simulated[group, meta["method"]] = flags
        for group, methods in sorted(groups.items()):
            found.by_group[group] = {name: [runs[seed] for seed in sorted(runs)] for name, runs in methods.items()}
        return found

    def facts(self, group: Group, *methods: str) -> dict[str, Any]:
        """The columns of a row of these methods up to the score."""
        experiment, task, protocol = group
        flags = map(any, zip(*(self.simulated[group, method] for method in methods), strict=True))
        flagged = dict(zip(SIMULATED, flags, strict=True))
        return {"experiment": experiment, **flagged, "task": task, "protocol": protocol, "score": SCORE}


def compare(runs: Runs) -> pd.DataFrame:
    """The rows of comparisons.csv: every pair of methods on every task, by AP and, over all thresholds, ⌈Dice⌉.

    difference: of `method` minus `other`, on all voxels of the subjects that all runs of both scored; low, high: its
    95 % interval; p: two-sided, below 0.05 where the interval excludes 0; p_holm: corrected for all comparisons of the
    task, experiment and protocol, both metrics included (Holm 1979), except comparisons with a control, which have
    none; resampled: "subjects and seeds", or "subjects" where either method has one seed; n_eff: effective number of
    patients, see `jackknife.Spread`. better, equal, worse: probability that the difference is above MARGIN, within it,
    below -MARGIN, by the t distribution of the interval (with a uniform prior, the posterior of Corani and Benavoli
    2015). Interval, p and probabilities are empty with one patient, and, with a warning on standard error, where bins
    of subjects crowd; the difference as well where binning makes the metric doubtful. Protocols with fixed thresholds
    of ⌈Dice⌉ are compared only by AP.
    """
    rows: list[dict[str, Any]] = []
    for group, methods in runs.by_group.items():
        metrics = [name for name in COMPARED if name != "dice" or PROTOCOLS[group[2]].thresholds is None]
        found = pairs(methods, metrics)
        family = [np.nan if runs.controls & {row["method"], row["other"]} else row["p"] for row in found]
        for row, corrected in zip(found, holm(np.array(family)), strict=True):
            rows.append({**runs.facts(group, row["method"], row["other"]), **row, "p_holm": corrected})
    return pd.DataFrame(rows, columns=COLUMNS)


def holm(p: np.ndarray) -> np.ndarray:
    """p-values (n,) corrected for all n by Holm's step-down method (Holm 1979); NaN stays and is not counted."""
    out = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return out


def common_subjects(runs: Iterable[Run]) -> tuple[str, ...]:
    """The subjects that all runs scored, sorted."""
    return tuple(sorted(set.intersection(*(set(run.subjects) for run in runs))))


def pairs(methods: Methods, metrics: list[str]) -> list[dict[str, Any]]:
    """A row for each pair of methods and metric, without the corrected p-value."""

    # All methods nearly always scored the same subjects: then each is computed once, not once per pair.
    @functools.cache
    def values(name: str, metric: str, common: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        runs = methods[name]
        value = np.array([run.value(metric, common) for run in runs])
        return value, np.mean([run.left_out(metric, common) for run in runs], axis=0)

    rows = []
    for method, other in combinations(sorted(methods), 2):
        common = common_subjects(methods[method] + methods[other])
        if not common:
            continue
        seeds = len(methods[method]), len(methods[other])
        sizes = {"subjects": len(common), "seeds": seeds[0], "seeds_other": seeds[1]}
        facts = {"method": method, "other": other, "resampled": BOTH if min(seeds) > 1 else SUBJECTS, **sizes}
        for metric in metrics:
            (value, left_out), (value_other, left_out_other) = (values(n, metric, common) for n in (method, other))
            by_seed = [own for own in (value, value_other) if len(own) > 1]
            found = _difference(float(value.mean() - value_other.mean()), left_out - left_out_other, by_seed)
            rows.append({**facts, "metric": metric, **found})
    return rows


def _difference(observed: float, left_out: np.ndarray, seeds: list[np.ndarray]) -> dict[str, float]:
    """Difference, interval and p-value, from differences without each patient (patients,), and values by seed."""
    out = {"difference": observed, "p": np.nan}
    if len(left_out) < 2 or not np.isfinite(left_out).all():
        return out
    people = Spread.of(left_out)
    spread = sum(map(Spread.of_runs, seeds), start=people)
    if not spread.freedom > 0:  # equal scores: without variance
        return {**out, "low": observed, "high": observed, "p": float(observed == 0)}
    from scipy.stats import t as student  # slow to import, and tables need none of it

    scale = np.sqrt(spread.variance)

    def below(limit: float) -> float:
        return float(student.cdf((limit - observed) / scale, spread.freedom))

    out |= {"low": max(observed - spread.half, -1.0), "high": min(observed + spread.half, 1.0)}
    out |= {"p": 2 * min(below(0.0), 1 - below(0.0)), "n_eff": people.freedom}
    return out | {"better": 1 - below(MARGIN), "equal": below(MARGIN) - below(-MARGIN), "worse": below(-MARGIN)}
