"""Tables independent of file format: columns, rows with our and the paper's numbers, chance level and notes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from uadbench.methods.postprocessing import FILTERED, HEADING
from uadbench.methods.registry import CONTROL
from uadbench.paper import grids, terms
from uadbench.paper.histories import Warned
from uadbench.paper.inputs import Better
from uadbench.paper.published import Published, quoted
from uadbench.paper.results import Results
from uadbench.paper.summary import Summary

METRICS = {
    "ap": "AP",
    "dice": "⌈Dice⌉",
    "auroc": "AUROC",
    "subject_ap": "subject AP",
}  # headings; tables of other metrics have their own
PRINTED = 2  # digits of the paper's numbers
PAPER = "Naval Marimont et al., ISBI 2024"
Chance = tuple[float | None, ...]  # AP of chance, one entry per column, None for other metrics


@dataclass(frozen=True)
class Column:
    """One metric of one task; paper: whether the paper has any number for it; score: default, that of the row.

    quoted: heading of a column that holds only numbers of another benchmark, in place of the paper's.
    """

    task: str
    metric: str
    paper: bool
    score: str = ""
    quoted: str = ""

    @property
    def printed(self) -> list[bool]:
        """Its printed columns: whether each has numbers of others."""
        return [*[False] * (not self.quoted), *[True] * self.paper]


@dataclass(frozen=True)
class Row:
    """One line: our numbers and the paper's, one entry per column, None where missing."""

    section: str
    label: str
    method: str
    title: str
    family: str
    score: str
    ours: tuple[Summary | None, ...]
    paper: tuple[Summary | None, ...]


@dataclass(frozen=True)
class Table:
    """Content of a table for the writers of CSV, Markdown and LaTeX."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    results: Results
    heads: tuple[str, str] = ("", "Method")  # headings of the section and the label
    best: frozenset[tuple[int, int]] = field(default_factory=frozenset)  # (row, column) in bold
    section_chance: Mapping[str, Chance] = field(default_factory=dict)  # printed below the rows of each section
    headings: Mapping[str, str] = field(default_factory=lambda: METRICS)  # headings of its metrics
    warnings: tuple[Warned, ...] = ()  # for the CSV

    def heading(self, column: Column, others: bool = False) -> str:
        """Heading of the column of our numbers, or of that of the numbers of others."""
        if others:
            return column.quoted or "paper"
        return self.headings[column.metric] + f", {HEADING}" * (column.score == FILTERED)

    @cached_property
    def chance(self) -> Chance:
        return chance(self.results, self.columns)

    def chance_at(self, row: Row) -> Chance:
        """Chance levels for the comparison of a row."""
        return self.section_chance.get(row.section, self.chance)

    def chance_below(self, i: int) -> Chance | None:
        """Chance levels to print right below row `i` if it is the last of its section; else None."""
        last = i + 1 == len(self.rows) or self.rows[i + 1].section != self.rows[i].section
        return self.section_chance.get(self.rows[i].section) if last else None

    @property
    def chance_last(self) -> Chance | None:
        """Chance levels to print below all rows, or None."""
        return None if self.section_chance or all(value is None for value in self.chance) else self.chance

    def numbers(self, i: int) -> Iterator[tuple[Summary | None, bool, bool]]:
        """The numbers of row `i` as printed: each with whether it is bold, and whether it is of others."""
        for j, column in enumerate(self.columns):
            for others in column.printed:
                numbers = self.rows[i].paper if others else self.rows[i].ours
                yield numbers[j], not others and (i, j) in self.best, others

    def chance_cells(self, levels: Chance) -> list[str]:
        """Label and numbers of a line of chance levels, empty where there is none and in columns of the paper."""
        cells = ["Chance AP"]
        for column, value in zip(self.columns, levels, strict=True):
            cells += ["" if others or value is None else chance_text(value) for others in column.printed]
        return cells

    @cached_property
    def spanned(self) -> frozenset[int]:
        """Columns whose numbers are printed with their interval."""
        return frozenset(j for row in self.rows for j, number in enumerate(row.ours) if number and number.spanned)

    @cached_property
    def spans(self) -> dict[str, int]:
        """Number of printed columns of each task."""
        return {task: sum(len(c.printed) for c in self.columns if c.task == task) for task in self.results.tasks}

    @property
    def banner(self) -> str:
        return self.results.simulated

    def by_task(self) -> list["Table"]:
        """A table for each task, of the same rows."""
        return [self.part(columns) for columns in self.tasks_columns]

    @property
    def tasks_columns(self) -> list[list[int]]:
        """The columns of each task that has any."""
        columns = {task: [j for j, column in enumerate(self.columns) if column.task == task] for task in self.spans}
        return [found for found in columns.values() if found]

    def part(self, kept: list[int]) -> "Table":
        """The table with some of its columns."""

        def only(row: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(row[j] for j in kept)

        return replace(
            self,
            columns=only(self.columns),
            rows=tuple(replace(row, ours=only(row.ours), paper=only(row.paper)) for row in self.rows),
            best=frozenset((i, kept.index(j)) for i, j in self.best if j in kept),
            section_chance={section: only(levels) for section, levels in self.section_chance.items()},
        )


def columns(results: Results, published: Published, table: str, metrics: Iterable[str]) -> tuple[Column, ...]:
    """One column per task and metric, tasks in the order of results.csv."""
    printed = published.columns(table)
    return tuple(Column(t, m, (t, m) in printed) for t in results.tasks for m in metrics)


def method_row(
    entry: tuple[str, str, str],
    cols: tuple[Column, ...],
    results: Results,
    published: Published | None = None,
    section: str | None = None,
) -> Row:
    """The line of one method, (method, title, family), by its final score: ours, and the paper's Table 2 if given.

    section: defaults to its family.
    """
    method, title, family = entry
    name = quoted(method, {ran for ran, _, _ in results.methods})
    return Row(
        section=family if section is None else section,
        label=grids.label(results, method, title),
        method=method,
        title=title,
        family=family,
        score="final",
        ours=tuple(results.get(method, c.task, c.score or "final", c.metric) for c in cols),
        paper=tuple(
            published.get("table2", name, c.task, "final", c.metric) if published and not c.score else None
            for c in cols
        ),
    )


def chance(results: Results, cols: tuple[Column, ...]) -> Chance:
    """Chance level of the AP columns; None for other metrics."""
    return tuple(results.chance(column.task) if column.metric == "ap" else None for column in cols)


def best(
    rows: tuple[Row, ...], cols: tuple[Column, ...], group: Iterable[int], tests: frozenset[Better], protocol: str
) -> frozenset[tuple[int, int]]:
    """(row, column) of the method of a group of rows that is significantly better than every other one.

    tests: of final scores under `protocol`. Controls, columns of an untested metric or of other scores, and columns
    with one method have no best entry.
    """
    marked = set()
    for j, column in ((j, column) for j, column in enumerate(cols) if not column.score):
        ranked = [i for i in group if rows[i].family != CONTROL and rows[i].ours[j] is not None]
        for i in ranked:
            others = [rows[other].method for other in ranked if other != i]
            key = (protocol, column.task, column.metric, rows[i].method)
            if others and all((*key, other) in tests for other in others):
                marked.add((i, j))
    return frozenset(marked)


def chance_text(value: float) -> str:
    """A chance level with at least three decimals and two significant digits."""
    digits = 3
    while digits < 8 and 0 < value < 10 ** (1 - digits):
        digits += 1
    return f"{value:.{digits}f}"


def notes(results: Results, rows: tuple[Row, ...]) -> list[str]:
    """Notes below every table: seeds, subjects, chance, and the markup of our numbers and the paper's."""
    protocol = [f"Evaluation protocol: {results.protocol}."] if results.protocol != "full" else []
    return [*protocol, *shared_notes(results, rows)]


