"""Data-set layouts, found by file name: `layouts/atlas.py` is the layout `atlas`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from harness.errors import HarnessError
from harness.modalities import NAMES
from harness.plugins import Plugins

LAYOUTS = Plugins("layout", "harness.data.index.layouts")


@dataclass(frozen=True)
class Files:
    """The files of one subject, relative to the root of the data set; None where the subject has no such file."""

    subject: str
    t1: Path | None = None
    t2: Path | None = None
    mask: Path | None = None
    #: the scan whose voxels the mask has, where that is neither the T1 nor the T2
    drawn_on: Path | None = None
    #: why the subject cannot be used, if that can be told from its files' names
    problem: str = ""
    #: kinds of scan of which there were several to choose from
    several: tuple[str, ...] = ()
    flair: Path | None = None
    t1c: Path | None = None
    #: mask of the brain, on the voxels of the scan that is registered to the template: the first of NAMES there is
    brain: Path | None = None

    @property
    def scans(self) -> dict[str, Path]:
        """The scans there are, by modality, in the order of NAMES."""
        found = {name: getattr(self, name) for name in NAMES}
        return {name: path for name, path in found.items() if path is not None}


class Layout:
    """How one public data set names its files. A new layout is one file with `class Layout(layout.Layout)`."""

    #: the path that a scan is expected at below the root, for error messages
    expected: ClassVar[str]
    #: whether every subject must come with a mask of its lesions
    has_mask: ClassVar[bool] = False
    #: whether scans can be chosen by BIDS entities
    has_entities: ClassVar[bool] = False
    #: whether the root of a data set is a file, not a folder
    reads_file: ClassVar[bool] = False

    def __init__(self, entities: Mapping[str, str] | None = None) -> None:
        self.entities = dict(entities or {})

    def complete(self) -> list[str]:
        """Names of all subjects of the release where they can be told beforehand, else an empty list."""
        return []

    def subjects(self, root: Path) -> list[Files]:
        """The subjects below `root`, sorted by name; an empty list where nothing fits the layout."""
        raise NotImplementedError


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts names with numbers in them as numbers: run-2 before run-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def names() -> list[str]:
    """The layouts there are, read from file names."""
    return LAYOUTS.names()


def load(name: str, entities: Mapping[str, str] | None = None) -> Layout:
    """The layout called `name`, which takes scans with these BIDS entities where there are several.

    Raises HarnessError if there is no such file, or if the layout has no entities.
    """
    layout: Layout = LAYOUTS.load(name).Layout(entities)
    if entities and not layout.has_entities:
        raise HarnessError(f"layout {name!r}: its names have no entities to choose by; leave `entities` out")
    return layout


def entities(pairs: Iterable[str]) -> dict[str, str]:
    """Entities given as KEY=VALUE. Raises HarnessError for one that is not."""
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (re.fullmatch("[a-z]+", key) and equals and re.fullmatch("[A-Za-z0-9]+", value)):
            raise HarnessError(f"--entity: {pair!r} is not like run=2 or acq=highres")
        found[key] = value
    return found


def walk(root: Path, skip: tuple[str, ...] = ()) -> Iterator[Path]:
    """Every file below `root` relative to it, in sorted order; linked folders are followed, each at most once.

    Folders called as in `skip`, and hidden ones, are not entered. Raises HarnessError for one that cannot be listed:
    a study that went on without its subjects would not say so.
    """

    def refuse(error: OSError) -> None:
        raise HarnessError(
            f"{error.filename}: cannot be listed ({error.strerror}); give read access, or move it out of the data set"
        ) from error

    seen: set[str] = set()
    for folder, subfolders, files in os.walk(root, onerror=refuse, followlinks=True):
        subfolders[:] = sorted(name for name in subfolders if name not in skip and not name.startswith("."))
        real = os.path.realpath(folder)
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        yield from (Path(folder, name).relative_to(root) for name in sorted(files) if not name.startswith("."))


def group(root: Path, kinds: dict[str, str], skip: tuple[str, ...] = ()) -> list[Files]:
    """The subjects below `root`, sorted by name.

    `kinds` gives for each of `t1`, `t2`, …, `mask` a regular expression that must match the whole file name, and whose
    first group is the subject. Of `.nii` and `.nii.gz` in one folder the first in sorted order is taken; a subject with
    the same scan in two folders has a problem.
    """
    patterns = {kind: re.compile(pattern) for kind, pattern in kinds.items()}
    found: dict[str, dict[str, Any]] = {}
    problems: dict[str, str] = {}
    for path in walk(root, skip):
        for kind, pattern in patterns.items():
            match = pattern.fullmatch(path.name)
            if match is None:
                continue
            first = found.setdefault(match.group(1), {}).setdefault(kind, path)
            if first.parent != path.parent:
                problems[match.group(1)] = f"the same scan lies at {first} and {path}; keep one of them"
    return [Files(subject, **files, problem=problems.get(subject, "")) for subject, files in sorted(found.items())]
