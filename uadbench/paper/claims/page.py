"""The page docs/claims.md: every claim with its quantity in the paper and in studies; the cells of Tables 1 and 2."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from uadbench.paper.claims.cells import Grid, cell, counted, grids
from uadbench.paper.claims.entries import SECTIONS, Claim
from uadbench.paper.claims.evidence import REAL, SAME, SIMULATED, TASKS, Evidence, Measured, Printed
from uadbench.paper.claims.finding import Finding, verdict
from uadbench.paper.published import Published
from uadbench.paper.writers.markdown import escape

COMMAND = "uadbench claims {places} --out {out}"
WORDS = {
    SIMULATED: {True: "same direction", False: "not so here", None: "not decided"},
    REAL: {True: "same direction on these scans", False: "not so on these scans", None: "not decided"},
    SAME: {True: "supported", False: "not supported", None: "not decided"},
}
ABSENT_WORDS = "not tested"
ALONE = ", which decides nothing: intervals are over patients alone"
EXACT = {True: "holds", False: "does not hold", None: "not decided"}
ABSENT = {
    REAL: "No study on real scans is stored",
    SAME: "none on the paper's test sets at its size, which takes a GPU; none was run on a GPU",
}
HEAD = """# The paper, claim by claim

Every statement of Naval Marimont et al. (ISBI 2024) that a run can support or not, in our words: the number behind it
in the paper's tables, ours, and what follows. Differences are DISYRE's number minus the other one; in brackets stands
their 95 % interval over patients and seeds ([evaluation](evaluation.md)). A statement counts as supported where
interval or test decide for it, as not supported where they decide against it, and else as not decided. Tests are
corrected by Holm's method for all comparisons of a task, intervals are not: one without 0 may decide nothing.

**A simulated study supports nothing about brains.** The most that it can say is *same direction*: on the simulated
scans the statement is true. Its numbers do not compare with the paper's.
"""
HOW = """## How to test them

On the data of the paper, `snakemake --cores 8 --configfile config/paper.yaml` makes the files that "tested by" names
below, in `results/paper`, and

```text
uadbench claims docs/reference/demo docs/reference/all-methods results/paper --out docs/claims.md
```

adds its column. On test sets other than the paper's, verdicts are of those scans. A statement is one entry of
`uadbench/paper/claims/entries.py`.
"""
CELLS = """## Cell by cell

