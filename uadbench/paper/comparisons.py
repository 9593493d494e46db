"""Significance of differences between methods, from comparisons.csv, for the marking of best numbers in tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from uadbench.errors import HarnessError
from uadbench.evaluation.comparisons import BOTH, COLUMNS, NAME

ALPHA = 0.05  # significance level of p-values after Holm's correction
Key = tuple[str, str, str, str, str]  # protocol, task, metric, the better method, the other


@dataclass(frozen=True)
class Comparisons:
    """Significant differences under resampling of both subjects and seeds."""

    better: Mapping[Key, float] = field(default_factory=dict)  # corrected p-values

    @classmethod
    def beside(cls, results_csv: str | Path) -> Comparisons:
        """Read comparisons.csv beside results.csv; without such a file nothing is significant.

        Raises HarnessError if the file lacks a column or is no table.
        """
        path = Path(results_csv).with_name(NAME)
        if not path.is_file():
            return cls()
        try:
            rows = pd.read_csv(path)
        except (ValueError, UnicodeDecodeError) as error:  # pandas' own errors are ValueErrors
            raise HarnessError(f"{path}: not a table ({error}); run `python -m uadbench summarize` again") from error
        missing = [column for column in COLUMNS if column not in rows.columns]
        if missing:
            raise HarnessError(f"{path}: no column {missing[0]!r}; run `python -m uadbench summarize` again")
        kept = rows[(rows["p_holm"] < ALPHA) & (rows["resampled"] == BOTH)]
        found: dict[Key, float] = {}
        for row in kept.to_dict("records"):
            pair = (row["method"], row["other"]) if row["difference"] > 0 else (row["other"], row["method"])
            found[(row["protocol"], row["task"], row["metric"], *pair)] = float(row["p_holm"])
        return cls(found)

    def is_better(self, protocol: str, task: str, metric: str, method: str, other: str) -> bool:
        """Whether `method` is significantly better than `other`."""
        return (protocol, task, metric, method, other) in self.better
