"""Results by subgroup: means over subjects by age, sex, site and scanner, and tests whether they differ.

The value of a subject is the mean over a method's seeds, that of a patient the mean over their scans, so that patients
are independent. Age is divided into thirds; its test, Spearman's correlation, does not depend on them. Of other columns
the levels are compared by Kruskal and Wallis' test on ranks (1952): AP of subjects is skewed, and its spread differs
between levels. A test measures how often equal subgroups differ: in at most 7 % of cohorts, nominally 5 %.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from uadbench.core import checksums
from uadbench.data.index import participants, sheet, where
from uadbench.evaluation.detection import findings
from uadbench.evaluation.detection.findings import Findings
from uadbench.evaluation.summary.comparisons import holm
from uadbench.evaluation.voxels.columns import SIMULATED
from uadbench.evaluation.voxels.jackknife import Interval, pooled, ratio_left_out
from uadbench.methods.registry import CONTROL

AP, FALSE, HEALTHY = "subject_ap", "false_positive_ml@0.01", "healthy_score"
METRICS = (AP, FALSE, HEALTHY)
RATE = 0.01  # of healthy voxels, at the threshold of FALSE and HEALTHY
LEAST = 3  # patients of a level below which there is neither mean nor test
THIRDS = ("youngest third", "middle third", "oldest third")
SPEARMAN, KRUSKAL = "Spearman", "Kruskal-Wallis"
DECADE = 10.0  # years
GROUP = ["experiment", "task", "metric"]
NUMBERS = [
    *("from", "to", "patients", "unknown", "lesion_ml", "value", "std", "low", "high", "seeds"),
    *("rho", "slope", "slope_low", "slope_high", "p", "p_holm"),
]
COLUMNS = [
    *("experiment", *SIMULATED, "task", "metric", "method", "variable", "level", *NUMBERS[:10], "test", *NUMBERS[10:])
]
People = Mapping[str, pd.DataFrame]


def read_people(sheets: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    """Patient, split and `participants.COLUMNS` of each subject, the index, by data set; ages are numbers of years."""
    found = {}
    for dataset, path in sheets.items():
        rows = [vars(row) | {"patient": row.patient or row.subject} for row in sheet.read(path).rows]
        table = pd.DataFrame(rows).set_index("subject")[["split", "patient", *participants.COLUMNS]]
        found[dataset] = table.where(table != "").assign(age=table["age"].map(years))
    return found


def years(text: str) -> float:
    """The age of a cell, as conditions read it: the middle of a range such as "16-20"; NaN of a text without number."""
    limits = where.span(text)
    return float("nan") if limits is None else float(np.mean(limits))


def subgroups(paths: Iterable[str | os.PathLike[str]], results: pd.DataFrame, people: People) -> pd.DataFrame:
    """The rows of subgroup_means.csv: a row for each task, metric, method, variable and level that a data set states.

    paths: files of histograms, for the findings beside them; results: the rows of results.csv, whose metrics alone are
    divided; people: by data set, see `read_people`. Metrics of a subject: `subject_ap`, of those with an anomaly;
    `false_positive_ml@0.01`, of all; `healthy_score`, of healthy validation subjects: the 99th percentile of their
    scores, divided by the threshold that 1 % of the voxels of all of them reach, so that above 1 a subject has more
    false positives than the average one.

    level: of age a third of the patients of the task, up to the first tertile, up to the second, above; `from` and `to`
    are its least and greatest age. patients: their number; below LEAST there is no value. unknown: patients of the task
    whose level is not stated, or whose scans have several. lesion_ml: mean volume of the lesions of a level. value: the
    mean; std: over seeds; low, high: its 95 % interval over patients, as in results.csv. rho, slope: of age,
    Spearman's correlation and Theil and Sen's slope per ten years with its 95 % interval. p: of the test, NaN where
    fewer than two levels, or of age not all, have LEAST patients; p_holm: corrected for all methods, except controls,
    and variables of the task and metric. A variable with one level has no row.
    """
    values = [_values(path, results) for path in dict.fromkeys(map(findings.beside, paths)) if checksums.there(path)]
    table = pd.concat(values) if values else pd.DataFrame(columns=[*GROUP])
    rows: list[dict[str, Any]] = []
    for (experiment, task, metric), part in table.groupby(GROUP, sort=True):
        known = _people(part, people)
        facts = {"experiment": experiment, "task": task, "metric": metric}
        part = part.assign(patient=part["subject"].map(known["patient"]).fillna(part["subject"]))
        made = [row for variable in participants.COLUMNS for row in _variable(part, known, variable, metric == AP)]
        tested = {(row["method"], row["variable"]): row["p"] for row in made if not row.pop("control")}
        corrected = dict(zip(tested, holm(np.array([*tested.values()], float)), strict=True))
        rows += [facts | row | {"p_holm": corrected.get((row["method"], row["variable"]))} for row in made]
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(NUMBERS, float))


def _values(path: Path, results: pd.DataFrame) -> pd.DataFrame:
    """The values of the subjects of a run, a row for each subject and metric that its results have."""
    found, meta = findings.load(path)
    about = {key: meta[key] for key in ("experiment", *SIMULATED, "task", "dataset", "method", "family", "seed")}
    run = ["experiment", "task", "method", "seed"]
    own = results[(results[run] == pd.Series({key: meta[key] for key in run})).all(axis=1)]
    told = {*own["metric"]} | ({HEALTHY} if FALSE in {*own["metric"]} else set())
    parts = [part.assign(metric=metric) for metric, part in _of_subjects(found).items() if metric in told]
    return pd.concat(parts or [pd.DataFrame(columns=["metric"])]).assign(**about)


def _of_subjects(found: Findings) -> dict[str, pd.DataFrame]:
    """Subject, value and volume of the lesions in ml, by metric."""
    millilitres = found.voxel_volumes / 1000
    test = pd.DataFrame({"subject": found.subjects, "lesion_ml": found.anomalous * millilitres})
    tables = {AP: test.assign(value=found.ap)[found.anomalous > 0]}
    for k in np.flatnonzero(np.isclose(found.rates, RATE)):
        tables[FALSE] = test.assign(value=(found.flagged - found.true)[:, k] * millilitres)
        if found.healthy_subjects and found.thresholds[k] > 0:
            score = found.healthy_summaries.astype(float) / found.thresholds[k]
            tables[HEALTHY] = pd.DataFrame({"subject": found.healthy_subjects, "value": score, "lesion_ml": np.nan})
    return tables


def _people(part: pd.DataFrame, people: People) -> pd.DataFrame:
    """What the sheets state of the subjects of a task and metric, by subject; healthy ones are validation subjects."""
    if (part["metric"] == HEALTHY).any():
        chosen = [table[table["split"] == "validation"] for table in people.values()]
    else:
        chosen = [people[name] for name in part["dataset"].unique() if name in people]
    if not chosen:
        return pd.DataFrame(columns=["patient", *participants.COLUMNS])
    table = pd.concat(chosen)
    return table[table.index.isin(part["subject"]) & ~table.index.duplicated()]


def _variable(part: pd.DataFrame, known: pd.DataFrame, variable: str, bounded: bool) -> Iterator[dict[str, Any]]:
    """The rows of a variable: all methods, without the corrected p-value; bounded: of values in [0, 1]."""
    cells = known.dropna(subset=variable).groupby("patient")[variable]
    stated = cells.mean() if variable == "age" else cells.first()[cells.nunique() == 1]
    levels = _thirds(stated) if variable == "age" else stated.astype(str)
    if levels.nunique() < 2:
        return
    by_patient = part.groupby(["patient", "method", "seed"])["value"].mean().unstack([1, 2])
    volumes = part.groupby("patient")["lesion_ml"].mean()
    for about in part.drop_duplicates("method").sort_values("method").to_dict("records"):
        seeds = by_patient[about["method"]].dropna(how="all")
        level = levels.reindex(seeds.index)
        facts = {key: about[key] for key in ("method", *SIMULATED)} | {"control": about["family"] == CONTROL}
        facts |= {"variable": variable, "seeds": len(seeds.columns), "unknown": int(level.isna().sum())}
        facts |= _test(seeds.mean(axis=1), stated.reindex(seeds.index), level, variable)
        for name in THIRDS if variable == "age" else sorted(levels.unique()):
            chosen = level.index[level == name]
            ages = stated[chosen] if variable == "age" and len(chosen) else pd.Series([np.nan])
            span = {"from": ages.min(), "to": ages.max()} if variable == "age" else {}
            yield facts | {"level": name, **span, **_level(seeds.loc[chosen], volumes[chosen], bounded)}


def _thirds(ages: pd.Series) -> pd.Series:
    """The third of each patient's age: up to the first tertile, up to the second, above; equal ages are together."""
    limits = np.quantile(ages, [1 / 3, 2 / 3]) if len(ages) else []
    return pd.Series(np.array(THIRDS)[np.searchsorted(limits, ages)], ages.index)


