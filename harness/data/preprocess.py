"""Preprocessing of a subject sheet, subject by subject: resumable, and a bad file costs its subject alone."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import contrast, geometry, strippers, views
from harness.data import template as templates
from harness.data.locate import Located, follow, locate
from harness.data.placement import resample
from harness.data.scan import BadScan, Scan, read_labels, read_scan
from harness.data.settings import Preprocessing
from harness.data.sheet import Row, Sheet
from harness.errors import HarnessError
from harness.files import atomic, read_json, write_arrays, write_json

#: raised when the same settings and scans give another result, so that old results are not taken up again
REVISION = 6

COLUMNS = ("subject", "status", "file", "reason")


@dataclass(frozen=True)
class Outcome:
    """A line of a chunk's report. status: done, partial (the file is lost, the subject's T1 is not) or lost."""

    subject: str
    status: str
    file: str = ""
    reason: str = ""


def chunk(rows: Sequence[Row], name: str) -> Sequence[Row]:
    """Every n-th row from the i-th on, for a `name` like `2/8` or `2-of-8`. Raises HarnessError for another name."""
    first, _, last = name.replace("-of-", "/").partition("/")
    if not (first.isdigit() and last.isdigit() and 1 <= int(first) <= int(last)):
        raise HarnessError(f"chunk: {name!r} is not like 2/8, the second of eight")
    return rows[int(first) - 1 :: int(last)]


def preprocess(sheet: Sheet, rows: Iterable[Row], out: Path, chosen: Preprocessing) -> Iterable[Outcome]:
    """Register each subject into the folder `out`/SUBJECT and yield what became of it; done ones are not done again."""
    # A template that cannot be read is a mistake of the user and must not pass for a bad subject.
    templates.load(chosen.template)
    strippers.check(chosen.brain)
    for row in rows:
        if row.problem:
            yield Outcome(row.subject, "lost", row.t1 or row.t2, row.problem)
            continue
        record = _known(sheet, row, out / row.subject, chosen)
        if record is None:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    record = _subject(sheet, row, out / row.subject, chosen)
            except HarnessError:
                raise
            # ANTs and ITK report trouble with a scan by errors of any kind.
            except Exception as error:
                yield Outcome(row.subject, "lost", **_blame(error, row.t1, sheet.root(row)))
                continue
        for lost in record["lost"]:
            yield Outcome(row.subject, "partial", lost["file"], lost["reason"])
        if not record["lost"]:
            yield Outcome(row.subject, "done")


def write_report(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Write a report as CSV with the columns subject, status, file, reason."""
    with atomic(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(outcome) for outcome in outcomes)


def read_report(path: Path) -> list[Outcome]:
    """Read a report. Raises HarnessError if it is none."""
    if not path.is_file():
        raise HarnessError(f"{path}: no such report; make it with `python -m harness preprocess`")
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise HarnessError(f"{path}: is no report of `preprocess`; its columns must be {', '.join(COLUMNS)}")
        return [Outcome(**record) for record in reader]


def _subject(sheet: Sheet, row: Row, folder: Path, chosen: Preprocessing) -> dict[str, Any]:
    """Register one subject into `folder` and return its record. Raises BadScan where its T1 or its mask is unusable."""
    template = templates.load(chosen.template)
    t1_path, t2_path, mask_path = (sheet.file(row, kind) for kind in ("t1", "t2", "mask"))
    if t1_path is None:
        raise BadScan(sheet.root(row) / row.subject, "has no T1-weighted scan")
    if mask_path is None and any(other.mask for other in sheet.rows):
        raise BadScan(t1_path, "has no mask beside it, as other subjects have")
    scan = read_scan(t1_path)
    place = locate(scan, template, chosen)
    image, inside = resample(place, template, chosen)
    grid = template.packed(chosen)
    contrast.check("t1", image, inside, template, grid, t1_path)
    volumes = {"t1": image, "brain": inside.astype(np.uint8)}
    likeness, lost = {"t1": place.likeness}, []
    drawn = {t1_path: (scan, place.matrix)}
    if t2_path is not None:
        try:
            t2 = read_scan(t2_path)
            second = follow(t2, place, chosen.spacing)
            image, inside = resample(second, template, chosen)
            contrast.check("t2", image, inside, template, grid, t2_path)
            volumes["t2"], likeness["t2"] = image, second.likeness
            drawn[t2_path] = (t2, second.matrix)
        except Exception as error:
            lost.append({"modality": "t2", **_blame(error, row.t2, sheet.root(row))})
    record = {
        **_identity(sheet, row, chosen),
        "brain_ml": round(float(place.inside.sum()) * _voxel_ml(place.scan), 1),
        "likeness": {name: round(value, 5) for name, value in likeness.items() if value is not None},
        "template_to_scan": {
            kind: np.round(drawn[path][1], 6).tolist()
            for kind, path in (("t1", t1_path), ("t2", t2_path))
            if path in drawn
        },
        "lost": lost,
    }
    if mask_path is not None:
        labels, matrix = _labels(mask_path, sheet.file(row, "drawn_on"), drawn, place, chosen)
        volumes["mask"] = geometry.sample_labels(labels.data, labels.affine, grid, matrix, chosen.labels)
        record["lesion_ml"] = round(float((labels.data > 0).sum()) * _voxel_ml(labels), 3)
        record["expansion"] = round(1 / abs(float(np.linalg.det(matrix[:3, :3]))), 5)
    _write(folder, volumes, views.before(scan, place), grid.affine, record)
    return record


