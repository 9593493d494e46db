"""What is wanted of an open data set, what of it is there, and whether the rest fits on the disk."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uadbench.core.checksums import PARTIAL
from uadbench.core.errors import HarnessError
from uadbench.data.download import selection, tables
from uadbench.data.download.tables import File, OpenSet

ROOM = 2**20  # bytes of a disk that stay free


@dataclass(frozen=True)
class Order:
    """Files of a data set, and the folder that becomes its root."""

    data: OpenSet
    files: tuple[File, ...]
    folder: Path

    @classmethod
    def of(cls, name: str, parent: Path, number: int | None = None, modalities: Collection[str] = ()) -> Order:
        """Some subjects and modalities of a data set by its name. Raises HarnessError as `tables` and `selection`."""
        data = tables.load(name)
        return cls(data, selection.select(data, number, modalities), parent / data.name)

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    def target(self, file: File) -> Path:
        return self.folder / file.path

    def absent(self) -> list[File]:
        """Files that are not there, or not of their size."""
        return [
            file
            for file in self.files
            if size(target := self.target(file)) != file.bytes or not (file.bytes or target.is_file())
        ]

    def to_come(self, files: Iterable[File]) -> int:
        """Bytes of files without those of the parts that are there."""
        return sum(file.bytes - min(file.bytes, self.begun(file)) for file in files)

    def begun(self, file: File) -> int:
        """Bytes of the unfinished file."""
        return size(unfinished(self.target(file)))

    def lines(self) -> list[str]:
        """What it is, how much, how much of that is there, its licence and citation."""
        data, absent = self.data, self.absent()
        numbers = {"subjects": len(selection.subjects(self.files)), **selection.counts(self.files)}
        number = len(self.files) - len(absent)
        there = f"; {number} of them are in {self.folder}" if number else ""
        return [
            f"{data.name}: {data.title}, version {data.version}",
            f"  {', '.join(f'{number} {name}' for name, number in numbers.items())}; "
            f"{len(self.files)} files, {amount(self.bytes)}{there}",
            f"  licence {data.licence}; cite {data.reference}; {data.source}",
        ]

    def record(self) -> dict[str, Any]:
        """What was downloaded, for a study."""
        facts = {"source": self.data.name, "version": self.data.version, "licence": self.data.licence}
        return {**facts, "subjects": len(selection.subjects(self.files)), "files": len(self.files), "bytes": self.bytes}


def amount(number: float) -> str:
    """Bytes in words: 7.2 GB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


def free(folder: Path) -> int:
    """Free bytes of the disk on which a folder is or would be."""
    above = folder.absolute()
    return shutil.disk_usage(next(path for path in (above, *above.parents) if path.is_dir())).free


def check_room(orders: Collection[Order], to: Path) -> str:
    """The line on the free disk. Raises HarnessError where what is to come does not fit."""
    needed, left = sum(order.to_come(order.absent()) for order in orders), free(to)
    line = f"to fetch: {amount(needed)}; free in {to}: {amount(left)}"
    if needed > max(0, left - ROOM):
        raise HarnessError(f"{line}; make room, name another disk with --to, or fewer --subjects")
    return line


def size(path: Path) -> int:
    """Bytes of a file; 0 without one."""
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


def unfinished(target: Path) -> Path:
    """The hidden file in which another one comes."""
    return target.with_name(PARTIAL + target.name)
