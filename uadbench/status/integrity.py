"""Integrity check of a study's files, by the checksums in their records or by reading them to the end."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uadbench.core.files import damaged


@dataclass(frozen=True)
class Damage:
    """A missing, unreadable or changed file, and the records to remove so that the next run makes it again."""

    path: Path
    reason: str
    remove: tuple[Path, ...]


def check(folder: Path) -> Iterator[Damage]:
    """Damages in an experiment's folder, such as results/demo. Reads every array, volume, weight and count once."""
    for record in sorted(folder.glob("data/*/registered/*/subject.json")):
        yield from _subject(record)
    for record in sorted(folder.glob("data/*/packed/index.json")):
        yield from _listed(record, "arrays", record.parent, ".npy")
    for record in sorted(folder.glob("training/**/run.json")):
        yield from _listed(record, "weights", record.parent / "weights", "")
    for path in sorted(folder.glob("evaluation/**/*.npz")):
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
    name, data = record.parent.name, record.parents[2]
    reports = tuple(path for path in sorted(data.glob("chunks/*.csv")) if _names(path, name))
    for damage in _listed(record, "volumes", record.parent, ".nii.gz"):
        yield Damage(damage.path, damage.reason, (*damage.remove, *reports))


def _names(report: Path, subject: str) -> bool:
    lines = report.read_text(encoding="utf-8", errors="replace").splitlines()
    return any(line.partition(",")[0] == subject for line in lines)


def _listed(record: Path, key: str, folder: Path, suffix: str) -> Iterator[Damage]:
    """Damages of the files whose checksums a record lists; an unreadable record counts as damaged itself."""
    try:
        about: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        wanted = dict(about[key])
    except (ValueError, KeyError, TypeError) as error:
        yield Damage(record, f"no record that can be read ({error})", (record,))
        return
    for path, reason in damaged(folder, {f"{name}{suffix}": digest for name, digest in wanted.items()}):
        yield Damage(path, reason, (record,))


def _unreadable(path: Path) -> str | None:
    """Reason why a file of arrays fails the checksums of its parts; None if it is intact."""
    try:
        with zipfile.ZipFile(path) as file:
            part = file.testzip()
    except Exception as error:  # zipfile and zlib raise exceptions of their own
        return f"cannot be read ({error})"
    return None if part is None else f"damaged in its part {part}"
