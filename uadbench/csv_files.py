"""CSV files as rows of text: columns checked when read, whole when written.

Large tables (results, histories, comparisons) are read by pandas instead: `uadbench.paper.rows`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from uadbench.errors import HarnessError
from uadbench.files import atomic


def read(path: Path, columns: Sequence[str], remedy: str) -> list[dict[str, str]]:
    """Rows of a CSV file in UTF-8 by column; `columns` must be among them.

    Raises HarnessError, which ends with `remedy`, for a missing or empty file, one that is no such CSV, a missing
    column, and a row with more or fewer cells than columns, as a file has that was cut off.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            rows, head = list(reader), list(reader.fieldnames or ())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise HarnessError(f"{path}: no such file; {remedy}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise HarnessError(f"{path}: is no CSV in UTF-8 ({error}); {remedy}") from None
    if not head:
        raise HarnessError(f"{path}: the file is empty; {remedy}")
    missing = [column for column in columns if column not in head]
    if missing:
        raise HarnessError(f"{path}: no column {missing[0]!r}; the columns are {', '.join(head)}; {remedy}")
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise HarnessError(f"{path}, row {number}: more or fewer cells than the {len(head)} columns; {remedy}")
    return rows


def write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV; an error leaves the former file. Raises OSError, on a full disk with the name of the file."""
    with atomic(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
