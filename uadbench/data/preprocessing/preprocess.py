"""Preprocessing of a subject sheet, subject by subject: resumable, and a bad file loses only its subject."""

import contextlib
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from uadbench.core import faults, inputs
from uadbench.core.errors import HarnessError
from uadbench.core.modalities import MODALITIES, NAMES
from uadbench.data.index.layout import KINDS
from uadbench.data.index.sheet import Row, Sheet
from uadbench.data.preprocessing.brain import skull_stripping
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.reading.scan import BRAIN, OffGrid, Scan, read_labels, read_scan
from uadbench.data.preprocessing.reading.volume import BadScan, Unreachable, unforeseen
from uadbench.data.preprocessing.records import previews
from uadbench.data.preprocessing.records.record import identity, known, write
from uadbench.data.preprocessing.records.report import Outcome, unwritten
from uadbench.data.preprocessing.registration import modality_check
from uadbench.data.preprocessing.registration import template as templates
from uadbench.data.preprocessing.registration.registration import Located, follow, locate
from uadbench.data.preprocessing.registration.transform import BELOW, lift, resample
from uadbench.data.preprocessing.settings import Preprocessing

#: remedy for a mask on the grid of no registered scan
DRAWN_ON = "name the scan that it is drawn on, such as a diffusion image, in the column `drawn_on` of layout `sheet`"


def chunk(rows: Sequence[Row], name: str) -> Sequence[Row]:
    """Every n-th row from the i-th on, for a `name` i/n such as `2/8` or `2-of-8`. Raises HarnessError for others."""
    first, _, last = name.replace("-of-", "/").partition("/")
    if not (first.isdigit() and last.isdigit() and 1 <= int(first) <= int(last)):
        raise HarnessError(f"chunk: {name!r} is not like 2/8, the second of eight")
    return rows[int(first) - 1 :: int(last)]


def preprocess(
    sheet: Sheet, rows: Iterable[Row], out: Path, chosen: Preprocessing, modalities: Sequence[str] = ("t1", "t2")
) -> Iterable[Outcome]:
    """Register each subject into the folder `out`/SUBJECT, or reuse earlier results, and yield its outcomes.

    Raises HarnessError for what the scans did not cause, such as a disk that fails for long, and for a file that the
    sheet lists but that cannot be reached: then the next run does the subject again.
    modalities: those requested; T1-weighted scans, through which others are registered, are always included.
    """
    # An unreadable template is a user error and must not count as a bad subject.
    templates.load(chosen.template)
    skull_stripping.check(chosen.brain)
    for row in (rows := list(rows)):
        inputs.keep_within(out / row.subject, filter(None, (sheet.file(row, kind) for kind in KINDS)))
    for row in rows:
        if row.problem:
            yield Outcome(row.subject, "lost", getattr(row, row.reference or "mask"), row.problem)
            continue
        try:
            record = known(sheet, row, out / row.subject, chosen, modalities)
            if record is None:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    record = faults.retried(_subject, Unreachable)(sheet, row, out / row.subject, chosen, modalities)
        # ANTs and ITK raise exceptions of any type for a bad scan.
        except Exception as error:
            yield Outcome(row.subject, "lost", **_blame(error, getattr(row, row.reference or "mask"), sheet, row))
            continue
        lost = [Outcome(row.subject, "partial", entry["file"], entry["reason"]) for entry in record["lost"]]
        noted = [Outcome(row.subject, "done", *note) for note in _notes(sheet, row, record, modalities)]
        yield from [*lost, *noted] or [Outcome(row.subject, "done")]


