"""Folder of a preprocessed subject: its volumes, and the record by which a later run can reuse them."""

import contextlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from uadbench.core.archive import PICTURES
from uadbench.core.checksums import Damaged
from uadbench.core.errors import HarnessError
from uadbench.core.faults import line
from uadbench.core.files import atomic, damaged, read_json, sha256, verify, write_json
from uadbench.core.study_folder import BEFORE, SUBJECT, volume_file
from uadbench.data.index.sheet import Row, Sheet
from uadbench.data.preprocessing.records.report import AGAIN, unwritten
from uadbench.data.preprocessing.settings import Preprocessing

#: raised when a code change alters the result for the same settings and scans, so that old results are not reused
REVISION = 7


def write(
    folder: Path,
    volumes: dict[str, np.ndarray],
    pictures: dict[str, np.ndarray],
    affine: np.ndarray,
    record: dict[str, Any],
) -> None:
    """Write a subject's folder. Raises HarnessError for a failed write, which is not caused by the subject."""
    try:
        with atomic(folder) as partial:
            partial.mkdir()
            for name, data in volumes.items():
                nibabel.save(nibabel.Nifti1Image(data, affine), partial / volume_file(name))
            PICTURES.save(partial / BEFORE, pictures)
            record["volumes"] = {name: sha256(partial / volume_file(name)) for name in volumes}
            write_json(partial / SUBJECT, record)
    except OSError as error:
        raise unwritten(folder, error) from error


def read_volume(folder: Path, name: str, record: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """A registered volume (X, Y, Z) and its affine (4, 4). Raises HarnessError if it is damaged or unreadable."""
    path = folder / volume_file(name)
    verify(folder, {path.name: record["volumes"].get(name)}, AGAIN)
    try:
        image: Any = nibabel.load(path)
        return np.asanyarray(image.dataobj), np.asarray(image.affine)
    except Exception as error:  # nibabel, gzip and zlib raise exceptions of their own
        raise HarnessError(line(error, path) or f"{path}: cannot be read ({error}); {AGAIN}") from error


def identity(sheet: Sheet, row: Row, chosen: Preprocessing, modalities: Sequence[str]) -> dict[str, Any]:
    """Inputs that determine a result: the settings, this code's revision and the size and time of the files."""
    stats = {}
    for kind in dict.fromkeys(("t1", row.reference or "t1", *modalities, "mask", "drawn_on", "brain")):
        path = sheet.file(row, kind)
        # Errors of a file are reported when it is read.
        with contextlib.suppress(OSError):
            if path is not None and path.is_file():
                stats[kind] = path.stat()
    return {
        "subject": row.subject,
        "revision": REVISION,
        "settings": asdict(chosen),
        **({"unmasked": row.unmasked} if row.unmasked else {}),
        "sources": {kind: {"bytes": stat.st_size, "modified": stat.st_mtime_ns} for kind, stat in stats.items()},
    }


def known(
    sheet: Sheet, row: Row, folder: Path, chosen: Preprocessing, modalities: Sequence[str]
) -> dict[str, Any] | None:
    """The record of an earlier run with the same settings and files and intact volumes; None without one.

    Nor is one reused that lost a scan, which may be readable now.
    """
    path = folder / SUBJECT
    if not path.is_file():
        return None
    try:
        record: dict[str, Any] = read_json(path)
    except (ValueError, Damaged):  # done again
        return None
    same = all(record.get(key) == value for key, value in identity(sheet, row, chosen, modalities).items())
    if not same or record.get("lost") or "volumes" not in record:
        return None
    broken = any(damaged(folder, {volume_file(name): digest for name, digest in record["volumes"].items()}))
    return None if broken else record
