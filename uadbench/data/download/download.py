"""Download of whole data sets: what is ordered, what is there, and several files at once with the progress of all."""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from uadbench.core import folder_lock
from uadbench.core.checksums import PARTIAL
from uadbench.core.errors import HarnessError, listed
from uadbench.data.download import selection, tables
from uadbench.data.download.answers import Refused
from uadbench.data.download.tables import File, OpenSet
from uadbench.data.download.transfer import CHUNK, PATIENT, Patience, Place, Transfer, size

T = TypeVar("T")

ROOM = 2**20  # bytes of a disk that stay free
MOST_REFUSED = 10  # files, after which others are not asked for
QUIET_SECONDS = 30.0  # between lines of progress off a terminal


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
        target = self.target(file)
        return size(target.with_name(PARTIAL + target.name))

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


def fetch(order: Order, mirror: str | None = None, at_once: int = 8, patience: Patience = PATIENT) -> int:
    """Fetch what is not there, and what is there with another checksum; returns the number of files fetched.

    Raises HarnessError for a fault of network or disk, for files that cannot be had, after all others, and while
    another process downloads the same data set. What is finished, or begun, stays for the next call.
    """
    with folder_lock.held(order.folder, "downloads this data set"):
        absent = order.absent()
        there = [file for file in order.files if file not in set(absent)]
        with _progress(f"check {order.data.name}", sum(file.bytes for file in there)) as moved:
            wrong = [file for file in _together(partial(_differs, order, moved), there, at_once) if file]
        wanted = [*absent, *wrong]
        if replaced := [file.path for file in wanted if order.target(file).exists()]:
            print(f"{order.folder}: not as published, fetched anew: {listed(replaced)}", file=sys.stderr)
        _transfer(order, wanted, mirror, at_once, patience)
        return len(wanted)


def _transfer(order: Order, wanted: list[File], mirror: str | None, at_once: int, patience: Patience) -> None:
    begun, refused = sum(map(order.begun, wanted)), list[Refused]()
    with _progress(f"download {order.data.name}", sum(file.bytes for file in wanted), begun) as moved:
        transfer = Transfer(Place.of(order.data, mirror), moved, patience)

        def one(file: File) -> Refused | None:
            try:
                transfer.fetch(file, order.target(file))
            except Refused as error:
                return error
            return None

        try:
            for error in _together(one, wanted, at_once):
                refused += [error] if error else []
                if len(refused) == MOST_REFUSED:
                    break
        finally:
            transfer.stopped.set()
    if refused:
        number = f"{len(refused)}" if len(refused) < MOST_REFUSED else f"{MOST_REFUSED} or more"
        raise HarnessError(f"{order.data.name}: {number} of {len(wanted)} files could not be had, first {refused[0]}")


def _differs(order: Order, moved: Callable[[int], object], file: File) -> File | None:
    """The file if its checksum is not the published one."""
    digest = file.checksum()
    with open(order.target(file), "rb") as content:
        while block := content.read(CHUNK):
            digest.update(block)
            moved(len(block))
    return None if digest.hexdigest() == file.value else file


def _together(work: Callable[[File], T], files: list[File], number: int) -> Iterator[T]:
    """Results for files, several at once, as they come; threads do not outlive an interrupt."""
    if not files:
        return
    with ThreadPool(min(number, len(files))) as pool:
        yield from pool.imap_unordered(work, files)


class _Lines:
    """Lines of progress in a log, where a terminal has one that changes."""

    def write(self, text: str) -> None:
        if line := text.strip():
            print(line, file=sys.stderr, flush=True)

    def flush(self) -> None:
        """Each line is."""


@contextlib.contextmanager
def _progress(title: str, total: int, done: int = 0) -> Iterator[Callable[[int], object]]:
    """The function that counts bytes, for any thread: a bar with the time left on a terminal, lines elsewhere."""
    style: dict[str, Any] = {"unit": "B", "unit_scale": True}
    if not sys.stderr.isatty():
        style |= {"file": _Lines(), "ncols": 0, "delay": QUIET_SECONDS}
        style |= {"mininterval": QUIET_SECONDS, "maxinterval": QUIET_SECONDS}
    turn = threading.Lock()
    with tqdm(total=total, initial=done, desc=title, **style) as bar:

        def moved(number: int) -> None:
            with turn:
                bar.update(number)

        yield moved
