"""Report of preprocessing: status of each subject, with file and reason."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from uadbench.errors import HarnessError
from uadbench.files import FULL, atomic

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
        with atomic(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(outcome) for outcome in outcomes)
    except OSError as error:
        raise unwritten(path, error) from error


def read_report(path: Path) -> list[Outcome]:
    """Read a report. Raises HarnessError for a missing file or other columns."""
    if not path.is_file():
        raise HarnessError(f"{path}: no such report; make it with `python -m uadbench preprocess`")
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise HarnessError(f"{path}: is no report of `preprocess`; its columns must be {', '.join(COLUMNS)}")
        return [Outcome(**record) for record in reader]


def unwritten(path: Path, error: OSError) -> HarnessError:
    """Error for an output that could not be written: path, reason, and remedy."""
    remedy = "make room" if error.errno in FULL else "mend that"
    return HarnessError(
        f"{path}: cannot be written ({error.strerror or error}); {remedy} and run again, what is done is kept"
    )
