"""Download of what is ordered of a data set: several files at once, with the progress of all."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar, cast

from tqdm import tqdm

from uadbench.core import folder_lock
from uadbench.core.errors import HarnessError, listed
from uadbench.data.download.answers import Refused
from uadbench.data.download.orders import Order
from uadbench.data.download.tables import File
from uadbench.data.download.transfer import CHUNK, PATIENT, Patience, Place, Transfer

T = TypeVar("T")

MOST_REFUSED = 10  # files, after which others are not asked for
QUIET_SECONDS = 30.0  # between lines of progress off a terminal


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
    """Results for files, several at once, as they come. Raises what `work` raises.

    In threads that nobody waits for: an interrupt, or an end before the last file, leaves what they are at.
    """
    to_do, done = queue.SimpleQueue[File](), queue.SimpleQueue[tuple[T | None, Exception | None]]()

    def run() -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                file = to_do.get_nowait()
                try:
                    done.put((work(file), None))
                except Exception as error:
                    done.put((None, error))

    for file in files:
        to_do.put(file)
    for _ in range(min(number, len(files))):
        threading.Thread(target=run, daemon=True).start()
    try:
        for _ in files:
            result, error = done.get()
            if error:
                raise error
            yield cast(T, result)
    finally:
        with contextlib.suppress(queue.Empty):
            while True:
                to_do.get_nowait()


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
    style: dict[str, Any] = {"unit": "B", "unit_scale": True, "disable": not total}
    if not sys.stderr.isatty():
        style |= {"file": _Lines(), "ncols": 0, "delay": QUIET_SECONDS}
        style |= {"mininterval": QUIET_SECONDS, "maxinterval": QUIET_SECONDS}
    turn = threading.Lock()
    with tqdm(total=total, initial=done, desc=title, **style) as bar:

        def moved(number: int) -> None:
            with turn:
                bar.update(number)

        yield moved
