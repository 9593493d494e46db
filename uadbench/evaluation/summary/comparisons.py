"""Paired comparisons of methods and of score maps: differences, their significance, and whether they matter.

A value is the mean over a method's seeds. Its difference between two methods is computed once without each patient, the
same for both, so that their difficulty cancels; a patient brings all of their scans (delete-one jackknife, Efron and
Tibshirani 1993, chapter 11). The variance between the seeds of each method is added; otherwise two runs of one method
would differ significantly. Two score maps of one method are of the same runs: the variance of their differences is
added. Student's t has the degrees of freedom of Satterthwaite's approximation, with those of `jackknife.Spread` for
patients. The column `resampled` states whether seeds count; with a single seed a comparison holds only for the given
trained runs.
`benchmarks/uncertainty.py` measures the false-positive rate for identical methods. Holm's correction equals
statsmodels' multipletests, as a test checks, without a dependency of this stage on statsmodels.
"""

import functools
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from uadbench.evaluation.protocols.protocols import PROTOCOLS
from uadbench.evaluation.summary.runs import COMPARED, SCORE, Methods, Run, Runs, common_subjects
from uadbench.evaluation.voxels.columns import SIMULATED
from uadbench.evaluation.voxels.jackknife import Spread

OTHER = "score_other"  # of two score maps of one method the second, else as `score`
LATER = ["n_eff", "better", "equal", "worse", "ratio", "ratio_low", "ratio_high"]  # numbers that earlier files lack
COLUMNS = [
    *("experiment", *SIMULATED, "task", "protocol", "score", "metric", "method", "other"),
    *("difference", "low", "high", "p", "p_holm", "resampled", "subjects", "seeds", "seeds_other", *LATER, OTHER),
]
MARGIN = 0.02  # difference of a metric up to which two methods are equal for practical purposes
#: raised when a change alters the comparison of the same runs or the columns of results, so that finished studies are
#: summarised again
REVISION = 5
BOTH, SUBJECTS = "subjects and seeds", "subjects"


def compare(runs: Runs) -> pd.DataFrame:
    """The rows of comparisons.csv: every pair of methods on every task, by AP and, over all thresholds, ⌈Dice⌉.

    Of further score maps (`Runs.others`) every pair of methods that have one, and each map of a method against its
    final one (`score_other`).
    difference: of `method` minus `other`, on all voxels of the subjects that all runs of both scored; low, high: its
    95 % interval; p: two-sided, below 0.05 where the interval excludes 0; p_holm: corrected for all comparisons of the
    task, experiment and protocol, both metrics included (Holm 1979), except comparisons with a control, which have
    none; those of another score map are corrected among themselves, and those of the maps of one method likewise;
    resampled: "subjects and seeds", or "subjects" where either method has one seed; n_eff: effective number of
    patients, see `jackknife.Spread`. better, equal, worse: probability that the difference is above MARGIN, within it,
    below -MARGIN, by the t distribution of the interval (with a uniform prior, the posterior of Corani and Benavoli
    2015). ratio, ratio_low, ratio_high: of `method` to `other` with its 95 % interval, symmetric on the logarithm.
    Interval, p and probabilities are empty with one patient, and, with a warning on standard error, where bins
    of subjects crowd; the difference as well where binning makes the metric doubtful. Protocols with fixed thresholds
    of ⌈Dice⌉ are compared only by AP.
    """
    rows: list[dict[str, Any]] = []
    for group, methods in runs.by_group.items():
        metrics = [name for name in COMPARED if name != "dice" or PROTOCOLS[group[2]].thresholds is None]
        others = runs.others[group]

        def add(found: list[dict[str, Any]], score: str, other: str, group: Any = group) -> None:
            p = [np.nan if runs.controls & {row["method"], row["other"]} else row["p"] for row in found]
            for row, corrected in zip(found, holm(np.array(p)), strict=True):
                facts = runs.facts(group, row["method"], row["other"], score=row.pop("score", score))
                rows.append({**facts, **row, "p_holm": corrected, OTHER: other})

        add(pairs(methods, metrics), SCORE, SCORE)
        for score, own in others.items():
            add(pairs(own, metrics), score, score)
        for method, final in methods.items():
            maps = {score: own[method] for score, own in others.items() if method in own}
            add(against_final(method, final, maps, metrics), SCORE, SCORE)
    return pd.DataFrame(rows, columns=COLUMNS)


