"""Choice of the files of an open data set: some subjects, whole and always the same; some modalities."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection

from uadbench.core.errors import HarnessError
from uadbench.data.download import tables
from uadbench.data.download.tables import File, OpenSet

SUBJECT = re.compile(r"(?:^|/)(sub-[A-Za-z0-9]+)/")
MASK = re.compile(r"^derivatives/|_mask\.|_roi\.|_label-|_dseg\.")
#: modality of a scan by its name, the first that fits: some name a FLAIR as the acquisition of a T2
MODALITIES = {"flair": "FLAIR", "t1c": r"_ce-.*_T1w\.", "t1": r"_T1w\.", "t2": r"_T2w\."}


def subject(file: File) -> str | None:
    """The folder `sub-…` that a file is in; None for one of the whole data set."""
    found = SUBJECT.search(file.path)
    return found[1] if found else None


def subjects(files: Collection[File]) -> list[str]:
    """Subjects of files, sorted."""
    return sorted({name for file in files if (name := subject(file))})


def is_mask(file: File) -> bool:
    return MASK.search(file.path) is not None


def modality(file: File) -> str | None:
    """Modality of a scan or its description, a name of uadbench.core.modalities; None for a mask and all others."""
    if subject(file) is None or is_mask(file):
        return None
    return next((name for name, pattern in MODALITIES.items() if re.search(pattern, file.name)), None)


def counts(files: Collection[File]) -> dict[str, int]:
    """Numbers of subjects with a scan, by modality, and with a mask."""
    kinds: dict[str, set[str | None]] = {name: set() for name in ("t1", "t2", "flair", "t1c", "masks")}
    for file in files:
        if kind := "masks" if is_mask(file) else modality(file):
            kinds[kind].add(subject(file))
    return {name: len(found) for name, found in kinds.items() if found}


def chosen(data: OpenSet, number: int) -> frozenset[str]:
    """Some of a data set's subjects, always the same: with and without a mask in the proportion of all.

    Of both the first in the order of the SHA-256 of NAME:SUBJECT, so that a larger number contains a smaller one.
    """
    masked = {subject(file) for file in data.files if is_mask(file)}
    every = sorted(subjects(data.files), key=lambda name: hashlib.sha256(f"{data.name}:{name}".encode()).digest())
    groups = [[name for name in every if (name in masked) is having] for having in (True, False)]
    ranked = [((place + 0.5) / len(group), name) for group in groups for place, name in enumerate(group)]
    return frozenset(name for _, name in sorted(ranked)[:number])


def parse(text: str) -> frozenset[str]:
    """`chosen` of the text NAME:NUMBER. Raises HarnessError for another text."""
    name, _, number = text.partition(":")
    if not (number.isdecimal() and int(number)):
        raise HarnessError(f"{text}: is not like ds004884:30")
    return chosen(tables.load(name), int(number))


def select(data: OpenSet, number: int | None = None, modalities: Collection[str] = ()) -> tuple[File, ...]:
    """The files of some subjects and modalities, of all by default, with those of the whole data set.

    Masks, the scans that they are drawn on, and scans of no modality (diffusion) come with any modality.
    Raises HarnessError for a modality that the data set does not have.
    """
    if missing := sorted(set(modalities) - set(having := counts(data.files))):
        known = ", ".join(name for name in having if name != "masks")
        raise HarnessError(f"--modality {missing[0]}: {data.name} has none; it has {known}")
    kept = {None, *(subjects(data.files) if number is None else chosen(data, number))}
    files = [file for file in data.files if subject(file) in kept]
    if not modalities:
        return tuple(files)
    wanted, drawn = {None, *modalities}, _drawn_on(files)
    return tuple(file for file in files if modality(file) in wanted or _stem(file) in drawn)


def _drawn_on(files: Collection[File]) -> set[str]:
    """Names, without endings, of the scans that masks are drawn on: that which the name of the mask begins with.

    Where there is none, all scans of the subject in the modality that the name of the mask says.
    """
    scans: dict[tuple[str | None, str], set[str]] = {}
    for file in files:
        if kind := modality(file):
            scans.setdefault((subject(file), kind), set()).add(_stem(file))
    every, found = set[str]().union(*scans.values()), set[str]()
    for mask in filter(is_mask, files):
        parts = _stem(mask).split("_")
        named = {"_".join(parts[:end]) for end in range(1, len(parts))} & every
        said = [kind for kind, pattern in MODALITIES.items() if re.search(pattern.removesuffix(r"\."), mask.name)]
        found |= named or set().union(*(scans.get((subject(mask), kind), set()) for kind in said))
    return found


def _stem(file: File) -> str:
    return file.name.partition(".")[0]
