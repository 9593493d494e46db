"""The page docs/claims.md: every claim with its quantity in the paper and in studies; the cells of Tables 1 and 2."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from uadbench.evaluation.summary.runs import SCORE
from uadbench.paper.claims.cells import Grid, cell, counted, grids, spanless
from uadbench.paper.claims.entries import SECTIONS, Claim
from uadbench.paper.claims.evidence import REAL, SAME, SIMULATED, SUBJECT, TASKS, Evidence, Measured, Printed
from uadbench.paper.claims.finding import Finding, verdict
from uadbench.paper.published import Published
from uadbench.paper.results import located_once
from uadbench.paper.writers.markdown import escape

PAPERS_OWN = Path("results/paper")
COMMAND = "uadbench claims {places} --out {out}"
WORDS = {
    SIMULATED: {True: "same direction", False: "not so here", None: "not decided"},
    REAL: {True: "same direction on these scans", False: "not so on these scans", None: "not decided"},
    SAME: {True: "supported", False: "not supported", None: "not decided"},
}
ABSENT_WORDS = "not tested"
ALONE = (
    ": intervals are over patients alone and decide nothing; only statements on subsets of patients, or on the code, "
    "may be decided"
)
EXACT = {True: "holds", False: "does not hold", None: "not decided"}
GUIDE = "evaluation.md"  # linked where the page lies beside it
HEAD = """# The paper, claim by claim

Every statement of Naval Marimont et al. (ISBI 2024) that a run can support or not, in our words: the number behind it
in the paper's tables, ours, and what follows. Differences are DISYRE's number minus the other one; in brackets stands
their 95 % interval over patients and seeds ({guide}). A statement counts as supported where its
interval or test decides for it, as not supported where it decides against it, and else as not decided. Tests are
corrected by Holm's method for all comparisons of a task, intervals are not: one without 0 may decide nothing.

**A simulated study supports nothing about brains.** The most that it can say is *same direction*: on the simulated
scans the statement is true. Its numbers do not compare with the paper's.
"""
HOW = """## How to test them

On the data of the paper, `snakemake --cores 8 --configfile config/paper.yaml` makes the files that "tested by" names
below, in `results/paper`, and

```text
{command}
```

adds its column. A study on other test sets says only whether a statement is true of its own scans. A statement is one
entry of `uadbench/paper/claims/entries.py`.
"""
CELLS = """## Cell by cell

The paper's numbers, and those of a study with their 95 % interval over patients and seeds. On the paper's own test sets
follow the difference and whether the printed number is within the interval, under the protocol closest to the one that
made it, if the config evaluates it; the patients are then the same, so that the interval is rather too wide for that.
Elsewhere numbers do not compare, and only the order of rows may.
"""


def write(places: Sequence[Path], out: Path, published: Path | None = None) -> str:
    """The page of the studies at `places`, as it stands at `out`. Raises HarnessError as `Measured`, `located_once`."""
    paper, studies = Printed(Published.read(*([published] if published else []))), _read(places)
    guide = f"[evaluation]({GUIDE})" if out.with_name(GUIDE).is_file() else f"`docs/{GUIDE}`"
    further = [] if any(study.kind == SAME for study in studies) else [PAPERS_OWN]
    parts = [
        HEAD.format(guide=guide),
        f"Made by `{_command(places, out)}`.\n",
        *_studies(studies),
        _overview(studies),
        HOW.format(command=_command([*places, *further], out)),
    ]
    for title, claims in SECTIONS.items():
        parts += [f"## {title}\n", *(part for claim in claims for part in _claim(claim, paper, studies))]
    parts += [CELLS, *(part for grid in grids(paper) for part in _grid(grid, paper, studies))]
    return "\n".join(parts)


def _read(places: Sequence[Path]) -> list[Measured]:
    """The studies, those of one name told apart by their place, as `join` does."""
    studies = [Measured(file) for file in located_once(places).values()]
    names = Counter(study.name for study in studies)
    for place, study in zip(places, studies, strict=True):
        study.name += f", {place.as_posix()}" * (names[study.name] > 1)
    return studies


def _command(places: Sequence[Path], out: Path) -> str:
    return COMMAND.format(places=" ".join(place.as_posix() for place in places), out=out.as_posix())


def _studies(studies: Sequence[Measured]) -> list[str]:
    """A sentence on each study with how many claims have which verdict, and one on real scans where there are none."""
    lines = []
    for study in studies:
        rows, results = [], study.results
        for task in study.tasks:
            rows.append(f"{task} {results.subjects(task)[0]} subjects")
        rows = rows or [f"no task of the paper ({', '.join(TASKS)})"]
        count = results.rows["seed"].nunique()
        told = Counter(said(claim, study)[0] for claims in SECTIONS.values() for claim in claims)
        listed = ", ".join(f"{number} {words}" for words, number in told.most_common())
        empty = "; ".join(study.unmeasured)
        lines.append(
            f"* **{escape(study.name)}**: {study.kind}; {', '.join(rows)}; {count} seed{'s' * (count > 1)}"
            f"{ALONE * (count == 1)}. {listed}."
            f"{f' AP is empty for a seed or all, and such a seed left out: {escape(empty)}.' * bool(empty)}"
        )
    kinds = {study.kind for study in studies}
    absent = "the paper's test sets" if REAL in kinds else "real scans, and so none on the paper's test sets"
    return [*lines, *[f"* No study here is on {absent}."] * (SAME not in kinds), ""]


@cache
def said(claim: Claim, study: Evidence) -> tuple[str, list[Finding]]:
    """The verdict of a study on a claim in words, and its findings; none where `lacks` names a reason."""
    found = [] if lacks(claim, study) else claim.measure(study)
    words = EXACT if claim.exact else WORDS[study.kind]
    return words[verdict(found)] if found else ABSENT_WORDS, found


def lacks(claim: Claim, study: Evidence) -> str:
    """What a study has nothing of that a claim on trained methods needs in any case; empty where it has both."""
    if claim.exact:
        return ""
    if not study.tasks:
        return f"a task of the paper: {', '.join(TASKS)}"
    known = any(study.by_seed(SUBJECT, task, SCORE) for task in study.tasks)
    return "" if known else f"AP of DISYRE (`{SUBJECT}`) on a task of the paper"


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
    told = [(study, *said(claim, study)) for study in studies]
    theirs = claim.measure(paper)
    about = [f"{claim.says} *{claim.where}.*\n", f"* Measured: {claim.quantity}."]
    about += [f"* Supported if {claim.holds}."] * bool(claim.holds)
    about += [f"* The paper: {text}." for text in (claim.printed, claim.remark) if text]
    about += [
        f"* {_column(study)}: {words}, needs {lacks(claim, study) or claim.needs}."
        for study, words, found in told
        if not found
    ]
    about += [f"* Tested by {claim.test}."]
    columns = {"paper": theirs, **{f"{_column(study)}: **{words}**": found for study, words, found in told}}
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
    told = [f"* {text}" for study in studies for text in (counted(grid, paper, study), spanless(grid, study)) if text]
    return [f"### {grid.title}\n", _table(heads, lines), *told, *[""] * bool(told)]


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] * len(heads)
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, rule, *lines)) + "\n"