def holm(p: np.ndarray) -> np.ndarray:
    """p-values (n,) corrected for all n by Holm's step-down method (Holm 1979); NaN stays and is not counted."""
    out = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return out


def pairs(methods: Methods, metrics: Iterable[str]) -> list[dict[str, Any]]:
    """A row for each pair of methods and metric, without the corrected p-value."""

    # All methods nearly always scored the same subjects: then each is computed once, not once per pair.
    @functools.cache
    def of(name: str, metric: str, common: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        return _values(methods[name], metric, common)

    rows = []
    for method, other in combinations(sorted(methods), 2):
        common = common_subjects(methods[method] + methods[other])
        for metric in metrics if common else ():
            (value, left_out), (value_other, left_out_other) = (of(n, metric, common) for n in (method, other))
            means = value.mean(), value_other.mean()
            seeds = [own for own in (value, value_other) if len(own) > 1]
            scaled = [own / own.mean() for own in seeds]
            found = _tested(means, (left_out, left_out_other), seeds, scaled)
            sizes = _sizes(common, methods[method], methods[other])
            rows.append({"method": method, "other": other, **sizes, "metric": metric, **found})
    return rows


def against_final(
    method: str, final: list[Run], maps: Mapping[str, list[Run]], metrics: Iterable[str]
) -> list[dict[str, Any]]:
    """A row for each further score map of a method and metric: that map minus the final one of the same runs."""
    rows = []
    for score, runs in maps.items():
        common = common_subjects(runs + final)
        if not common or all(one.same(other) for one, other in zip(runs, final, strict=True)):
            continue
        for metric in metrics:
            (value, left_out), (value_final, left_out_final) = (_values(own, metric, common) for own in (runs, final))
            means = value.mean(), value_final.mean()
            several = len(value) > 1
            seeds = [value - value_final] * several
            scaled = [value / means[0] - value_final / means[1]] * several
            found = _tested(means, (left_out, left_out_final), seeds, scaled)
            sizes = _sizes(common, runs, final)
            rows.append({"score": score, "method": method, "other": method, **sizes, "metric": metric, **found})
    return rows


def _values(runs: list[Run], metric: str, common: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A metric by seed (seeds,), and its mean over seeds without each patient (patients,)."""
    value = np.array([run.value(metric, common) for run in runs])
    return value, np.mean([run.left_out(metric, common) for run in runs], axis=0)


def _sizes(common: tuple[str, ...], one: list[Run], other: list[Run]) -> dict[str, Any]:
    seeds = len(one), len(other)
    resampled = BOTH if min(seeds) > 1 else SUBJECTS
    return {"resampled": resampled, "subjects": len(common), "seeds": seeds[0], "seeds_other": seeds[1]}


def _tested(
    means: tuple[float, float],
    left_out: tuple[np.ndarray, np.ndarray],
    seeds: list[np.ndarray],
    scaled: list[np.ndarray],
) -> dict[str, float]:
    """Difference and ratio of two means, each with its interval.

    left_out: both means without each patient (patients,); seeds: independent parts of the difference by seed; scaled:
    the same of the logarithm of the ratio.
    """
    one, other = left_out
    out = _difference(float(means[0] - means[1]), one - other, seeds)
    if not all(value > 0 for value in means):
        return out
    out["ratio"] = float(means[0] / means[1])
    if len(one) > 1 and all(np.isfinite(part).all() and (part > 0).all() for part in left_out):
        spread = sum(map(Spread.of_runs, scaled), start=Spread.of(np.log(one) - np.log(other)))
        half = spread.half if spread.freedom > 0 else 0.0
        out |= {"ratio_low": out["ratio"] * np.exp(-half), "ratio_high": out["ratio"] * np.exp(half)}
    return out


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
