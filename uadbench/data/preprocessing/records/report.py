"""Report of preprocessing: status of each subject, with file and reason; and records of those that it does not lose."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from uadbench.core import csv_files, faults
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json
from uadbench.core.study_folder import SUBJECT
from uadbench.data.index.sheet import Sheet

AGAIN = "preprocess the subject again, which redoes what is damaged alone: snakemake --forcerun preprocess"
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


def records(dataset: str, sheet: Sheet, registered: Path, outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Records of the subjects of a sheet that are not lost, by name.

    Raises HarnessError for a subject without a report, an unreadable record, and settings that differ from the rest.
    """
    reported = {outcome.subject for outcome in outcomes}
    if missing := [row.subject for row in sheet.rows if row.subject not in reported]:
        raise HarnessError(
            f"{dataset}: {len(missing)} subjects have no preprocessing report (first: {missing[0]}); run preprocess"
        )
    lost = {outcome.subject for outcome in outcomes if outcome.status == "lost"}
    found: dict[str, dict[str, Any]] = {}
    for name in (row.subject for row in sheet.rows if row.subject not in lost):
        found[name] = _record(registered / name / SUBJECT)
        if found[name]["settings"] != next(iter(found.values()))["settings"]:
            raise HarnessError(f"{registered / name}: has other settings than the rest; preprocess it again")
    return found


def _record(path: Path) -> dict[str, Any]:
    """The record of a registered subject. Raises HarnessError for an unreadable one."""
    try:
        record: dict[str, Any] = read_json(path)
        if {"settings", "template_to_scan", "volumes"} <= record.keys():
            return record
        reason = "it lacks its settings or checksums"
    except (FileNotFoundError, NotADirectoryError, ValueError, AttributeError) as error:
        reason = str(error)
    raise HarnessError(f"{path}: no record of a registered subject ({reason}); {AGAIN}")


def unwritten(path: Path, error: OSError) -> HarnessError:
    """Error for an output that could not be written: path, reason, and remedy."""
    remedy = faults.REMEDIES.get(error.errno or 0, faults.DISK)
    return HarnessError(f"{path}: cannot be written ({error.strerror or error}); {remedy}")
