"""One file from its address to the disk: continued where it stopped, tried again after a pause, right or not there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

import requests
from requests.adapters import HTTPAdapter

from uadbench.core import faults
from uadbench.core.errors import HarnessError
from uadbench.data.download.answers import NETWORK, Passing, Refused, beginning, named, wrong
from uadbench.data.download.orders import size, unfinished
from uadbench.data.download.tables import File, OpenSet

CHUNK = 2**16  # bytes
SLOWEST = 1000  # bytes a second
CONNECTING = 20.0  # seconds


@dataclass(frozen=True)
class Patience:
    """Seconds of pauses before further attempts without progress; that a server may ask for; without 1 kB/s."""

    pauses: tuple[float, ...] = (1.0, 5.0, 20.0, 60.0)
    longest: float = 300.0
    slow: float = 60.0


PATIENT = Patience()


class Stopped(Exception):
    """Another file has ended the download."""


@dataclass(frozen=True)
class Place:
    """Where a data set is published, or a mirror of it. versioned: whether addresses name the version of a file."""

    base: str
    versioned: bool = False

    @classmethod
    def of(cls, data: OpenSet, mirror: str | None = None) -> Place:
        """The published place, or the folder of the data set in a mirror. Raises HarnessError for another address."""
        if mirror is None:
            return cls(data.address, versioned=True)
        parts = urlsplit(mirror)
        if parts.scheme not in ("http", "https", "file") or bool(parts.netloc) is (parts.scheme == "file"):
            raise HarnessError(f"--mirror {mirror}: no such address; write https://…, http://… or file:///…")
        return cls(f"{mirror.rstrip('/')}/{data.name}")

    def address(self, file: File) -> str:
        version = f"?versionId={quote(file.version, safe='')}" if self.versioned and file.version else ""
        return f"{self.base}/{quote(file.path)}{version}"


class Transfer:
    """Fetches files of one place, in any number of threads. moved: is told the bytes that came, or those dropped."""

    def __init__(self, place: Place, moved: Callable[[int], object], patience: Patience = PATIENT) -> None:
        self.place, self.moved, self.patience = place, moved, patience
        self.stopped, self.reached = threading.Event(), False
        self.session = requests.Session()
        for scheme in [*self.session.adapters]:
            self.session.mount(scheme, HTTPAdapter(pool_maxsize=32))
        if place.base.startswith("https:"):
            del self.session.adapters["http://"]  # no redirect leads there

    def fetch(self, file: File, target: Path) -> None:
        """Write a file; what is unfinished lies beside it, and is continued by the next attempt or command.

        Its size and checksum decide, so that a continued one needs no date or tag of the server. Raises Refused for a
        file that cannot be had, HarnessError for a fault that others would meet too, and Stopped.
        """
        partial, most = unfinished(target), len(self.patience.pauses)
        failed: Counter[int | None] = Counter()  # attempts, by the number that such a fault has
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            while True:
                before = size(partial)
                if self.stopped.is_set():
                    raise Stopped
                try:
                    self._attempt(file, partial)
                    return os.replace(partial, target)
                except Passing as fault:
                    if fault.anew:
                        self.moved(-size(partial))
                        partial.unlink(missing_ok=True)
                    if size(partial) >= before + CHUNK:
                        failed[None] = 0
                    failed[fault.attempts] += 1
                    number = failed[fault.attempts]
                    if number > min(most, fault.attempts or most) or fault.after > self.patience.longest:
                        raise fault.error from None
                    if self.stopped.wait(max(self.patience.pauses[number - 1], fault.after)):
                        raise Stopped from None
        except OSError as error:
            error.filename = error.filename or str(target)  # a failed write does not name its file
            raise HarnessError(faults.line(error) or f"{target}: {error}; {faults.DISK}") from error

    def _attempt(self, file: File, partial: Path) -> None:
        """Complete the partial file. Raises Passing for a fault that may pass, OSError for one of the disk."""
        with open(partial, "a+b") as out:
            have, digest = out.tell(), file.checksum()
            out.seek(0)
            while block := out.read(CHUNK):
                digest.update(block)
            if have < file.bytes:
                with self._answer(file, have) as (start, read):
                    if start < have:  # the server sends the whole
                        out.truncate(start)
                        self.moved(start - have)
                        digest = file.checksum()
                    self._write(file, out, start, read, digest)
            out.flush()
            os.fsync(out.fileno())
            have = out.tell()
        if have != file.bytes:
            raise wrong(file, f"more than its {file.bytes} bytes", anew=True)
        if digest.hexdigest() != file.value:
            raise wrong(file, f"its {file.digest} is {digest.hexdigest()}, not {file.value}", anew=True)

    def _write(self, file: File, out: BinaryIO, at: int, read: Callable[[int], bytes], digest: hashlib._Hash) -> None:
        """Append what is read, which begins at a byte of the file."""
        since, mark = time.monotonic(), at
        while block := read(CHUNK):
            if self.stopped.is_set():
                raise Stopped
            out.write(block)
            digest.update(block)
            at += len(block)
            self.moved(len(block))
            if at > file.bytes:
                return  # what comes further is not read
            if (now := time.monotonic()) > since + self.patience.slow:
                if at - mark < SLOWEST * self.patience.slow:
                    raise Passing(
                        HarnessError(f"{file.path}: comes at {(at - mark) / (now - since):.0f} bytes/s; {NETWORK}")
                    )
                since, mark = now, at
        if at < file.bytes:
            raise Passing(HarnessError(f"{file.path}: broke off after {at} of {file.bytes} bytes; {NETWORK}"))

    @contextlib.contextmanager
    def _answer(self, file: File, have: int) -> Iterator[tuple[int, Callable[[int], bytes]]]:
        """The byte of the file at which its source begins, `have` or 0, and the function that reads on."""
        address = self.place.address(file)
        if address.startswith("file:"):
            with _opened(Path(url2pathname(urlsplit(address).path))) as copy:
                copy.seek(have)
                yield have, copy.read
            return
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
        with named(file, address, self.reached):
            limits = min(CONNECTING, self.patience.slow), self.patience.slow
            response = self.session.get(address, headers=headers, stream=True, timeout=limits)

        def read(number: int) -> bytes:
            # Not decoded: some servers call a file .gz, which is as published, encoded.
            with named(file, address, True, "broke off"):
                return response.raw.read1(number, decode_content=False)

        with response:
            self.reached = True
            yield beginning(file, have, response, self.patience.longest), read


def _opened(path: Path) -> BinaryIO:
    try:
        return open(path, "rb")
    except (FileNotFoundError, NotADirectoryError):
        raise Refused(f"{path}: no such file in the mirror; copy it there, or leave --mirror out") from None
