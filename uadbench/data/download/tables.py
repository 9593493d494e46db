"""Open data sets that can be downloaded: one file each in uadbench/resources/open, facts above a table of its files.

`NAME.tsv`, or compressed `NAME.tsv.gz`: lines `# key: value` (KEYS), then the columns of `File` between tabs.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

from uadbench.core.errors import HarnessError, choices
from uadbench.core.packaged import RESOURCES

FOLDER = RESOURCES / "open"
VARIABLE = "UADBENCH_OPEN_TABLES"  # names a folder with tables of one's own, which precede
ENDINGS = (".tsv", ".tsv.gz")
KEYS = ("short", "title", "version", "layout", "licence", "reference", "source", "address")
COUNTS = ("subjects", "t1", "t2", "masks")
REMEDY = "correct the table, or install uadbench again"
#: part of a path that stays in its folder, on any system: not hidden, no drive, no parent, nothing that shells expand
PART = re.compile(r'[^\s./\\:*?"<>|\x00-\x1f][^/\\:*?"<>|\x00-\x1f]*')
LENGTHS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}  # hexadecimal digits of the known kinds of checksums


@dataclass(frozen=True)
class File:
    """A published file: path below the root of its data set, size, kind and value of its checksum, stored version."""

    path: str
    bytes: int
    digest: str
    value: str
    version: str = ""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def checksum(self) -> hashlib._Hash:
        """A new checksum of its kind."""
        return hashlib.new(self.digest, usedforsecurity=False)


@dataclass(frozen=True)
class OpenSet:
    """An open data set. address: of its root; counts: of COUNTS, as far as they are stated."""

    name: str
    path: Path
    short: str
    title: str
    version: str
    layout: str
    licence: str
    reference: str
    source: str
    address: str
    counts: dict[str, int]

    @cached_property
    def files(self) -> tuple[File, ...]:
        """Raises HarnessError, as `_file`, for a table with a mistake."""
        found: dict[str, File] = {}
        columns = [field.name for field in fields(File)]
        lines = ((number, line) for number, line in _lines(self.path) if not line.startswith("#"))
        _, head = next(lines, (0, ""))
        if head.split("\t") != columns:
            raise HarnessError(f"{self.path}: its columns must be {', '.join(columns)}, between tabs; {REMEDY}")
        for number, line in lines:
            file = _file(f"{self.path}, line {number}", line.split("\t"))
            if found.setdefault(file.path.casefold(), file) is not file:
                raise HarnessError(f"{self.path}, line {number}: {file.path} stands there twice; {REMEDY}")
        return tuple(found.values())


def names() -> list[str]:
    """Names of all open data sets."""
    return sorted(_paths())


def every() -> list[str]:
    """Names of all open data sets, and their short names."""
    return [*names(), *(load(name).short for name in names())]


def load(name: str) -> OpenSet:
    """The open data set of a name or short name. Raises HarnessError for an unknown one, and for a damaged table."""
    paths = _paths()
    if name not in paths:
        short = {_read(one, path).short: one for one, path in paths.items()}
        if name not in short:
            raise HarnessError(f"{name}: no such open data set; {choices(name, [*paths, *short])}")
        name = short[name]
    return _read(name, paths[name])


def _paths() -> dict[str, Path]:
    folders = [FOLDER, *([Path(own)] if (own := os.environ.get(VARIABLE)) else [])]
    found = (path for folder in folders for path in sorted(folder.glob("*.tsv*")) if path.name.endswith(ENDINGS))
    return {path.name.partition(".")[0]: path for path in found}


def _read(name: str, path: Path) -> OpenSet:
    return _facts(name, path, path.stat().st_mtime_ns)


@functools.cache
def _facts(name: str, path: Path, _time: int) -> OpenSet:
    """Read once, with the files, while the table stays as it is."""
    stated = {}
    for _, line in _lines(path):
        if not line.startswith("#"):
            break
        key, _, value = line.removeprefix("#").partition(":")
        stated[key.strip()] = value.strip()
    for key in KEYS:
        if not stated.get(key):
            raise HarnessError(f"{path}: no line `# {key}: …` above its table; {REMEDY}")
    counts = {key: int(stated[key]) for key in COUNTS if stated.get(key, "").isdecimal()}
    return OpenSet(name, path, **{key: stated[key] for key in KEYS}, counts=counts)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as table:
            for number, line in enumerate(table, start=1):
                yield number, line.rstrip("\n")
    except (EOFError, UnicodeDecodeError, zlib.error, gzip.BadGzipFile) as error:
        raise HarnessError(f"{path}: damaged ({error}); {REMEDY}") from None


def _file(where: str, cells: list[str]) -> File:
    """A row. Raises HarnessError for a path that leaves the folder, and for another cell that is none of its column."""
    if len(cells) != len(fields(File)):
        raise HarnessError(f"{where}: {len(cells)} cells; {REMEDY}")
    path, size, digest, value, version = cells
    if not all(PART.fullmatch(part) for part in path.split("/")):
        raise HarnessError(f"{where}: {path!r} is no path inside the folder of the data set; {REMEDY}")
    if not size.isdecimal():
        raise HarnessError(f"{where}: {size!r} is no number of bytes; {REMEDY}")
    if digest not in LENGTHS or not re.fullmatch(rf"[0-9a-f]{{{LENGTHS[digest]}}}", value):
        raise HarnessError(f"{where}: {value!r} is no checksum of the kinds {', '.join(LENGTHS)}; {REMEDY}")
    return File(path, int(size), digest, value, version)
