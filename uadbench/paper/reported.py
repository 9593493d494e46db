"""Numbers of other benchmarks, quoted beside our rows of Table 2 where a config names them.

Each is a file of `uadbench/resources/reported`. Its columns bear its name, and stand only beside real scans of the
release and modality that the file states; they are never in a column of the paper's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import yaml

from uadbench.core.errors import HarnessError, choices
from uadbench.paper.catalogue import REPORTED, references
from uadbench.paper.published import unmarked
from uadbench.paper.results import Results
from uadbench.paper.summary import Summary
from uadbench.paper.table import Column, Row, Table


@dataclass(frozen=True)
class Reported:
    """A benchmark: its title, source, how its numbers were read, its setting, and numbers by method and test set."""

    title: str
    source: str
    read: str
    setting: str
    heading: str
    tests: Mapping[str, Mapping[str, str]]
    numbers: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, name: str) -> Reported:
        """The benchmark of a file. Raises HarnessError that lists the known ones for another name."""
        if name not in references():
            raise HarnessError(f"paper.references: {name!r} is unknown; {choices(name, references())}")
        return cls(**yaml.safe_load((REPORTED / f"{name}.yaml").read_text(encoding="utf-8")))

    def beside(self, results: Results) -> dict[str, list[str]]:
        """Its test sets that may stand beside each task of ours: none for simulated scans."""
        if results.simulated:
            return {}
        rows = results.rows.drop_duplicates("task")
        ours = zip(rows["task"], rows["release"], rows["modality"], strict=True)
        found = {
            task: [name for name, of in self.tests.items() if (of["release"], of["modality"]) == (release, modality)]
            for task, release, modality in ours
        }
        return {task: tests for task, tests in found.items() if tests}

    @property
    def note(self) -> str:
        """The note below a table that quotes it."""
        return (
            f"{self.title}: {self.source}; {self.read}. Other data, training and evaluation than here: {self.setting}."
        )


def quote(made: Table, chosen: Iterable[str]) -> Table:
    """A table with the columns of the chosen benchmarks behind those of the tasks that they may stand beside.

    Where it has a row of a method that was run. Raises HarnessError as `Reported.of`.
    """
    for reported in map(Reported.of, chosen):
        made = _quoted(made, reported, {unmarked(row.method) for row in made.rows if any(row.ours)})
    return made


def _quoted(made: Table, reported: Reported, ran: Collection[str]) -> Table:
    beside = reported.beside(made.results) if ran & reported.numbers.keys() else {}
    if not beside:
        reason = "simulated scans" if made.results.simulated else "no row and task of it"
        return replace(made, notes=(*made.notes, f"{reported.title} is left out: {reason}."))
    kept: list[Column | int] = []  # a new column, or the place of an old one
    for j, column in enumerate(made.columns):
        kept.append(j)
        if j + 1 == len(made.columns) or made.columns[j + 1].task != column.task:
            heading = f"{reported.title}, {reported.heading}"
            kept += [
                Column(column.task, test, True, quoted=f"{test} in {heading}") for test in beside.get(column.task, [])
            ]

    def number(row: Row, column: Column) -> Summary | None:
        value = reported.numbers.get(unmarked(row.method), {}).get(column.metric)
        return None if value is None else Summary(value)

    return replace(
        made,
        columns=tuple(made.columns[one] if isinstance(one, int) else one for one in kept),
        rows=tuple(
            replace(
                row,
                ours=tuple(row.ours[one] if isinstance(one, int) else None for one in kept),
                paper=tuple(row.paper[one] if isinstance(one, int) else number(row, one) for one in kept),
            )
            for row in made.rows
        ),
        best=frozenset((i, kept.index(j)) for i, j in made.best),
        notes=(*made.notes, reported.note),
    )