def shared_notes(results: Results, rows: tuple[Row, ...]) -> list[str]:
    """The notes that do not depend on the protocol."""
    return [
        seeds_note(rows),
        subjects_note(results),
        *terms.filters(results),
        grids.note(results),
        "Chance AP: share of anomalous voxels among the voxels evaluated.",
        f"Italics: as printed by {PAPER}. Dash: not run here, or not in the paper."
        if any(number for row in rows for number in row.paper)
        else "Dash: not run here.",
    ]


def subjects_note(results: Results) -> str:
    """Note on the numbers of evaluated scans and patients, and the names of those that preprocessing lost."""
    differ = any("–" in text for task in results.tasks for text in results.subjects(task))
    listed = ", ".join(f"{task} {results.population(task)}" for task in results.tasks)
    return f"Subjects evaluated (left out): {listed}." + " A range: methods differ in it." * differ


def seeds_note(rows: tuple[Row, ...]) -> str:
    """Note on the number of seeds behind the numbers of `rows`."""
    counts: dict[int, list[str]] = {}
    for row in rows:
        for summary in row.ours:
            if summary is not None:
                counts.setdefault(len(summary.seeds), []).append(row.label)
    if not counts:
        return "No method of this table was run."
    spread = "Mean ± sample standard deviation (n − 1) over"
    if len(counts) == 1:
        (count,) = counts
        return "One seed, hence no standard deviation." if count == 1 else f"{spread} {count} seeds."
    parts = [f"{count} for {', '.join(dict.fromkeys(counts[count]))}" for count in sorted(counts, reverse=True)]
    return f"{spread} seeds, where there is more than one: {'; '.join(parts)}."
