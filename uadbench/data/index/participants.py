"""Columns of a data set's participants.tsv: age, sex, site and scanner of its subjects, and what else it states."""

import contextlib
import csv
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from uadbench.core import csv_files
from uadbench.core.files import content, read_json
from uadbench.core.study_folder import PARTICIPANTS

COLUMNS = ("age", "sex", "site", "scanner")
MISSING = ("", "n/a", "na", "nan", "none")  # in lower case
SEX = ("sex", "gender")
AGE = re.compile(r"age(?:at|in)?(?:mri|scan|imaging|years?|yrs?|y)?|(?:mri|scan|current|subject|patient)age")
RANGE = re.compile(r"\d+\s*[-–]\s*\d+")
#: words of a column that has another age than that at the scan
OTHER_AGES = {"onset", "diagnosis", "death", "first", "group", "education", "pet", "father", "mother"}

#: cells by participant, without `sub-`, and by name of the column, see `plain`
Participants = dict[str, dict[str, str]]


def read(root: Path) -> Participants:
    """All columns by participant, from `participants.tsv` (BIDS) in `root`; {} if there is no such table.

    Names of columns count without capitals and outer blanks, names of participants without `sub-`. Age and sex that
    are codes (ds004199: age class 4 is "16-20 years") stand as `participants.json` explains them. Raises HarnessError
    for a file that cannot be read.
    """
    path = root / PARTICIPANTS
    if not path.is_file():
        return {}
    text = content(path).decode("utf-8-sig", errors="replace")
    with csv_files.faults_named(path, "save it as tab-separated text, or remove it"):
        found = table(csv.DictReader(io.StringIO(text, newline=""), delimiter="\t"), "participant_id")
    for column in ("age", "sex"):
        _explain(found, column, path.with_suffix(".json"))
    return found


def _explain(participants: Participants, column: str, path: Path) -> None:
    """Add the meanings of whole numbers in a column, as the Levels of a description state them; for ages the range."""
    name = source(column, dict.fromkeys(key for row in participants.values() for key in row)) or ""
    with contextlib.suppress(OSError, ValueError, AttributeError, LookupError, TypeError):
        (levels,) = (about["Levels"] for key, about in read_json(path).items() if plain(key) == name)
        meant = {code: RANGE.search(text) if column == "age" else re.match(".+", text) for code, text in levels.items()}
        cells = {subject: row.get(name, "") for subject, row in participants.items()}
        if any(meant.get(code) for code in cells.values() if code.isdecimal()):
            for subject, code in cells.items():
                text = meant.get(code) if code.isdecimal() else None
                participants[subject][column] = text[0] if text else code


def table(rows: Iterable[Mapping[str | None, str | None]], name: str) -> Participants:
    """All cells by the column `name`, those of `MISSING` empty; rows without a name are passed over."""
    found: Participants = {}
    for row in rows:
        cells = {plain(key): (value or "").strip() for key, value in row.items() if key}
        if subject := cells.pop(name, "").removeprefix("sub-"):
            found[subject] = {column: "" if missing(cell) else cell for column, cell in cells.items()}
    return found


def plain(column: str) -> str:
    """The name of a column without capitals and with single blanks."""
    return " ".join(column.split()).lower()


def missing(cell: str) -> bool:
    """Whether a cell says that its value is not known."""
    return cell.strip().lower() in MISSING


def stated(subject: str, patient: str, participants: Participants) -> dict[str, str]:
    """The row of a subject: that of its own name, else that of its patient, else {}."""
    for name in (subject, patient):
        if found := participants.get(name.removeprefix("sub-")):
            return found
    return {}


def of(subject: str, patient: str, participants: Participants) -> dict[str, str]:
    """The columns of COLUMNS of one subject; empty cells where the data set does not state them."""
    row = stated(subject, patient, participants)
    return {column: row.get(source(column, row) or "", "") for column in COLUMNS}


def source(column: str, columns: Iterable[str]) -> str | None:
    """Which of `columns` is meant by a name: the same, or another usual name of sex and of the age at the scan.

    Of several ages that of the scan precedes: `AgeMRI_W1`, `age_scan`, `age_at_stroke`. None if no column fits.
    """
    known, wanted = list(columns), plain(column)
    if wanted in known:
        return wanted
    if wanted in SEX:
        return next((name for name in known if name in SEX), None)
    words = {name: set(re.findall(r"[a-z]+", name)) for name in known}
    ages = [name for name in known if any(map(AGE.fullmatch, words[name])) and not words[name] & OTHER_AGES]
    ages.sort(key=lambda name: not re.search("mri|scan", name))  # which keeps the order of the table
    return next(iter(ages), None) if wanted == "age" else None
