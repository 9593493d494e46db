"""Paired comparisons of methods: significance of differences under resampling of subjects and seeds.

Both methods of a pair are resampled together, with the same patients in every draw (paired bootstrap, Efron and
Tibshirani 1993, chapters 13 and 16), so that their difficulty cancels; a patient brings all of their scans. A
value is the mean over a method's seeds. Every draw also resamples seeds with replacement, independently for each
method and with the tails of Student's t, since seeds are few; otherwise two runs of one method would differ
significantly. The column `resampled` states whether seeds were resampled; with a single seed a comparison holds only
for the given trained runs.
`benchmarks/uncertainty.py` measures the false-positive rate for identical methods. Holm's correction equals
statsmodels' multipletests, as a test checks, without a dependency of this stage on statsmodels.
"""

import functools
import os
import sys
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from uadbench.evaluation.protocols.protocols import PROTOCOLS
from uadbench.evaluation.voxels.bootstrap import BATCH, CROWDED_NOTE, LEVEL, coarsen, crowded, resampling_weights
from uadbench.evaluation.voxels.columns import SIMULATED
from uadbench.evaluation.voxels.histogram import ScoreHistogram, load
from uadbench.evaluation.voxels.metrics import METRICS
from uadbench.methods.registry import CONTROL

COLUMNS = [
    *("experiment", *SIMULATED, "task", "protocol", "score", "metric", "method", "other"),
    *("difference", "low", "high", "p", "p_holm", "resampled", "subjects", "seeds", "seeds_other"),
]
SCORE = "final"
COMPARED = ("ap", "dice")
BINS = 128  # score bins per resample; their error is the same in nearly all draws and is subtracted below
FINER = 10  # minimum number of resamples as a multiple of that for intervals
DRAWS = 200  # resamples per comparison of a family, by whose size Holm multiplies the least p-value, 2 / draws
#: raised when a change alters the comparison of the same runs or the columns of results, so that finished studies are
#: summarised again
REVISION = 3
BOTH, SUBJECTS = "subjects and seeds", "subjects"


@dataclass(frozen=True)
class Run:
    """One seed of a method: counts (subjects, bins) float32 and the metrics of all subjects on the finest bins.

    patients: of the subjects, in their order.

    crowded: metrics dominated by binning, since the scores of most voxels share a few bins.
    """

    subjects: tuple[str, ...]
    negatives: np.ndarray
    positives: np.ndarray
    exact: dict[str, float]
    patients: tuple[str, ...]
    crowded: frozenset[str] = frozenset()

    @classmethod
    def of(cls, histogram: ScoreHistogram) -> "Run":
        negatives, positives = coarsen(*histogram.per_subject(), BINS)
        _, *fine = histogram.pooled()
        exact = {name: float(METRICS[name](*fine)) for name in COMPARED}
        shift = {name: exact[name] - float(METRICS[name](negatives.sum(0), positives.sum(0))) for name in COMPARED}
        hidden = frozenset(name for name in COMPARED if crowded(shift[name], negatives + positives, fine[0] + fine[1]))
        counts = negatives.astype(np.float32), positives.astype(np.float32)
        return cls(tuple(histogram.subjects), *counts, exact, tuple(histogram.patients), hidden)