The paper's numbers, and those of a study with their 95 % interval over patients and seeds. On the paper's own test sets
follow the difference and whether the printed number is within the interval, under the protocol closest to the one that
made it, if the config evaluates it; the patients are then the same, so that the interval is rather too wide for that.
Elsewhere numbers do not compare, and only the order of rows may.
"""


def write(places: Sequence[Path], out: Path, published: Path | None = None) -> str:
    """The page of the studies at `places`, as it stands at `out`. Raises HarnessError as `Measured`."""
    paper, studies = Printed(Published.read(*([published] if published else []))), [Measured(place) for place in places]
    command = COMMAND.format(places=" ".join(place.as_posix() for place in places), out=out.as_posix())
    parts = [
        HEAD,
        f"Made by `{command}`, which a test compares with this page.\n",
        *_studies(studies),
        _overview(studies),
        HOW,
    ]
    for title, claims in SECTIONS.items():
        parts += [f"## {title}\n", *(part for claim in claims for part in _claim(claim, paper, studies))]
    parts += [CELLS, *(part for grid in grids(paper) for part in _grid(grid, paper, studies))]
    return "\n".join(parts)


def _studies(studies: Sequence[Measured]) -> list[str]:
    """A sentence on each study, one on those that there are none of, and how many claims have which verdict."""
    lines = []
    for study in studies:
        rows, results = [], study.results
        for task in study.tasks:
            rows.append(f"{task} {results.subjects(task)[0]} subjects")
        count = results.rows["seed"].nunique()
        told = Counter(said(claim, study)[0] for claims in SECTIONS.values() for claim in claims)
        listed = ", ".join(f"{number} {words}" for words, number in told.most_common())
        lines.append(
            f"* **{escape(study.name)}**: {study.kind}; {', '.join(rows)}; {count} seed{'s' * (count > 1)}"
            f"{ALONE * (count == 1)}. {listed}."
        )
    kinds = {study.kind for study in studies}
    absent = [words for kind, words in ABSENT.items() if kind not in kinds]
    return [*lines, *([f"* {'; '.join(absent)}."] if absent else []), ""]


@cache
def said(claim: Claim, study: Evidence) -> tuple[str, list[Finding]]:
    """The verdict of a study on a claim in words, and its findings."""
    found = claim.measure(study)
    words = EXACT if claim.exact else WORDS[study.kind]
    return words[verdict(found)] if found else ABSENT_WORDS, found


def beside(columns: Sequence[Sequence[Finding]]) -> list[list[str]]:
    """A line for each number that a column has: what it is of, and its text in each column, or a dash."""
    cells = [{finding.of: finding.text() for finding in found} for found in columns]
    return [[key, *(own.get(key, "–") for own in cells)] for key in dict.fromkeys(key for own in cells for key in own)]


def _overview(studies: Sequence[Measured]) -> str:
    """Every statement with its verdicts."""
    heads = ["statement", "in the paper", *(_column(study) for study in studies)]
    lines = [
        [f"[{claim.says}](#{anchor(claim.title)})", claim.where, *(said(claim, study)[0] for study in studies)]
        for claims in SECTIONS.values()
        for claim in claims
    ]
    return _table(heads, lines)


def _claim(claim: Claim, paper: Printed, studies: Sequence[Measured]) -> list[str]:
    """One statement: what is measured and when it is supported, then its findings beside the paper's."""
    told = {_column(study): said(claim, study) for study in studies}
    theirs = claim.measure(paper)
    about = [f"{claim.says} *{claim.where}.*\n", f"* Measured: {claim.quantity}."]
    about += [f"* Supported if {claim.holds}."] * bool(claim.holds)
    about += [f"* The paper: {text}." for text in (claim.printed, claim.remark) if text]
    about += [
        f"* {name}: {words}{f', needs {claim.needs}' * bool(claim.needs)}."
        for name, (words, found) in told.items()
        if not found
    ]
    about += [f"* Tested by {claim.test}."]
    columns = {"paper": theirs, **{f"{name}: **{words}**": found for name, (words, found) in told.items()}}
    columns = {name: found for name, found in columns.items() if found}
    lines = [[*map(escape, line)] for line in beside([*columns.values()])]
    table = [_table(["", *columns], lines)] if lines else []
    return [f"### {claim.title}\n", *about, "", *table]


def _column(study: Evidence) -> str:
    return f"{escape(study.name)} ({study.kind})"


def anchor(title: str) -> str:
    """The anchor of a heading, as the site and repositories make it."""
    return re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-")


def _grid(grid: Grid, paper: Printed, studies: Sequence[Measured]) -> list[str]:
    heads = [""]
    for task in TASKS:
        heads += [
            f"{task}, paper",
            *(f"{escape(study.name)}{', simulated' * (study.kind == SIMULATED)}" for study in studies),
        ]
    lines = []
    for label, method, score in grid.rows:
        line = [escape(label)]
        for task in TASKS:
            printed = paper.value(method, task, score, grid.metric)
            line.append(printed.text(2) if printed else "–")
            line += [
                cell(printed, study, study.closest(method).value(method, task, score, grid.metric)) for study in studies
            ]
        lines.append(line)
    told = [f"* {text}" for study in studies if (text := counted(grid, paper, study))]
    return [f"### {grid.title}\n", _table(heads, lines), *told, *[""] * bool(told)]


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] * len(heads)
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, rule, *lines)) + "\n"
