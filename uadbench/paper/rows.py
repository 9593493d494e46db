"""Rows of the study's CSV files, read as text with their numbers checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from uadbench.errors import HarnessError


def read_rows(path: str | Path, columns: Sequence[str], numbers: Sequence[str], command: str) -> pd.DataFrame:
    """Rows of a CSV file that the command of a name writes: text, but `numbers` as float (NaN if empty), `seed` as int.

    Raises HarnessError if the file is absent, lacks one of `columns` or holds a malformed number.
    """
    if not Path(path).is_file():
        raise HarnessError(f"{path}: no such file; write it with `python -m uadbench {command}`")
    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    except pd.errors.EmptyDataError:
        rows = pd.DataFrame()
    missing = [column for column in columns if column not in rows.columns]
    if missing:
        raise HarnessError(f"{path}: no column {missing[0]!r}; the columns are {', '.join(columns)}")
    try:
        for column in numbers:
            rows[column] = pd.to_numeric(rows[column].where(rows[column] != "")).astype(float)
        rows["seed"] = rows["seed"].astype(int)
    except ValueError as error:
        raise HarnessError(f"{path}: a number is malformed ({error}); write the file again") from error
    return rows