def _labels(
    path: Path, drawn_on: Path | None, drawn: dict[Path, tuple[Scan, np.ndarray]], t1: Located, chosen: Preprocessing
) -> tuple[Scan, np.ndarray]:
    """The labels and the matrix from template to their millimetres: those of the scan whose voxels they have.

    Raises BadScan where that is none of `drawn` (T1 first, then T2), nor `drawn_on`.
    """
    if drawn_on is not None:
        other = read_scan(drawn_on)
        return read_labels(path, other), follow(other, t1, chosen.spacing).matrix
    reason: BadScan | None = None
    for scan, matrix in drawn.values():
        try:
            return read_labels(path, scan), matrix
        except BadScan as error:
            reason = reason or error
    assert reason is not None
    raise reason


def _voxel_ml(scan: Scan) -> float:
    return abs(float(np.linalg.det(scan.affine[:3, :3]))) / 1000


def _write(
    folder: Path,
    volumes: dict[str, np.ndarray],
    pictures: dict[str, np.ndarray],
    affine: np.ndarray,
    record: dict[str, Any],
) -> None:
    """Write a subject's folder. Raises HarnessError where the disk does not take it: no fault of the subject."""
    import nibabel

    try:
        with atomic(folder) as partial:
            partial.mkdir()
            for name, data in volumes.items():
                nibabel.save(nibabel.Nifti1Image(data, affine), partial / f"{name}.nii.gz")
            write_arrays(partial / "before.npz", pictures)
            write_json(partial / "subject.json", record)
    except OSError as error:
        raise HarnessError(
            f"{folder}: cannot be written ({error.strerror or error}); make room and run again, what is done is kept"
        ) from error


def _identity(sheet: Sheet, row: Row, chosen: Preprocessing) -> dict[str, Any]:
    """What a result depends on: the settings, this code's revision and the size and time of the files."""
    files = {kind: sheet.file(row, kind) for kind in ("t1", "t2", "mask", "drawn_on")}
    stats = {kind: path.stat() for kind, path in files.items() if path is not None and path.is_file()}
    return {
        "subject": row.subject,
        "revision": REVISION,
        "settings": asdict(chosen),
        "sources": {kind: {"bytes": stat.st_size, "modified": stat.st_mtime_ns} for kind, stat in stats.items()},
    }


def _known(sheet: Sheet, row: Row, folder: Path, chosen: Preprocessing) -> dict[str, Any] | None:
    """The record of an earlier run with the same settings and files, if it is there."""
    path = folder / "subject.json"
    if not path.is_file():
        return None
    record: dict[str, Any] = read_json(path)
    same = all(record.get(key) == value for key, value in _identity(sheet, row, chosen).items())
    return record if same else None


def _blame(error: Exception, file: str, root: Path) -> dict[str, str]:
    """File (relative to `root`) and reason of an error; `file` is to blame unless the error names another."""
    if not isinstance(error, BadScan):
        return {"file": file, "reason": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}
    path = error.file
    return {
        "file": path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path),
        "reason": error.reason,
    }
