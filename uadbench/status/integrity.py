"""Integrity check of a study's files, by the checksums in their records or by reading them to the end."""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uadbench.core.files import damaged, read_json
from uadbench.core.study_folder import RUN, WEIGHTS, StudyFolder, array_file, reports, volume_file


@dataclass(frozen=True)
class Damage:
    """A missing, unreadable or changed file, and the records to remove so that the next run makes it again."""

    path: Path
    reason: str
    remove: tuple[Path, ...]


def check(folder: Path) -> Iterator[Damage]:
    """Damages in an experiment's folder, such as results/demo. Reads every array, volume, weight and count once."""
    study = StudyFolder(folder)
    for record in study.subjects():
        yield from _subject(record)
    for record in study.indices():
        yield from _listed(record, "arrays", record.parent, array_file)
    for run in study.finished():
        yield from _listed(run / RUN, "weights", run / WEIGHTS, str)
    for path in study.archives():
        if reason := _unreadable(path):
            yield Damage(path, reason, (path,))


def remove(damages: list[Damage]) -> list[Path]:
    """Remove the records of damaged files, so that the next run makes the files again; returns the removed paths."""
    gone = []
    for path in dict.fromkeys(path for damage in damages for path in damage.remove):
        if path.is_file():
            path.unlink()
            gone.append(path)
    return gone


def _subject(record: Path) -> Iterator[Damage]:
    """Damages of a registered subject; its chunk's report is removed as well, since the workflow tracks that."""
    listing = tuple(path for path in reports(record) if _names(path, record.parent.name))
    for damage in _listed(record, "volumes", record.parent, volume_file):
        yield Damage(damage.path, damage.reason, (*damage.remove, *listing))


def _names(report: Path, subject: str) -> bool:
    lines = report.read_text(encoding="utf-8", errors="replace").splitlines()
    return any(line.partition(",")[0] == subject for line in lines)


def _listed(record: Path, key: str, folder: Path, file: Callable[[str], str]) -> Iterator[Damage]:
    """Damages of the files whose checksums a record lists; an unreadable record counts as damaged itself."""
    try:
        about: dict[str, Any] = read_json(record)
        wanted = dict(about[key])
    except (ValueError, KeyError, TypeError) as error:
        yield Damage(record, f"no record that can be read ({error})", (record,))
        return
    for path, reason in damaged(folder, {file(name): digest for name, digest in wanted.items()}):
        yield Damage(path, reason, (record,))


def _unreadable(path: Path) -> str | None:
    """Reason why a file of arrays fails the checksums of its parts; None if it is intact."""
    try:
        with zipfile.ZipFile(path) as file:
            part = file.testzip()
    except Exception as error:  # zipfile and zlib raise exceptions of their own
        return f"cannot be read ({error})"
    return None if part is None else f"damaged in its part {part}"