def compare(paths: Iterable[str | os.PathLike[str]], resamples: int = 10_000, seed: int = 0) -> pd.DataFrame:
    """The rows of comparisons.csv: every pair of methods on every task, by AP and, over all thresholds, ⌈Dice⌉.

    difference: of `method` minus `other`, on all voxels of the subjects that all runs of both scored; low, high: its
    95 % percentile interval; p: two-sided, twice the fraction of resamples on the other side of 0 or at 0, so below
    0.05 where the interval excludes 0; p_holm: corrected for all comparisons of the task, experiment and protocol, both
    metrics included (Holm 1979), except comparisons with a control, which have none; resampled: "subjects and seeds",
    or "subjects" where either method has one seed. Draws number at least `resamples`, more in a large family. Interval
    and p are empty without resamples, with one subject, and, with a warning on standard error, where binning dominates
    a metric. Protocols with fixed thresholds of ⌈Dice⌉ are compared only by AP. Maps without an anomalous voxel are
    skipped.
    """
    groups: dict[tuple[str, str, str], dict[str, dict[int, Run]]] = {}
    simulated: dict[tuple[tuple[str, str, str], str], list[bool]] = {}
    controls: set[str] = set()
    for path in paths:
        histograms, meta = load(path, only=SCORE)
        if SCORE not in histograms or not histograms[SCORE].positives:
            continue
        group = (meta["experiment"], meta["task"], meta["protocol"])
        run = groups.setdefault(group, {}).setdefault(meta["method"], {})[meta["seed"]] = Run.of(histograms[SCORE])
        if run.crowded:
            print(f"warning: {path}: {SCORE}: {CROWDED_NOTE}", file=sys.stderr)
        if meta.get("family") == CONTROL:
            controls.add(meta["method"])
        known = simulated.get((group, meta["method"]), [False, False])
        simulated[group, meta["method"]] = [old or bool(meta[key]) for old, key in zip(known, SIMULATED, strict=True)]
    rows: list[dict[str, Any]] = []
    for group, methods in sorted(groups.items()):
        experiment, task, protocol = group
        metrics = [name for name in COMPARED if name != "dice" or PROTOCOLS[protocol].thresholds is None]
        facts = {"experiment": experiment, "task": task, "protocol": protocol, "score": SCORE}
        by_seed = {name: [runs[seed] for seed in sorted(runs)] for name, runs in methods.items()}
        rivals = len(set(methods) - controls)
        draws = max(resamples, DRAWS * len(metrics) * rivals * (rivals - 1) // 2) if resamples else 0
        found = _pairs(by_seed, metrics, draws, seed)
        family = [np.nan if controls & {row["method"], row["other"]} else row["p"] for row in found]
        for row, corrected in zip(found, holm(np.array(family)), strict=True):
            pair = zip(simulated[group, row["method"]], simulated[group, row["other"]], strict=True)
            rows.append({**facts, **dict(zip(SIMULATED, map(any, pair), strict=True)), **row, "p_holm": corrected})
    return pd.DataFrame(rows, columns=COLUMNS)


def holm(p: np.ndarray) -> np.ndarray:
    """p-values (n,) corrected for all n by Holm's step-down method (Holm 1979); NaN stays and is not counted."""
    out = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return out


def _pairs(methods: dict[str, list[Run]], metrics: list[str], resamples: int, seed: int) -> list[dict[str, Any]]:
    """A row for each pair and metric, without the corrected p-value."""

    # All methods nearly always scored the same subjects: then each is resampled once, not once per pair.
    @functools.cache
    def values(name: str, common: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        value, drawn = _resampled(methods[name], common, metrics, resamples, seed)
        return value.mean(axis=1), *_over_seeds(drawn, name, seed)

    rows = []
    for method, other in combinations(sorted(methods), 2):
        shared = set.intersection(*(set(run.subjects) for run in methods[method] + methods[other]))
        common = tuple(sorted(shared))
        if not common:
            continue
        (value, mean, apart), (value_other, mean_other, apart_other) = values(method, common), values(other, common)
        seeds = len(methods[method]), len(methods[other])
        freedom = max(sum(seeds) - 2, 1)
        drawn = mean - mean_other + _student(freedom, mean.shape[1], seed) * (apart - apart_other)
        for k, metric in enumerate(metrics):
            numbers = _difference(value[k] - value_other[k], drawn[k])
            sizes = {"subjects": len(common), "seeds": seeds[0], "seeds_other": seeds[1]}
            resampled = BOTH if min(seeds) > 1 else SUBJECTS
            rows.append(
                {"metric": metric, "method": method, "other": other, **numbers, "resampled": resampled, **sizes}
            )
    return rows


def _difference(observed: float, drawn: np.ndarray) -> dict[str, float]:
    drawn = drawn[np.isfinite(drawn)]
    if not drawn.size:
        return {"difference": float(observed), "low": np.nan, "high": np.nan, "p": np.nan}
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    # The observed value counts as one draw, so that p is never 0.
    beyond = min(np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0))
    p = min(1.0, 2 * (1 + beyond) / (1 + drawn.size))
    return {"difference": float(observed), "low": float(low), "high": float(high), "p": p}


def _resampled(
    runs: list[Run], common: tuple[str, ...], metrics: list[str], resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Metrics (metrics, runs) of the common subjects and of resamples of them, (metrics, runs, resamples).

    NaN where binning dominates the metric.
    """
    patient_of = dict(zip(runs[0].subjects, runs[0].patients, strict=True))
    patients = [patient_of[subject] for subject in common]
    draws = resamples if len(set(patients)) > 1 else 0
    weights = resampling_weights(patients, draws, seed).astype(np.float32)
    value, drawn = np.empty((len(metrics), len(runs))), np.empty((len(metrics), len(runs), draws))
    for column, run in enumerate(runs):
        places = {subject: row for row, subject in enumerate(run.subjects)}
        rows = [places[subject] for subject in common]
        negatives, positives = run.negatives[rows], run.positives[rows]
        coarse = [float(METRICS[name](negatives.sum(0, np.float64), positives.sum(0, np.float64))) for name in metrics]
        # Single subjects are counted only on coarse bins, the pool of all subjects also on fine ones.
        exact = [run.exact[name] for name in metrics] if len(common) == len(run.subjects) else coarse
        shift = np.array(exact) - coarse
        value[:, column] = exact
        shift[[name in run.crowded for name in metrics]] = np.nan
        for start in range(0, draws, BATCH):
            batch = weights[start : start + BATCH]
            counts = batch @ negatives, batch @ positives
            for k, name in enumerate(metrics):
                drawn[k, column, start : start + BATCH] = METRICS[name](*counts) + shift[k]
    return value, drawn


def _over_seeds(drawn: np.ndarray, method: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Means of values (metrics, runs, resamples) over the runs, and deviations from them of means of resampled runs.

    Both (metrics, resamples); runs are drawn with replacement, independently for each method. Means of n runs drawn
    from n have (n − 1) / n times the variance of those of n new runs (Efron and Tibshirani 1993, section 5.3);
    deviations are scaled to correct this.
    """
    _, runs, resamples = drawn.shape
    centre = drawn.mean(axis=1)
    if runs == 1:
        return centre, np.zeros_like(centre)
    rng = np.random.default_rng([seed, zlib.crc32(method.encode())])
    chosen = rng.multinomial(runs, np.full(runs, 1 / runs), size=resamples).T / runs
    return centre, ((drawn * chosen).sum(axis=1) - centre) * np.sqrt(runs / (runs - 1))


def _student(runs: int, resamples: int, seed: int) -> np.ndarray:
    """Factors (resamples,) that give a normal deviation the tails of Student's t with `runs` degrees of freedom.

    They account for the uncertain variance of a few runs, as in a t-test.
    """
    return np.sqrt(runs / np.random.default_rng([seed, runs]).chisquare(runs, resamples))
