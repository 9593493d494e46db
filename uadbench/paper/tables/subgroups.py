"""Table of subgroups: whom a method fails, by age, sex, site and scanner of the subjects."""

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from uadbench.evaluation.summary.subgroups import AP, FALSE, HEALTHY, KRUSKAL, LEAST, SPEARMAN, THIRDS
from uadbench.methods.registry import CONTROL
from uadbench.paper import grids
from uadbench.paper.inputs import ALPHA, Sources
from uadbench.paper.results import Results
from uadbench.paper.summary import Summary
from uadbench.paper.table import Column, Row, Table
from uadbench.paper.tables.detection import PROTOCOL
from uadbench.paper.tables.table2 import order
from uadbench.paper.terms import filters

HEADINGS = {AP: "AP", FALSE: "FP, ml", HEALTHY: "healthy"}
P = "p"
FLOOR = 0.001  # the least p-value that is printed
CAPTION = (
    "Means over subjects by age, sex, site and scanner: AP within a subject with an anomaly; volume of false positives "
    "(FP) at the threshold that 1 % of healthy subjects' brain voxels reach; and of healthy validation subjects the "
    "99th percentile of the scores, divided by that threshold (above 1: more false positives than healthy subjects "
    "have on average), once for the tasks of a modality."
)


def make(sources: Sources) -> Table:
    """Build the table from subgroup_means.csv: a section for each level, and below them one for the tests."""
    results, rows = sources.under(PROTOCOL), sources.subgroups
    shown = rows[rows["value"].notna()]
    there = {*zip(shown["task"], shown["metric"], strict=True)}
    there = there - {(task, HEALTHY) for task in _repeated(results)} | {(task, AP) for task in results.tasks}
    cols = tuple(
        Column(task, metric, False) for task in results.tasks for metric in HEADINGS if (task, metric) in there
    )
    entries = order(sources.published.methods("table2"), results.methods)
    done = tuple(
        _row(entry, section, cols, results, rows)
        for section in _sections(shown)
        for entry in entries
        if section[1] != P or entry[2] != CONTROL
    )
    best = {
        (i, j)
        for i, row in enumerate(done)
        for j, number in enumerate(row.ours)
        if row.section.endswith(f": {P}") and number and number.mean < ALPHA
    }
    notes = (*_notes(rows, results), grids.note(results), *filters(results)) if done else (ABSENT,)
    return Table(
        "subgroups", CAPTION, cols, done, notes, results, heads=("Subgroup", "Method"), best=frozenset(best),
        headings=HEADINGS,
    )  # fmt: skip


ABSENT = f"No subgroups: no test set states age, sex, site or scanner of at least {LEAST} subjects in two groups."


def _repeated(results: Results) -> set[str]:
    """Tasks whose modality an earlier one has, and with it runs and healthy subjects."""
    tasks = results.rows.drop_duplicates("task")
    return {*tasks.loc[tasks.duplicated("modality"), "task"]}


def levels(rows: pd.DataFrame) -> Iterator[tuple[str, list[str]]]:
    """Variables and their levels, thirds of age in their order."""
    for variable, part in rows.groupby("variable", sort=False):
        named = part["level"].unique()
        yield str(variable), [third for third in THIRDS if third in named] if variable == "age" else sorted(named)


def _sections(shown: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Variable and level of each section; P in place of a level for the tests."""
    for variable, named in levels(shown):
        yield from ((variable, level) for level in named)
        if shown.loc[shown["variable"] == variable, "p_holm"].notna().any():
            yield variable, P


def _row(
    entry: tuple[str, str, str],
    section: tuple[str, str],
    cols: tuple[Column, ...],
    results: Results,
    rows: pd.DataFrame,
) -> Row:
    method, title, family = entry
    variable, level = section
    own = rows[(rows["method"] == method) & (rows["variable"] == variable)]
    own = own if level == P else own[own["level"] == level]
    found = {(row["task"], row["metric"]): row for row in own.to_dict("records")}
    seeds = tuple(map(int, results.rows.loc[results.rows["method"] == method, "seed"].unique()))
    ours = tuple(_number(found.get((column.task, column.metric)), level, seeds) for column in cols)
    text, label = f"{variable}: {level}", grids.label(results, method, title)
    return Row(text, label, method, title, family, "final", ours, (None,) * len(cols))


def _number(row: Mapping[Hashable, Any] | None, level: str, seeds: tuple[int, ...]) -> Summary | None:
    if row is None or not np.isfinite(row["p_holm" if level == P else "value"]):
        return None
    if level == P:
        return Summary(max(row["p_holm"], FLOOR), seeds=seeds)
    std, low, high = (float(row[name]) if np.isfinite(row[name]) else None for name in ("std", "low", "high"))
    return Summary(row["value"], std, low, high, seeds, spanned=True)


def _notes(rows: pd.DataFrame, results: Results) -> list[str]:
    ran = results.rows[results.rows["family"] != CONTROL]["seed"].nunique()
    return [
        f"In brackets: 95 % interval over subjects, of their means over {ran} seeds. "
        f"Dash: fewer than {LEAST} subjects, or not computed.",
        f"p: of {SPEARMAN}'s correlation with age, or of {KRUSKAL}' test of the levels with {LEAST} subjects or more, "
        f"after Holm's correction for all methods but controls and all variables of the task; bold below {ALPHA:g}; "
        f"{FLOOR:g}: at most that. It holds for the trained runs.",
        "AP within a subject rises with the volume of the lesions, also of random scores: compare levels of unequal "
        "volumes with care.",
        *_populations(rows),
    ]


def _populations(rows: pd.DataFrame) -> Iterator[str]:
    """Numbers of subjects of each level by task, with ages, mean volumes of lesions, and those of unknown level."""
    for metric, what in ((AP, "Subjects with an anomaly, mean volume of their lesions"), (HEALTHY, "Healthy subjects")):
        tasks: dict[str, list[str]] = {}
        for task, own in rows[rows["metric"] == metric].groupby("task", sort=False):
            one = own[own["method"] == own["method"].iloc[0]]
            text = "; ".join(
                f"{variable}: {', '.join(map(_size, part.to_dict('records')))}{_unknown(part['unknown'].max())}"
                for variable, part in one.groupby("variable", sort=False)
            )
            tasks.setdefault(text, []).append(str(task))
        for text, names in tasks.items():
            yield f"{what}, {', '.join(names)} – {text}."


def _size(row: Mapping[Hashable, Any]) -> str:
    ages = f" {row['from']:g}–{row['to']:g}" if np.isfinite(row["from"]) else ""
    volume = f", {round(row['lesion_ml'], 1):.3g} ml" if np.isfinite(row["lesion_ml"]) else ""
    return f"{row['level']}{ages} ({row['patients']:.0f}{volume})"


def _unknown(number: float) -> str:
    return f", unknown ({number:.0f})" if number else ""
