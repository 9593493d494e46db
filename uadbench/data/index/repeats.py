"""Scans and patients that a study has twice: within a data set, or in its training set and in a test set."""

import contextlib
import hashlib
import os
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from uadbench.core.errors import HarnessError, listed
from uadbench.core.faults import retried
from uadbench.core.files import sha256
from uadbench.core.modalities import NAMES
from uadbench.core.patients import RELEASED
from uadbench.core.study_folder import SIMULATED
from uadbench.data.index.sheet import Sheet

SAMPLE = 2**16  # bytes
SMALLEST = 2**9  # bytes; what is smaller is no scan, but empty or a pointer, which preprocessing says
PATIENT = "the same patient"


@dataclass(frozen=True)
class Cohort:
    """A data set of a study: whether it is of healthy subjects, and by subject what no other subject has."""

    name: str
    healthy: bool
    marks: Mapping[str, Iterable[Hashable]]


def refuse(own: Cohort, others: Iterable[Cohort], what: str = "the same scan") -> None:
    """Raise HarnessError that names the subjects of `own` which it has twice, or which one of the others is.

    Only a training set and a test set exclude one another: two test sets may share scans.
    """
    first: dict[Hashable, str] = {}
    within: dict[str, str] = {}
    for subject, mark in _marks(own):
        if (other := first.setdefault(mark, subject)) != subject:
            within[subject] = other
    if within:
        pairs = listed(f"{subject} is {other}" for subject, other in within.items())
        raise HarnessError(f"{own.name}: has {what} twice: {pairs}; exclude one of them")
    for cohort in (other for other in others if other.healthy != own.healthy):
        shared = {first[mark]: subject for subject, mark in _marks(cohort) if mark in first}
        if shared:
            pairs = listed(f"{subject} is {other} of {cohort.name}" for subject, other in shared.items())
            raise HarnessError(
                f"{own.name}: {what} is in the training set and in a test set: {pairs}; a method must not know what it "
                f"is tested on: exclude {'it' if len(shared) == 1 else 'them'} from {own.name} or from {cohort.name}"
                f"{', or tell namesakes apart in a column `patient`' * (what == PATIENT)}"
            )


def check(name: str, sheet: Sheet, others: Mapping[str, Sheet]) -> None:
    """Refuse scans whose files are equal, and patients of one name in the same folder, or of the same release.

    Simulated data sets are left out: their subjects differ by construction, and share names. Raises HarnessError.
    """
    sheets = {name: sheet, **others}
    real = {key: each for key, each in sheets.items() if not any((root / SIMULATED).exists() for root in _roots(each))}
    if name not in real:
        return
    files = [
        (key, row.subject, path)
        for key, each in real.items()
        for row in each.rows
        for kind in NAMES
        if not row.problem and (path := each.file(row, kind)) is not None
    ]
    marks: dict[str, dict[str, set[Hashable]]] = {key: {} for key in real}
    for number, digest in _equal([path for *_, path in files]).items():
        key, subject, _ = files[number]
        marks[key].setdefault(subject, set()).add(digest)
    people = {key: _people(each) for key, each in real.items()}
    for what, found in (("the same scan", marks), (PATIENT, people)):
        own, *rest = (Cohort(key, any(row.split != "test" for row in real[key].rows), found[key]) for key in real)
        refuse(own, rest, what)


def _people(sheet: Sheet) -> dict[str, list[Hashable]]:
    """Mark of each patient of a sheet."""
    rows = {row.patient or row.subject: row for row in sheet.rows}
    return {name: [(name, "" if RELEASED.fullmatch(name) else sheet.root(row))] for name, row in rows.items()}


def _marks(cohort: Cohort) -> Iterator[tuple[str, Hashable]]:
    return ((subject, mark) for subject, marks in cohort.marks.items() for mark in marks)


def _roots(sheet: Sheet) -> set[Path]:
    return {sheet.root(row) for row in sheet.rows}


def _equal(paths: list[Path]) -> dict[int, str]:
    """SHA-256 of the files that have the content of another one, by their place in `paths`; hardly any is read."""
    left: dict[int, Hashable] = {number: "" for number, path in enumerate(paths) if _size(path) >= SMALLEST}
    for key in (_size, _sample, sha256):
        found: dict[int, Hashable] = {}
        for number in left:
            with contextlib.suppress(OSError):  # reported where the scan is read
                found[number] = retried(key)(paths[number])
        counts = Counter(found.values())
        left = {number: value for number, value in found.items() if counts[value] > 1}
    return {number: str(value) for number, value in left.items()}


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _sample(path: Path) -> str:
    """Digest of some bytes in the middle of a file, where a scan has its brain."""
    with path.open("rb") as file:
        file.seek(max(0, os.path.getsize(path) - SAMPLE) // 2)
        return hashlib.sha256(file.read(SAMPLE)).hexdigest()