def _subject(sheet: Sheet, row: Row, folder: Path, chosen: Preprocessing, modalities: Sequence[str]) -> dict[str, Any]:
    """Register one subject into `folder` and return its record.

    Raises BadScan where the scan that is registered to the template, or the mask, is unusable.
    """
    template = templates.load(chosen.template)
    mask_path = sheet.file(row, "mask")
    first, first_path = _reference(sheet, row)
    if mask_path is None and not row.unmasked and row.split == "test" and any(other.mask for other in sheet.rows):
        raise BadScan(first_path, "has no mask beside it, as other subjects have; add it, or exclude the subject")
    scan = read_scan(first_path)
    brain_path = sheet.file(row, "brain")
    given = None if brain_path is None else read_labels(brain_path, scan, BRAIN).data > 0
    place = locate(scan, template, chosen, first, given)
    registered, lost = {first: _registered(first, first_path, scan, place, template, chosen)}, []
    for name in (name for name in NAMES if name in modalities and name != first):
        path = sheet.file(row, name)
        if path is None:
            continue
        try:
            other = read_scan(path)
            moved = follow(other, place, chosen.spacing)
            registered[name] = _registered(name, path, other, moved, template, chosen)
        except Exception as error:
            lost.append({"modality": name, **_blame(error, getattr(row, name), sheet, row)})
    similarity = {name: one.similarity for name, one in registered.items() if one.similarity is not None}
    record = {
        **identity(sheet, row, chosen, modalities),
        "brain_ml": round(float(place.inside.sum()) * place.scan.grid.voxel_ml, 1),
        "similarity": {name: round(value, 5) for name, value in similarity.items()},
        "template_to_scan": {name: np.round(one.matrix, 6).tolist() for name, one in registered.items()},
        "voxels": {name: one.scan.digest for name, one in registered.items()},
        "lost": lost,
        "unoriented": [one.scan.path.name for one in registered.values() if not one.scan.oriented],
        "lifted": {name: round(one.lifted, 4) for name, one in registered.items() if one.lifted > BELOW},
        "doubts": {name: one.doubt for name, one in registered.items() if one.doubt},
    }
    volumes = {first: registered[first].image, "brain": registered[first].inside.astype(np.uint8)}
    volumes |= {name: one.image for name, one in registered.items()}
    if mask_path is not None:
        try:
            others = [path for name in NAMES if name not in registered and (path := sheet.file(row, name))]
            labels, matrix = _labels(mask_path, sheet.file(row, "drawn_on"), others, registered, place, chosen)
        except OffGrid as error:
            where = f"is it drawn on {lost[0]['file']}, which {lost[0]['reason']}?" if lost else DRAWN_ON
            raise BadScan(error.file, f"{error.reason}; or {where}") from error
        grid = template.packed(chosen)
        between = template.between(chosen)
        volumes["mask"] = geometry.sample_labels(labels.data, labels.affine, grid, matrix, chosen.labels, between)
        record["lesion_voxels"] = int((labels.data > 0).sum())
        record["lesion_ml"] = round(record["lesion_voxels"] * labels.grid.voxel_ml, 3)
        record["expansion"] = round(1 / abs(float(np.linalg.det(matrix[:3, :3]))), 5)
    if row.unmasked:
        volumes["mask"] = np.zeros(volumes["brain"].shape, np.uint8)
        record |= {"lesion_voxels": 0, "lesion_ml": 0.0, "expansion": 1.0}
    write(folder, volumes, previews.before(scan, place), template.packed(chosen).affine, record)
    return record


@dataclass(frozen=True)
class Registered:
    """A scan, its image on the packed grid, and its registration."""

    path: Path
    scan: Scan
    image: np.ndarray  # in [0, 1], 0 outside the brain
    inside: np.ndarray  # brain mask, bool
    matrix: np.ndarray  # (4, 4) from template to scan millimetres
    similarity: float | None  # normalised mutual information with the image that it was registered to
    lifted: float  # fraction of the brain's grey values that were below 0
    doubt: str  # whether it is of its modality; "" without


def _registered(
    name: str, path: Path, scan: Scan, place: Located, template: templates.Template, chosen: Preprocessing
) -> Registered:
    """A scan resampled to the packed grid. Raises BadScan if it does not appear to be of the modality `name`."""
    image, inside = resample(place, template, chosen)
    doubt = modality_check.check(name, image, inside, template, template.packed(chosen), path)
    return Registered(path, scan, image, inside, place.matrix, place.similarity, lift(place)[0], doubt)


