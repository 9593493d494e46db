"""Paired comparisons of methods: is the difference between two larger than other subjects of the same kind would make?

Both methods of a pair are resampled together, with the same subjects in every draw (paired bootstrap, Efron and
Tibshirani 1993, chapters 13 and 16), so what all methods find hard cancels. A value is the mean over a method's seeds;
seeds are not resampled, so the interval says nothing about other seeds. Percentile intervals are somewhat short, and
p-values too small, where subjects are few (a dozen or two).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from harness.evaluation.bootstrap import BATCH, LEVEL, coarsen, resampling_weights
from harness.evaluation.histogram import ScoreHistogram
from harness.evaluation.histograms import load
from harness.evaluation.metrics import METRICS
from harness.evaluation.protocols import PROTOCOLS

NAME = "comparisons.csv"
COLUMNS = [
    *("experiment", "simulated", "task", "protocol", "score", "metric", "method", "other"),
    *("difference", "low", "high", "p", "p_holm", "subjects", "seeds", "seeds_other"),
]
SCORE = "final"
COMPARED = ("ap", "dice")
BINS = 128  # score bins per resample; their error is the same in nearly all draws and taken off below
FINER = 10  # times as many resamples as intervals need: the correction multiplies p-values, whose least is 2 / draws


@dataclass(frozen=True)
class Run:
    """One seed of a method: counts (subjects, bins) float32 and the metrics of all subjects on the finest bins."""

    subjects: tuple[str, ...]
    negatives: np.ndarray
    positives: np.ndarray
    exact: dict[str, float]

    @classmethod
    def of(cls, histogram: ScoreHistogram) -> Run:
        negatives, positives = coarsen(*histogram.per_subject(), BINS)
        _, *fine = histogram.pooled()
        exact = {name: float(METRICS[name](*fine)) for name in COMPARED}
        return cls(tuple(histogram.subjects), negatives.astype(np.float32), positives.astype(np.float32), exact)


def compare(paths: Iterable[str | os.PathLike[str]], resamples: int = 10_000, seed: int = 0) -> pd.DataFrame:
    """The rows of comparisons.csv: every pair of methods on every task, by AP and, over all thresholds, ⌈Dice⌉.

    difference: of `method` minus `other`, of all voxels of the subjects that all runs of both scored; low, high: its
    95 % percentile interval; p: two-sided, twice the share of resamples on the other side of 0 or on it, so below 0.05
    where the interval leaves 0 out; p_holm: corrected for all comparisons of the task, experiment and protocol, both
    metrics included (Holm 1979). Empty without resamples or with one subject. Protocols that fix the thresholds of
    ⌈Dice⌉ are compared by AP alone. Maps without an anomalous voxel are passed over.
    """
    groups: dict[tuple[str, str, str], dict[str, dict[int, Run]]] = {}
    simulated: dict[tuple[str, str, str], bool] = {}
    for path in paths:
        histograms, meta = load(path, only=SCORE)
        if SCORE not in histograms or not histograms[SCORE].positives:
            continue
        group = (meta["experiment"], meta["task"], meta["protocol"])
        groups.setdefault(group, {}).setdefault(meta["method"], {})[meta["seed"]] = Run.of(histograms[SCORE])
        simulated[group] = simulated.get(group, False) or bool(meta["simulated"])
    rows: list[dict[str, Any]] = []
    for group, methods in sorted(groups.items()):
        experiment, task, protocol = group
        metrics = [name for name in COMPARED if name != "dice" or PROTOCOLS[protocol].thresholds is None]
        facts = {"experiment": experiment, "simulated": simulated[group], "task": task, "protocol": protocol}
        by_seed = {name: [runs[seed] for seed in sorted(runs)] for name, runs in methods.items()}
        found = _pairs(by_seed, metrics, resamples, seed)
        for row, corrected in zip(found, holm(np.array([row["p"] for row in found])), strict=True):
            rows.append({**facts, "score": SCORE, **row, "p_holm": corrected})
    return pd.DataFrame(rows, columns=COLUMNS)


def holm(p: np.ndarray) -> np.ndarray:
    """p-values (n,) corrected for all n by Holm's step-down method (Holm 1979); NaN stays and counts for none."""
    out = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return out


def _pairs(methods: dict[str, list[Run]], metrics: list[str], resamples: int, seed: int) -> list[dict[str, Any]]:
    """A row for each pair and metric, without the corrected p-value."""
    known: dict[tuple[str, tuple[str, ...]], tuple[np.ndarray, np.ndarray]] = {}

    def values(name: str, common: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        # Nearly always all methods scored the same subjects: then each is resampled once, not once for every pair.
        if (name, common) not in known:
            known[name, common] = _resampled(methods[name], common, metrics, resamples, seed)
        return known[name, common]

    rows = []
    for method, other in combinations(sorted(methods), 2):
        shared = set.intersection(*(set(run.subjects) for run in methods[method] + methods[other]))
        common = tuple(sorted(shared))
        if not common:
            continue
        (value, drawn), (value_other, drawn_other) = values(method, common), values(other, common)
        for k, metric in enumerate(metrics):
            numbers = _difference(value[k] - value_other[k], drawn[k] - drawn_other[k])
            sizes = {"subjects": len(common), "seeds": len(methods[method]), "seeds_other": len(methods[other])}
            rows.append({"metric": metric, "method": method, "other": other, **numbers, **sizes})
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
    """Metrics (metrics,) of the common subjects and of resamples of them (metrics, resamples), means over the runs."""
    draws = resamples if len(common) > 1 else 0
    weights = resampling_weights(len(common), draws, seed).astype(np.float32)
    value, drawn = np.zeros(len(metrics)), np.zeros((len(metrics), draws))
    for run in runs:
        places = {subject: row for row, subject in enumerate(run.subjects)}
        rows = [places[subject] for subject in common]
        negatives, positives = run.negatives[rows], run.positives[rows]
        coarse = [float(METRICS[name](negatives.sum(0, np.float64), positives.sum(0, np.float64))) for name in metrics]
        # Single subjects are only known on coarse bins; all of them together on fine ones.
        exact = [run.exact[name] for name in metrics] if len(common) == len(run.subjects) else coarse
        shift = np.array(exact) - coarse
        value += np.array(exact) / len(runs)
        for start in range(0, draws, BATCH):
            batch = weights[start : start + BATCH]
            counts = batch @ negatives, batch @ positives
            for k, name in enumerate(metrics):
                drawn[k, start : start + BATCH] += (METRICS[name](*counts) + shift[k]) / len(runs)
    return value, drawn
