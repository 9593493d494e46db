"""AP of random subsets of the patients against that of all: what a smaller test set does to a number.

The paper quotes rows of ATLAS that were measured on 220 of its 655 scans, and expects no significant bias (Naval
Marimont et al. 2024, section 3). Subsets are drawn without replacement, the same for all methods. They say nothing of
the scans that an older release has and a newer one has not.
"""

from typing import Any

import numpy as np
import pandas as pd

from uadbench.core.patients import numbers
from uadbench.evaluation.summary.runs import Run, Runs, common_subjects
from uadbench.evaluation.voxels.columns import SIMULATED

METRIC = "ap"
SHARE = 220 / 655  # of the scans of ATLAS, in the paper's quoted rows
COLUMNS = [
    *("experiment", *SIMULATED, "task", "protocol", "score", "metric", "method", "share", "patients", "drawn"),
    *("value", "bias", "error", "low", "high"),
]


def subsets(runs: Runs, draws: int = 1000, seed: int = 0, share: float = SHARE) -> pd.DataFrame:
    """The rows of subsets.csv, one for each task and method whose AP is known for every run.

    value: AP of all patients, the mean over seeds; bias: mean over subsets of a share of the patients, each with all of
    their scans, of AP minus `value`; error: its standard error over draws; low, high: range of 95 % of these
    differences. No rows without draws, and for fewer patients than a subset of one and another.
    """
    rows: list[dict[str, Any]] = []
    for group, methods in runs.by_group.items():
        for method, own in sorted(methods.items()):
            common = common_subjects(own)
            if not draws or not common or any(METRIC in run.crowded for run in own):
                continue
            weights = subset_weights(own[0].of_subjects(common)[2], draws, seed, share)
            if weights is None:
                continue
            value, differences = _against_all(own, common, weights)
            told = differences[np.isfinite(differences)]
            if not len(told):
                continue
            patients = len(set(own[0].of_subjects(common)[2]))
            low, high = np.quantile(told, [0.025, 0.975])
            error = told.std(ddof=1) / np.sqrt(len(told)) if len(told) > 1 else np.nan
            sizes = {"share": share, "patients": patients, "drawn": drawn(patients, share)}
            found = {"value": value, "bias": told.mean(), "error": error, "low": low, "high": high}
            rows.append({**runs.facts(group, method), "metric": METRIC, "method": method, **sizes, **found})
    return pd.DataFrame(rows, columns=COLUMNS)


def drawn(patients: int, share: float) -> int:
    """Number of patients of a subset."""
    return max(1, round(share * patients))


def subset_weights(patients: list[str], draws: int, seed: int, share: float) -> np.ndarray | None:
    """Which scans (draws, scans), float64 0 or 1, each subset has; None where a subset would be all patients."""
    scans = numbers(patients)
    count = max(scans) + 1
    chosen = drawn(count, share)
    if chosen >= count:
        return None
    rng = np.random.default_rng(seed)
    members = np.argsort(rng.random((draws, count)), axis=1) < chosen
    return members.astype(np.float64)[:, scans]


def _against_all(own: list[Run], common: tuple[str, ...], weights: np.ndarray) -> tuple[float, np.ndarray]:
    """AP of all patients, and that of each subset minus it (draws,), means over seeds."""
    value = float(np.mean([run.value(METRIC, common) for run in own]))
    return value, np.mean([run.drawn(METRIC, common, weights) for run in own], axis=0) - value