def _level(seeds: pd.DataFrame, volumes: pd.Series, bounded: bool) -> dict[str, Any]:
    """Mean and interval of the patients of a level; seeds: values (patients, seeds); bounded: in [0, 1]."""
    number, values = len(seeds), seeds.mean(axis=1).to_numpy()
    out: dict[str, Any] = {"patients": number, "lesion_ml": volumes.mean()}
    if number < LEAST:
        return out
    spread = seeds.mean().std(ddof=1)  # NaN of one seed
    interval = _interval(values, bounded)
    return out | {"value": values.mean(), "std": spread, "low": interval.low, "high": interval.high}


def _interval(values: np.ndarray, bounded: bool) -> Interval:
    """Interval of a mean of patients (n,), as `jackknife.ratio` has it."""
    left_out = ratio_left_out(values, np.ones(len(values)), range(len(values)))
    return pooled(float(values.mean()), left_out, bounded=bounded, freedom=len(values) - 1.0 if bounded else None)


def _test(values: pd.Series, stated: pd.Series, levels: pd.Series, variable: str) -> dict[str, Any]:
    """The test whether values by patient depend on age, or differ between levels of at least LEAST patients."""
    from scipy import stats  # slow to import, and tables need none of it

    parts = [values[own] for own in levels.groupby(levels).groups.values() if len(own) >= LEAST]
    enough = len(parts) == len(THIRDS) if variable == "age" else len(parts) > 1
    out: dict[str, Any] = {"test": SPEARMAN if variable == "age" else KRUSKAL, "p": np.nan}
    if not enough or pd.concat(parts).nunique() < 2:
        return out
    if variable != "age":
        return out | {"p": float(stats.kruskal(*parts).pvalue)}
    ages, values = stated.dropna(), values[stated.notna()]
    rank, line = stats.spearmanr(ages, values), stats.theilslopes(values, ages)
    slopes = {"slope": line.slope, "slope_low": line.low_slope, "slope_high": line.high_slope}
    return out | {"rho": rank.statistic, "p": rank.pvalue, **{key: DECADE * number for key, number in slopes.items()}}
