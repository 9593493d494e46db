"""Stability of the order of methods: how often each has each rank when patients and seeds are drawn again.

Every draw takes as many patients as there are, with replacement and with all of their scans, the same for all methods,
and as many seeds of each method, and ranks the methods by the mean of their AP (Wiesenfarth et al. 2021, challengeR).
"""

import zlib
from typing import Any

import numpy as np
import pandas as pd

from uadbench.evaluation.summary.comparisons import BOTH, SUBJECTS
from uadbench.evaluation.summary.runs import Methods, Run, Runs, common_subjects
from uadbench.evaluation.voxels.columns import SIMULATED
from uadbench.evaluation.voxels.resampling import resampling_weights

METRIC = "ap"
COLUMNS = [
    *("experiment", *SIMULATED, "task", "protocol", "score", "metric", "method", "rank", "share"),
    *("resampled", "subjects"),
]


def order(runs: Runs, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """The rows of order.csv: for each task, method and rank the share of resamples in which the method has the rank.

    Methods are those whose AP is known for every run, without controls, on the subjects that all runs scored; the share
    of equal values is divided. resampled: "subjects and seeds", or "subjects" where a method has one seed. No rows
    without resamples, for one method and for one patient.
    """
    rows: list[dict[str, Any]] = []
    for group, methods in runs.by_group.items():
        known = {name: own for name, own in methods.items() if not any(METRIC in run.crowded for run in own)}
        ranked = {name: own for name, own in known.items() if name not in runs.controls}
        every = [run for own in ranked.values() for run in own]
        common = common_subjects(every) if every else ()
        if len(ranked) < 2 or not resamples or not common or len(set(every[0].of_subjects(common)[2])) < 2:
            continue
        resampled = BOTH if min(map(len, ranked.values())) > 1 else SUBJECTS
        facts = {"metric": METRIC, "resampled": resampled, "subjects": len(common)}
        for name, shares in zip(ranked, rank_shares(ranked, common, resamples, seed), strict=True):
            for rank, share in enumerate(shares, start=1):
                rows.append({**runs.facts(group, name), **facts, "method": name, "rank": rank, "share": share})
    return pd.DataFrame(rows, columns=COLUMNS)


def rank_shares(methods: Methods, common: tuple[str, ...], resamples: int, seed: int) -> np.ndarray:
    """Shares (methods, ranks) of the resamples with a defined AP; rank 1 is the greatest."""
    values = np.array([_drawn(name, runs, common, resamples, seed) for name, runs in methods.items()])
    values = values[:, np.isfinite(values).all(axis=0)]
    places = np.arange(len(values))
    below = (values[:, None] < values).sum(axis=1)  # (methods, draws) with a greater value
    equal = (values[:, None] == values).sum(axis=1)
    held = (places >= below[..., None]) & (places < (below + equal)[..., None])
    return (held / equal[..., None]).mean(axis=1)


def _drawn(name: str, runs: list[Run], common: tuple[str, ...], resamples: int, seed: int) -> np.ndarray:
    """AP (resamples,) of a method: mean over seeds, drawn independently for each method, of that of drawn patients."""
    weights = resampling_weights(runs[0].of_subjects(common)[2], resamples, seed)
    values = np.array([run.drawn(METRIC, common, weights) for run in runs])
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    chosen = rng.multinomial(len(runs), np.full(len(runs), 1 / len(runs)), size=resamples).T / len(runs)
    return (values * chosen).sum(axis=0)
