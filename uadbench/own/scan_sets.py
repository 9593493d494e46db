"""Scans to score, and lesion masks to compare with, of a data set: a folder of BIDS, or the CSV of a subject sheet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from uadbench.core import csv_files
from uadbench.core.errors import HarnessError, listed
from uadbench.core.modalities import MODALITIES, NAMES
from uadbench.core.patients import of_name
from uadbench.core.validation import NAME
from uadbench.core.volume_names import stem
from uadbench.data.index import sheet
from uadbench.data.index.layout import Files, Note
from uadbench.data.index.layouts import bids
from uadbench.data.index.layouts import sheet as own_sheet
from uadbench.data.preprocessing.reading.scan import same_grid
from uadbench.own.map_files import DESCRIPTION, nifti_files, say, warn, warn_of_unused

NAMED = re.compile(r"sub-[^\W_]+(?:_ses-[^\W_]+)?(?=_)", re.ASCII)  # subject and session of a file of BIDS
REMEDY = "make the subject sheet with `uadbench index`"


class _Sheet(own_sheet.Layout):
    refuses_missing = False


@dataclass(frozen=True)
class Entry:
    """A subject of a sheet, or a session of BIDS: its scans by modality, and masks; without a problem usable.

    healthy: a subject without a mask, because it has no lesion. notes: what was decided about its files.
    """

    name: str
    scans: Mapping[str, Path]
    mask: Path | None = None
    brain: Path | None = None
    problem: str = ""
    healthy: bool = False
    patient: str = ""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Scan:
    """A scan to score. t1: of the same session, to place it by; lesion: for its page; brain: mask, where known."""

    name: str
    image: Path
    t1: Path | None = None
    lesion: Path | None = None
    brain: Path | None = None


def is_bids(path: Path) -> bool:
    """Whether a path is the folder of a data set in BIDS, not one of scans."""
    if not path.is_dir() or (path / DESCRIPTION).is_file():
        return path.is_dir()
    return any(each.is_dir() for each in path.glob("sub-*")) and not any(stem(each.name) for each in path.iterdir())


def is_data_set(path: Path) -> bool:
    return is_bids(path) or (path.suffix.lower() == ".csv" and not path.is_dir())


def entries(path: Path) -> list[Entry]:
    """The subjects of a CSV, of `index` or of the layout `sheet`, or the sessions of BIDS, each named sub-X[_ses-Y].

    Raises HarnessError for a folder without scans, and a CSV of other columns.
    """
    if is_bids(path):
        found = bids.Layout().visits(path)
        if not found:
            raise HarnessError(f"{path}: holds no scan; expected {bids.Layout.expected} below it")
        return [_entry(path, files) for files in found]
    if "split" not in csv_files.text(path, REMEDY).partition("\n")[0].split(","):
        listed_there = sheet.find(_Sheet(), path)
        if wrong := next((files.subject for files in listed_there if not re.fullmatch(NAME, files.subject)), None):
            raise HarnessError(f"{path}: subject {wrong!r} is no name of a file; use letters, digits, - and _")
        return [_entry(path.parent, files) for files in listed_there]
    made = sheet.read(path)
    return [_of_row(made, row) for row in made.rows]


def labels(
    path: Path, maps: Mapping[str, Path], healthy: bool = False
) -> tuple[dict[str, Path | None], dict[str, str]]:
    """Lesion masks of the maps of a data set by the names of the maps, None for a healthy subject, and its patients.

    A map has the name of a subject or session, see `entries`; a session of BIDS and the row of a sheet that has its
    scan, or its only mask, are one. Maps without a mask are left out, masks without a map missed; warnings name both.
    healthy: whether all without a mask are. Raises HarnessError for a map of no subject, and where none has a mask.
    """
    found = entries(path)
    named = {alias: entry for entry in found for alias in _aliases(entry, found)} | {each.name: each for each in found}
    if unknown := [name for name in maps if name not in named]:
        raise HarnessError(f"{maps[unknown[0]]}: no subject of this name in {path}; give the data set that was scored")
    kept = {name: each for name in maps if (each := named[name]).mask or each.healthy or (healthy and not each.problem)}
    if not any(entry.mask for entry in kept.values()):
        raise HarnessError(
            f"{path}: names no lesion mask of a subject that has a map; add masks, or name their folder; maps of "
            "controls alone set thresholds, as --healthy of an evaluation of patients"
        )
    if without := [name for name in maps if name not in kept]:
        remedy = "`--unmasked healthy` counts those without a lesion as healthy"
        warn(f"{path} has no lesion mask of {listed(without)}: their maps are not evaluated; {remedy}")
    used = {named[name].name for name in maps}
    if missing := [entry.name for entry in found if entry.mask and entry.name not in used]:
        warn(f"{path}: the lesion masks of {listed(missing)} are not evaluated, which have no map")
    return {name: entry.mask for name, entry in kept.items()}, {name: entry.patient for name, entry in kept.items()}


def _aliases(entry: Entry, others: list[Entry]) -> set[str]:
    """Other names of a subject: the session of its scans, by their file names, and the subject of its only session."""
    beginnings = (NAMED.match(path.name) for path in entry.scans.values())
    sessions = {match[0] for match in beginnings if match}
    subject = entry.name.partition("_ses-")[0]
    alone = entry.mask and sum(bool(o.mask) for o in others if o.name.partition("_ses-")[0] == subject) == 1
    return (sessions if len(sessions) == 1 else set()) | ({subject} if alone else set())


def _entry(root: Path, files: Files) -> Entry:
    scans = {name: root / path for name, path in files.scans.items()}
    mask, brain = (None if path is None else root / path for path in (files.mask, files.brain))
    several = tuple(Note(f"have several {kind}, of which one is taken", "") for kind in files.several)
    return Entry(files.subject, scans, mask, brain, files.problem, False, files.patient, several + files.notes)


def _of_row(made: sheet.Sheet, row: sheet.Row) -> Entry:
    files = {kind: path for kind in (*NAMES, "mask", "brain") if (path := made.file(row, kind)) is not None}
    scans, patient = {name: files[name] for name in NAMES if name in files}, row.patient or of_name(row.subject)
    return Entry(row.subject, scans, files.get("mask"), files.get("brain"), row.problem, bool(row.unmasked), patient)


def of_folder(images: Path, t1: Path | None, truth: Path | None) -> tuple[list[Scan], int]:
    """The NIfTI files of a folder, with those of the same names in others; and the number of those without a T1.

    truth: delineated lesions, of some of the scans. Raises HarnessError for lesions of none of them.
    """
    if not any(stem(each.name) for each in images.iterdir()):
        raise HarnessError(
            f"{images}: holds no .nii or .nii.gz file, and is no data set in BIDS (sub-*/[ses-*/]anat/*.nii.gz); of "
            "another layout give the CSV that `uadbench index` writes"
        )
    scans = nifti_files(images)
    beside = nifti_files(t1) if t1 is not None else {}
    lesions = nifti_files(truth) if truth is not None else {}
    if truth is not None and not lesions.keys() & scans.keys():
        raise HarnessError(f"{truth}: holds no file with the name of a scan in {images}; rename the files")
    for files in (beside, lesions):
        warn_of_unused(files, scans, "scan")
    without = [name for name in scans if t1 is not None and name not in beside]
    for name in without:
        say(f"left out: {scans[name]}: no T1-weighted scan of this name in {t1}; add it")
    found = [Scan(name, path, beside.get(name), lesions.get(name)) for name, path in scans.items()]
    return [scan for scan in found if scan.name not in without], len(without)


def refuse_alike(names: Iterable[str]) -> None:
    """Raise HarnessError for names that differ in case alone, whose files some systems take for one."""
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.casefold(), name)) != name:
            raise HarnessError(f"{other} and {name}: differ in case alone, as names of files must not; rename one")


def of_modality(path: Path, modality: str, lesions: bool) -> tuple[list[Scan], int]:
    """The scans of a modality in a data set, and the number of those that cannot be used; says which are left out.

    lesions: whether lesion masks are wanted, which must be on the voxels of the scan. Raises HarnessError without any
    such scan.
    """
    found, lost, lacking, elsewhere = list[Scan](), 0, list[str](), list[str]()
    every = entries(path)
    for entry in every:
        image = entry.scans.get(modality)
        if image is None:
            lacking.append(entry.name)
            continue
        if entry.problem:
            lost += 1
            say(f"left out: {entry.name}: {entry.problem}")
            continue
        t1 = entry.scans.get("t1") if modality != "t1" else None
        first = next(iter(entry.scans))  # whose voxels a brain mask has
        brain = entry.brain if first == ("t1" if t1 else modality) else None
        lesion = entry.mask if lesions else None
        if lesion is not None and not same_grid(lesion, image):
            elsewhere.append(entry.name)
            lesion = None
        found.append(Scan(entry.name, image, t1, lesion, brain))
    title = MODALITIES[modality].title
    if not found and not lost:
        raise HarnessError(f"{path}: holds no {title} scan, which the run scores; use a run of another modality")
    taken = {entry.name: entry.scans[modality].name for entry in every if modality in entry.scans}
    for note in dict.fromkeys(note for entry in every if entry.name in taken for note in entry.notes):
        having = [entry.name for entry in every if note in entry.notes and entry.name in taken]
        example = f"{taken[having[0]]}{f' ({note.detail})' * bool(note.detail)}"
        say(f"{path}: {len(having)} of the scans {note.text}, for example {example}")
    if lacking:
        say(f"left out, without a {title} scan: {listed(lacking)}")
    if alone := [scan.name for scan in found if modality != "t1" and scan.t1 is None]:
        say(f"registered by themselves, without a T1-weighted scan: {listed(alone)}")
    if elsewhere:
        say(f"lesion masks on other voxels than the scan's are not shown: {listed(elsewhere)}")
    return found, lost
