"""Significance of differences between methods, from comparisons.csv, for the marking of best numbers in tables."""

from pathlib import Path

import pandas as pd

from uadbench.core.study_folder import COMPARISONS
from uadbench.evaluation.summary.comparisons import BOTH, COLUMNS
from uadbench.paper.rows import read_rows

NUMBERS = ("difference", "low", "high", "p", "p_holm")
ALPHA = 0.05  # significance level of p-values after Holm's correction
Better = tuple[str, str, str, str, str]  # protocol, task, metric, the better method, the other


def read_comparisons(path: Path) -> pd.DataFrame:
    """Rows of comparisons.csv, none for a missing file. Raises HarnessError as `read_rows`."""
    if not path.is_file():
        return pd.DataFrame(columns=COLUMNS)
    return read_rows(path, COLUMNS, NUMBERS, "run `uadbench summarize` again")


def significant(results_csv: Path) -> frozenset[Better]:
    """Significant differences under resampling of both subjects and seeds, from comparisons.csv beside results.csv."""
    rows = read_comparisons(results_csv.with_name(COMPARISONS))
    rows = rows[(rows["p_holm"] < ALPHA) & (rows["resampled"] == BOTH)]
    found = set[Better]()
    for row in rows.to_dict("records"):
        better, other = (row["method"], row["other"]) if row["difference"] > 0 else (row["other"], row["method"])
        found.add((row["protocol"], row["task"], row["metric"], better, other))
    return frozenset(found)
