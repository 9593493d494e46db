"""Significance of differences between methods, from comparisons.csv, for the marking of best numbers in tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from uadbench.core.study_folder import COMPARISONS
from uadbench.evaluation.summary.comparisons import BOTH, COLUMNS
from uadbench.paper.rows import read_rows

NUMBERS = ("difference", "low", "high", "p", "p_holm")
ALPHA = 0.05  # significance level of p-values after Holm's correction
Key = tuple[str, str, str, str, str]  # protocol, task, metric, the better method, the other


def read_comparisons(path: Path) -> pd.DataFrame:
    """Rows of comparisons.csv. Raises HarnessError as `read_rows`."""
    return read_rows(path, COLUMNS, NUMBERS, "run `uadbench summarize` again")


@dataclass(frozen=True)
class Comparisons:
    """Significant differences under resampling of both subjects and seeds."""

    better: Mapping[Key, float] = field(default_factory=dict)  # corrected p-values

    @classmethod
    def beside(cls, results_csv: str | Path) -> Comparisons:
        """Read comparisons.csv beside results.csv; without such a file nothing is significant.

        Raises HarnessError if the file is no table, lacks a column or holds a malformed number.
        """
        path = Path(results_csv).with_name(COMPARISONS)
        if not path.is_file():
            return cls()
        rows = read_comparisons(path)
        kept = rows[(rows["p_holm"] < ALPHA) & (rows["resampled"] == BOTH)]
        found: dict[Key, float] = {}
        for row in kept.to_dict("records"):
            pair = (row["method"], row["other"]) if row["difference"] > 0 else (row["other"], row["method"])
            found[(row["protocol"], row["task"], row["metric"], *pair)] = float(row["p_holm"])
        return cls(found)

    def is_better(self, protocol: str, task: str, metric: str, method: str, other: str) -> bool:
        """Whether `method` is significantly better than `other`."""
        return (protocol, task, metric, method, other) in self.better
