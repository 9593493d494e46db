"""Rows of the study's CSV files, read as text with their numbers checked."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from uadbench.core import csv_files
from uadbench.core.errors import HarnessError


def read_rows(
    path: str | Path, columns: Sequence[str], numbers: Sequence[str], remedy: str, flags: Sequence[str] = ()
) -> pd.DataFrame:
    """Rows of a CSV file: text, but `numbers` as float (NaN if empty), `flags` as bool and `seed` as int.

    Raises HarnessError, which ends with `remedy`, as `csv_files.read`, and for a malformed number or flag. Pandas,
    which large tables need, pads rows that are too short.
    """
    with csv_files.faults_named(path, remedy):
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    csv_files.check_columns(path, [*map(str, rows)], columns, remedy)
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
