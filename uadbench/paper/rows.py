"""Rows of the study's CSV files, read as text with their numbers checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from uadbench.errors import HarnessError


def read_rows(
    path: str | Path, columns: Sequence[str], numbers: Sequence[str], remedy: str, flags: Sequence[str] = ()
) -> pd.DataFrame:
    """Rows of a CSV file: text, but `numbers` as float (NaN if empty), `flags` as bool and `seed` as int.

    Raises HarnessError, which ends with `remedy`, if the file is absent or no CSV, lacks one of `columns` or holds a
    malformed number or flag.
    """
    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise HarnessError(f"{path}: no such file; {remedy}") from None
    except pd.errors.EmptyDataError:
        rows = pd.DataFrame()
    except ValueError as error:  # of pandas, and of UTF-8
        raise HarnessError(f"{path}: not a table ({error}); {remedy}") from error
    missing = [column for column in columns if column not in rows.columns]
    if missing:
        raise HarnessError(f"{path}: no column {missing[0]!r}, the columns are {', '.join(columns)}; {remedy}")
    try:
        for column in numbers:
            rows[column] = pd.to_numeric(rows[column].where(rows[column] != "")).astype(float)
        if "seed" in columns:
            rows["seed"] = rows["seed"].astype(int)
    except ValueError as error:
        raise HarnessError(f"{path}: a number is malformed ({error}); {remedy}") from error
    for column in flags:
        words = rows[column].str.lower()
        if not words.isin(["true", "false"]).all():
            raise HarnessError(f"{path}: {column} is True or False in every row; {remedy}")
        rows[column] = words == "true"
    return rows
