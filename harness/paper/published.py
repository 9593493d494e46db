"""The numbers that Naval Marimont et al. 2024 print in Tables 1 and 2, read from `resources/paper.csv`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from harness.errors import HarnessError
from harness.paper.summary import Summary

PATH = Path(__file__).resolve().parents[2] / "resources" / "paper.csv"
COLUMNS = ["table", "method", "title", "family", "task", "score", "metric", "mean", "std"]


@dataclass(frozen=True)
class Published:
    """Published values, one row of `rows` per number; columns as in `COLUMNS`, `std` is NaN where none is printed."""

    rows: pd.DataFrame

    @classmethod
    def read(cls, path: str | Path = PATH) -> Published:
        """Read the file. Raises HarnessError if it is absent or lacks a column."""
        if not Path(path).is_file():
            raise HarnessError(f"{path}: no such file; give the table of published numbers with --published")
        rows = pd.read_csv(path, keep_default_na=False, na_values={"mean": [""], "std": [""]})
        missing = [column for column in COLUMNS if column not in rows.columns]
        if missing:
            raise HarnessError(f"{path}: no column {missing[0]!r}; the columns are {', '.join(COLUMNS)}")
        return cls(rows)

    def get(self, table: str, method: str, task: str, score: str, metric: str) -> Summary | None:
        """The number printed in `table` ("table1" or "table2"), or None where the paper prints none."""
        return self._numbers.get((table, method, task, score, metric))

    @cached_property
    def _numbers(self) -> dict[tuple[str, ...], Summary]:
        names = (self.rows[column] for column in ("table", "method", "task", "score", "metric", "mean", "std"))
        return {
            tuple(key): Summary(mean=float(mean), std=None if pd.isna(std) else float(std))
            for *key, mean, std in zip(*names, strict=True)
        }

    def scores(self, table: str, method: str) -> list[str]:
        """Names of the scores that `table` prints for `method`, in printed order."""
        rows = self.rows[(self.rows["table"] == table) & (self.rows["method"] == method)]
        return list(dict.fromkeys(rows["score"]))

    def methods(self, table: str) -> list[tuple[str, str, str]]:
        """(method, title, family) of the methods of `table`, in printed order."""
        rows = self.rows[self.rows["table"] == table][["method", "title", "family"]].drop_duplicates()
        return [(str(m), str(t), str(f)) for m, t, f in rows.itertuples(index=False)]
