"""Report of preprocessing: status of each subject, with file and reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from uadbench.core import csv_files
from uadbench.core.errors import HarnessError
from uadbench.core.files import FULL

COLUMNS = ("subject", "status", "file", "reason")


@dataclass(frozen=True)
class Outcome:
    """A line of a chunk's report. status: done, partial (the file is lost, the subject's T1 is not) or lost.

    The reason of a done subject is a note.
    """

    subject: str
    status: str
    file: str = ""
    reason: str = ""


def write_report(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Write a report as CSV with the columns subject, status, file, reason. Raises HarnessError if that fails."""
    try:
        csv_files.write(path, COLUMNS, (asdict(outcome) for outcome in outcomes))
    except OSError as error:
        raise unwritten(path, error) from error


def read_report(path: Path) -> list[Outcome]:
    """Read a report. Raises HarnessError for a missing file or other columns."""
    rows = csv_files.read(path, COLUMNS, "make the report with `uadbench preprocess`")
    return [Outcome(**{column: row[column] for column in COLUMNS}) for row in rows]


def unwritten(path: Path, error: OSError) -> HarnessError:
    """Error for an output that could not be written: path, reason, and remedy."""
    remedy = "make room" if error.errno in FULL else "mend this"
    return HarnessError(
        f"{path}: cannot be written ({error.strerror or error}); {remedy} and run again, which keeps finished work"
    )
