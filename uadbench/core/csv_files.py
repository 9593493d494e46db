"""CSV files as rows of text: columns checked when read, whole when written.

Large tables (results, histories, comparisons) are read by pandas instead: `uadbench.paper.results`.

A spreadsheet runs a cell that begins with one of = + - @ as a formula, also one of a title or file name of somebody
else. Such a text is written with an apostrophe before it, which readers here remove again; numbers are not.
"""

import contextlib
import csv
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from uadbench.core.errors import HarnessError
from uadbench.core.faults import NO_FILE
from uadbench.core.files import atomic, content

COMMAS = "separate the columns by commas"
FORMULA = re.compile(r"'*(\s*[=+\-@]|[\t\n])")  # begins a cell that needs an apostrophe, or has one


def read(path: Path, columns: Sequence[str], remedy: str) -> list[dict[str, str]]:
    """Rows of a CSV file in UTF-8 by column; `columns` must be among them.

    Raises HarnessError, which ends with `remedy`, for a missing or empty file, one that is no such CSV, a missing
    column, and a row with more or fewer cells than columns, as a file has that was cut off.
    """
    whole = text(path, remedy)
    reader = csv.DictReader(io.StringIO(whole, newline=""))
    with faults_named(path, remedy):
        rows, head = list(reader), list(reader.fieldnames or ())
    check_columns(path, head, columns, remedy)
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise HarnessError(f"{path}, row {number}: more or fewer cells than the {len(head)} columns; {remedy}")
    check_end(path, whole, remedy)
    return [{column: unquoted(cell) for column, cell in row.items()} for row in rows]


def quoted(cell: Any) -> Any:
    """A cell as it is written: a text that a spreadsheet would run gets an apostrophe; numbers stay.

    A carriage return, which readers take for the end of the row, becomes a line feed.
    """
    if not isinstance(cell, str):
        return cell
    cell = cell.replace("\r", "\n")
    return f"'{cell}" if FORMULA.match(cell) and not _is_number(cell) else cell


def unquoted(cell: str) -> str:
    """The text of a cell that `quoted` wrote."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def text(path: str | os.PathLike[str], remedy: str) -> str:
    """The text of a CSV file. Raises HarnessError, which ends with `remedy`, if it is missing or no UTF-8."""
    with faults_named(path, remedy):
        return content(path).decode("utf-8-sig")


def check_end(path: str | os.PathLike[str], text: str, remedy: str) -> None:
    """Raise HarnessError, which ends with `remedy`, where the last line of a text lacks its end: it may be cut off."""
    if not text.endswith("\n"):
        raise HarnessError(f"{path}: its last line is cut off, or has no line end; {remedy}")


@contextlib.contextmanager
def faults_named(path: str | os.PathLike[str], remedy: str) -> Iterator[None]:
    """Raise HarnessError, which ends with `remedy`, where the file read within is missing or no CSV in UTF-8."""
    try:
        yield
    except NO_FILE:
        wrong = "is a folder; name a file in it, or" if os.path.isdir(path) else "no such file;"
        raise HarnessError(f"{path}: {wrong} {remedy}") from None
    except UnicodeDecodeError as error:
        raise HarnessError(f"{path}: is no CSV in UTF-8 ({error}), save it as UTF-8; {remedy}") from None
    except (ValueError, csv.Error) as error:  # those of pandas are ValueErrors
        raise HarnessError(f"{path}: is no CSV in UTF-8 ({str(error).strip()}); {remedy}") from None


def check_columns(path: str | os.PathLike[str], head: Sequence[str], columns: Iterable[str], remedy: str) -> None:
    """Raise HarnessError, which ends with `remedy`, for a file without columns or without one of `columns`."""
    if not head:
        raise HarnessError(f"{path}: the file is empty; {remedy}")
    for column in columns:
        if column not in head:
            apart = f"; {COMMAS}" * is_joined(head)
            raise HarnessError(f"{path}: no column {column!r}; the columns are {', '.join(head)}{apart}; {remedy}")


def is_joined(head: Sequence[str]) -> bool:
    """Whether the columns are one because something else than commas separates them."""
    return len(head) == 1 and re.search("[;\t|]", head[0]) is not None


def write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV; an error leaves the former file. Raises OSError, on a full disk with the name of the file."""
    with atomic(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({column: quoted(cell) for column, cell in row.items()} for row in rows)
