"""Age, sex, site and scanner of subjects, as a data set's participants.tsv states them."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from uadbench.core import csv_files
from uadbench.core.files import content
from uadbench.core.study_folder import PARTICIPANTS

COLUMNS = ("age", "sex", "site", "scanner")
MISSING = ("", "n/a", "na", "nan", "none")  # in lower case

Participants = dict[str, dict[str, str]]


def read(root: Path) -> Participants:
    """The columns of COLUMNS by participant, from `participants.tsv` (BIDS) in `root`; {} if there is no such table.

    Names of columns count without capitals and blanks, names of participants without `sub-`. Raises HarnessError for a
    file that cannot be read.
    """
    path = root / PARTICIPANTS
    if not path.is_file():
        return {}
    text = content(path).decode("utf-8-sig", errors="replace")
    with csv_files.faults_named(path, "save it as tab-separated text, or remove it"):
        return table(csv.DictReader(io.StringIO(text, newline=""), delimiter="\t"), "participant_id")


def table(rows: Iterable[Mapping[str | None, str | None]], name: str) -> Participants:
    """The columns of COLUMNS by the column `name`; rows without a name are passed over."""
    found: Participants = {}
    for row in rows:
        cells = {(key or "").strip().lower(): value.strip() for key, value in row.items() if isinstance(value, str)}
        known = {column: cells.get(column, "") for column in COLUMNS}
        if subject := cells.get(name, "").removeprefix("sub-"):
            found[subject] = {column: "" if cell.lower() in MISSING else cell for column, cell in known.items()}
    return found


def of(subject: str, patient: str, participants: Participants) -> dict[str, str]:
    """The columns of one subject: those of its own name, else those of its patient, else empty cells."""
    for name in (subject, patient):
        if found := participants.get(name.removeprefix("sub-")):
            return found
    return dict.fromkeys(COLUMNS, "")
