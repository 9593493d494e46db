"""Profiles of AP over t by lesion: at which t single steps find small and large, faint and strong lesions.

The paper supposes that profiles follow from how lesions look (Naval Marimont et al. 2024, section 4): fine ones are
restored at low t, structural ones near T. Volume stands for structure here, and the grey values alone for contrast.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from uadbench.evaluation.summary.subgroups import LEAST
from uadbench.evaluation.voxels.columns import SIMULATED
from uadbench.evaluation.voxels.histogram import ScoreHistogram
from uadbench.evaluation.voxels.metrics import auroc_of_counts, precision_of_counts

SINGLE = "single/t="
CONTROL = "intensity"  # whose map is the image itself
SIZE, CONTRAST = "lesion_ml", "contrast"
LEVELS = ("smallest third", "middle third", "largest third")
NUMBERS = ["from", "to", "patients", "seeds", "t", "value", "best", "rho", "p"]
COLUMNS = ["experiment", *SIMULATED, "task", "protocol", "method", "variable", "level", *NUMBERS]


class Profiles:
    """Collects AP within each subject of every single step from files of histograms, see `add`.

    AP comes from the bins of subjects, alike at every t.
    """

    def __init__(self) -> None:
        self._facts: dict[tuple[str, ...], dict[str, Any]] = {}
        self._values: dict[tuple[str, ...], list[pd.DataFrame]] = {}
        self._contrast: dict[tuple[str, ...], pd.Series] = {}

    def add(
        self, path: str | os.PathLike[str], histograms: Mapping[str, ScoreHistogram], meta: Mapping[str, Any]
    ) -> None:
        """Add the single steps of a run, or the contrasts of the control."""
        test = (meta["experiment"], meta["task"], meta["protocol"])
        if meta["method"] == CONTROL and "final" in histograms:
            own = histograms["final"]
            contrast = np.abs(2 * auroc_of_counts(*own.per_subject()) - 1)
            self._contrast[test] = pd.Series(contrast, own.subjects)
        for name, own in histograms.items():
            if not name.startswith(SINGLE) or not meta.get("voxel_mm"):
                continue
            negatives, positives = own.per_subject()
            about = {"subject": own.subjects, "patient": own.patients, "seed": meta["seed"], "t": _number(name)}
            sizes = positives.sum(axis=1) * _millilitres(meta["voxel_mm"])
            values = pd.DataFrame({**about, SIZE: sizes, "ap": precision_of_counts(negatives, positives)})
            group = (*test, meta["method"])
            self._facts[group] = {key: meta[key] for key in ("experiment", *SIMULATED, "task", "protocol", "method")}
            self._values.setdefault(group, []).append(values[sizes > 0])

    def rows(self) -> pd.DataFrame:
        """The rows of profiles.csv: a row for each task, method, variable, level and t that all seeds have.

        variable: `lesion_ml`, the volume of a patient's lesions in ml, or `contrast`, |2 AUROC − 1| of the map of the
        control Intensity within the subject: 0 where grey values do not tell lesion and brain apart, 1 where they do.
        level: a third of the patients, from its least value to its greatest. value: mean over patients and seeds of AP
        within the subject at t. best: mean of each patient's t of the highest AP, the mean over seeds. rho, p:
        Spearman's correlation of variable and that t over all patients; NaN below three patients in each level, and
        where all have the same t. A patient with several scans has their mean.
        """
        rows: list[dict[str, Any]] = []
        for group, parts in sorted(self._values.items()):
            values = pd.concat(parts)
            seeds = values["seed"].nunique()
            whole = values.groupby("t")["seed"].nunique()
            values = values[values["t"].isin(whole.index[whole == seeds])]
            contrast = self._contrast.get(group[:3], pd.Series(dtype=float))
            values = values.assign(**{CONTRAST: values["subject"].map(contrast).astype(float)})
            curves = values.pivot_table(index="patient", columns="t", values="ap")
            for variable in (SIZE, CONTRAST):
                known = values.groupby("patient")[variable].mean().dropna()
                rows += [{**self._facts[group], "seeds": seeds, **row} for row in _levels(known, curves, variable)]
        return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(NUMBERS, float))


def _levels(known: pd.Series, curves: pd.DataFrame, variable: str) -> list[dict[str, Any]]:
    """The rows of a variable by patient; curves: AP (patients, t)."""
    if len(known) < LEAST * len(LEVELS) or len(curves.columns) < 2:
        return []
    curves = curves.loc[known.index]
    best = curves.idxmax(axis=1).astype(float)
    test: dict[str, Any] = {"variable": variable, "rho": np.nan, "p": np.nan}
    if best.nunique() > 1 and known.nunique() > 1:
        from scipy import stats  # slow to import, and tables need none of it

        found = stats.spearmanr(known, best)
        test |= {"rho": found.statistic, "p": found.pvalue}
    thirds = np.searchsorted(np.quantile(known, [1 / 3, 2 / 3]), known)
    rows = []
    for place, level in enumerate(LEVELS):
        own = known.index[thirds == place]
        if not len(own):  # of equal values
            continue
        facts = {"level": level, "from": known[own].min(), "to": known[own].max(), "patients": len(own)}
        facts["best"] = best[own].mean()
        rows += [{**test, **facts, "t": t, "value": value} for t, value in curves.loc[own].mean().items()]
    return rows


def _number(name: str) -> int:
    return int(name.removeprefix(SINGLE))


def _millilitres(voxel_mm: str) -> float:
    """Volume of a voxel of one side, or three (`columns.voxel_text`)."""
    sides = [float(side) for side in voxel_mm.split(" × ")]
    return float(np.prod(sides * 3 if len(sides) == 1 else sides)) / 1000
