"""Splits: training and validation subjects by rule and seed or by a list, and named parts of a test set."""

import csv
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from uadbench.core.errors import HarnessError, choices
from uadbench.core.files import content

PARTS = ("train", "validation", "left out")

#: named parts of a test set, as fractions of its subjects sorted by name: UPD_study reports the first 90 %
SUBSETS = {"all": 1.0, "upd": 0.9}


def by_rule(subjects: Iterable[str], validation: int, seed: int, patients: Mapping[str, str] = {}) -> dict[str, str]:
    """{subject: "train" or "validation"} with exactly `validation` patients held out, each with all of their scans.

    patients: by subject, of those that have several; every other subject is a patient.
    The patients with the smallest SHA-256 of "seed:name" of their first subject are held out, so that the split is
    independent of the order of the files and nearly independent of the other subjects. Raises HarnessError if no
    training subject would remain.
    """
    scans: dict[str, list[str]] = {}
    for name in sorted(set(subjects)):
        scans.setdefault(patients.get(name, name), []).append(name)
    ranked = sorted(scans.values(), key=lambda names: hashlib.sha256(f"{seed}:{names[0]}".encode()).digest())
    if not 0 <= validation < len(ranked):
        raise HarnessError(f"validation: {validation} of {len(ranked)} subjects leaves none to train on; ask for fewer")
    parts = ["validation" if rank < validation else "train" for rank in range(len(ranked))]
    return {name: part for names, part in zip(ranked, parts, strict=True) for name in names}


def by_list(path: Path, subjects: Sequence[str], patients: Mapping[str, str] = {}) -> dict[str, str]:
    """{subject: "train", "validation" or "left out"} by the list; unlisted subjects are train.

    The list is a CSV with the columns `subject` and `split`; lines that begin with # are comments. Names that are not
    among `subjects` are ignored, since a copy of a release may be incomplete. Raises HarnessError if no name is among
    them, if a line is invalid, if it divides the scans of one of `patients`, or if no training subject remains.
    """
    listed = read_list(path)
    if listed and not listed.keys() & {*subjects, *patients.values()}:
        raise HarnessError(f"{path}: none of its subjects is in the data set, whose names look like {subjects[0]}")
    splits = {name: listed.get(name, listed.get(patients.get(name, name), "train")) for name in subjects}
    for patient in dict.fromkeys(patients.values()):
        parts = {splits[name]: name for name, other in patients.items() if other == patient and name in splits}
        if {"train", "validation"} <= parts.keys():
            raise HarnessError(
                f"{path}: {parts['train']} is in train and {parts['validation']} in validation, both of {patient}; "
                "give all scans of a patient the same split"
            )
    if "train" not in splits.values():
        raise HarnessError(f"{path}: leaves nobody to train on")
    return splits


def read_list(path: Path) -> dict[str, str]:
    """The subjects of a list with their splits. Raises HarnessError naming an invalid line."""
    if not path.is_file():
        raise HarnessError(f"{path}: no such list of subjects")
    lines = content(path).decode("utf-8-sig").splitlines()
    rows = [(number, line) for number, line in enumerate(lines, start=1) if line.strip(", ") and line[0] != "#"]
    reader = csv.DictReader(line for _, line in rows)
    if reader.fieldnames != ["subject", "split"]:
        raise HarnessError(f"{path}: columns are {reader.fieldnames}; they must be subject, split")
    listed: dict[str, str] = {}
    for (number, _), record in zip(rows[1:], reader, strict=False):
        if record["split"] not in PARTS or record["subject"] in listed:
            raise HarnessError(
                f"{path}, line {number}: {record['subject']}, {record['split']}: name each subject once, with one of"
                f" {', '.join(PARTS)}"
            )
        listed[record["subject"]] = record["split"]
    return listed


def subset(subjects: Sequence[str], name: str) -> list[str]:
    """The named part of a test set: the first int(fraction * N) of its subjects sorted by name."""
    if name not in SUBSETS:
        raise HarnessError(f"subset: {name!r} is unknown; {choices(name, SUBSETS)}")
    return sorted(subjects)[: int(SUBSETS[name] * len(subjects))]