def _reference(sheet: Sheet, row: Row) -> tuple[str, Path]:
    """The modality and the path of the scan that is registered to the template.

    This is the T1-weighted one in a data set with any, else the first of NAMES. Raises BadScan without it.
    """
    first = "t1" if any(other.t1 for other in sheet.rows) else row.reference
    path = sheet.file(row, first) if first else None
    if path is None:
        there = sheet.file(row, row.reference) if row.reference else sheet.root(row)
        raise BadScan(there or sheet.root(row), "has no T1-weighted scan beside it; add it, or exclude the subject")
    return first, path


def _labels(
    path: Path,
    drawn_on: Path | None,
    others: Iterable[Path],
    registered: dict[str, Registered],
    first: Located,
    chosen: Preprocessing,
) -> tuple[Scan, np.ndarray]:
    """The labels, and the matrix from template to their millimetres, by the scan with the same grid.

    others: scans that the study does not use. Raises OffGrid if neither `drawn_on`, nor a registered scan, starting
    with the reference, nor one of the others has the mask's grid.
    """
    if drawn_on is not None:
        for one in registered.values():
            if one.path == drawn_on:
                return read_labels(path, one.scan), one.matrix
        other = read_scan(drawn_on)
        return read_labels(path, other), follow(other, first, chosen.spacing).matrix
    off: OffGrid | None = None
    for one in registered.values():
        try:
            return read_labels(path, one.scan), one.matrix
        except OffGrid as error:
            off = off or error
    for name in others:
        with contextlib.suppress(OffGrid):
            try:
                other = read_scan(name)
            except BadScan:
                continue
            return read_labels(path, other), follow(other, first, chosen.spacing).matrix
    assert off is not None
    raise off


def _notes(sheet: Sheet, row: Row, record: dict[str, Any], modalities: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Notes on a subject that is kept: file and reason of each."""
    first = next(iter(record["template_to_scan"]))
    file = getattr(row, first)
    # An empty mask is a valid annotation. AP pools the voxels of all subjects, and healthy ones add only negatives:
    # without them the task would appear easier than it is.
    if row.unmasked:
        yield file, "has no mask: kept as healthy, as the config has it"
    elif record.get("lesion_voxels") == 0:
        reason = "mask is empty: kept, and all voxels count as healthy; exclude the subject if nobody drew its lesion"
        yield row.mask, reason
    for kind, share in record.get("lifted", {}).items():
        reason = f"{share:.0%} of the brain's grey values are below 0: kept, lifted so that its darkest voxels are 0"
        yield getattr(row, kind), reason
    for kind, reason in record.get("doubts", {}).items():
        yield getattr(row, kind), reason
    if record.get("unoriented"):
        names = " and ".join(record["unoriented"])
        reason = f"the header of {names} states no orientation: kept, but left and right are a guess; convert it again"
        yield file, reason
    for name in (name for name in modalities if name != first):
        if not getattr(row, name) and any(getattr(other, name) for other in sheet.rows):
            reason = (
                f"has no {MODALITIES[name].title} scan beside it, as other subjects have: kept for {first.upper()}; "
                "add it if there is one"
            )
            yield file, reason


def _blame(error: Exception, file: str, sheet: Sheet, row: Row) -> dict[str, str]:
    """File (relative to the row's root) and reason of an error; the file is `file` unless the error names another.

    Raises what the subject did not cause: `error` for a missing package or a file out of reach, HarnessError for a
    full disk or memory, and for a fault that may pass.
    """
    if isinstance(error, HarnessError | ModuleNotFoundError | Unreachable):
        raise error
    if isinstance(error, MemoryError):
        raise HarnessError(f"{row.subject}: out of memory; run fewer jobs at once") from error
    fault = faults.behind(error)
    if fault is not None and fault.errno in faults.FULL:
        raise unwritten(Path(fault.filename or tempfile.gettempdir()), fault) from error
    if faults.passing(error):
        raise HarnessError(faults.line(error, row.subject)) from error
    if not isinstance(error, BadScan):
        return {"file": file, "reason": unforeseen(error)}
    path, root = error.file, sheet.root(row)
    return {
        "file": path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path),
        "reason": error.reason,
    }
