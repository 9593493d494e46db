"""The numbers that Naval Marimont et al. 2024 print in Tables 1 and 2, read from `uadbench/resources/paper.csv`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from uadbench.core.packaged import RESOURCES
from uadbench.paper.results import read_rows
from uadbench.paper.summary import Summary

PATH = RESOURCES / "paper.csv"
OWN = ("disyre", "mood22")  # rows computed by the authors of the paper
QUOTED = "upd"  # variant and protocol of all other rows: UPD_study
OFFICIAL = "official"  # protocol of the public code of the authors
COLUMNS = ["table", "method", "title", "family", "task", "score", "metric", "mean", "std"]


@dataclass(frozen=True)
class Published:
    """Published values, one row of `rows` per number; columns as in `COLUMNS`, `std` is NaN where none is printed.

    tasks: the paper's task by that of ours which its numbers may stand beside, see `quoting`; None: by the same name.
    The selection and order of the paper's tables apply in any case.
    """

    rows: pd.DataFrame
    tasks: Mapping[str, str] | None = None

    @classmethod
    def read(cls, path: str | Path = PATH) -> Published:
        """Read the file. Raises HarnessError if it is absent, lacks a column or holds a malformed number."""
        return cls(read_rows(path, COLUMNS, ("mean", "std"), "give the table of published numbers with --published"))

    def get(self, table: str, method: str, task: str, score: str, metric: str) -> Summary | None:
        """The number printed in `table` ("table1" or "table2"); None if there is none that may stand beside ours."""
        theirs = task if self.tasks is None else self.tasks.get(task)
        return self._numbers.get((table, method, theirs, score, metric)) if theirs else None

    def columns(self, table: str) -> set[tuple[str, str]]:
        """(task, metric), with the names of our tasks, of the numbers of `table` that may stand beside ours."""
        rows = self.rows[self.rows["table"] == table]
        printed = {*zip(rows["task"], rows["metric"], strict=True)}
        ours = {task: task for task, _ in printed} if self.tasks is None else self.tasks
        return {(task, metric) for task, theirs in ours.items() for other, metric in printed if other == theirs}

    @property
    def shown(self) -> bool:
        """Whether any number may stand beside ours."""
        return self.tasks is None or bool(self.tasks)

    @cached_property
    def _numbers(self) -> dict[tuple[str, ...], Summary]:
        rows = self.rows[["table", "method", "task", "score", "metric", "mean", "std"]].itertuples(index=False)
        return {tuple(key): Summary(mean, None if pd.isna(std) else std) for *key, mean, std in rows}

    def scores(self, table: str, method: str) -> list[str]:
        """Names of the scores that `table` prints for `method`, in printed order."""
        rows = self.rows[(self.rows["table"] == table) & (self.rows["method"] == method)]
        return list(dict.fromkeys(rows["score"]))

    def methods(self, table: str) -> list[tuple[str, str, str]]:
        """(method, title, family) of the methods of `table`, in printed order."""
        rows = self.rows[self.rows["table"] == table][["method", "title", "family"]].drop_duplicates()
        return [(str(m), str(t), str(f)) for m, t, f in rows.itertuples(index=False)]


def unmarked(method: str) -> str:
    """The name of a method without that of its experiment, as joined results have it: "dae" of "dae (demo)"."""
    return method.partition(" (")[0]


def made_by(method: str) -> str:
    """The protocol closest to that of the paper's row of a method, or of its variant, in Table 2."""
    return OFFICIAL if unmarked(method).partition("-")[0] in OWN else QUOTED


def quoted(method: str, ran: Collection[str]) -> str:
    """The method whose printed row of Table 2 belongs beside a method of this run; ran: all methods of this run.

    Eight rows are quoted from UPD_study: their numbers belong beside the variant NAME-upd where that was run, else
    beside NAME, the method as published by its authors.
    """
    name = unmarked(method)
    base, _, variant = name.partition("-")
    if variant == QUOTED:
        return base
    return "" if f"{name}-{QUOTED}" in map(unmarked, ran) else name
