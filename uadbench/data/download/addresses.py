"""Lists of addresses, paths and checksums, for programs that download by other means."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from uadbench.data.download.orders import Order
from uadbench.data.download.transfer import Place

ARIA2 = {"md5": "md5", "sha1": "sha-1", "sha256": "sha-256", "sha512": "sha-512"}


class Entry(NamedTuple):
    """A file: its address, its path, kind and value of its checksum."""

    address: str
    path: str
    digest: str
    value: str


def entries(orders: Iterable[Order], mirror: str | None = None) -> Iterator[Entry]:
    """All files of orders, whether they are there or not."""
    for order in orders:
        place = Place.of(order.data, mirror)
        for file in order.files:
            yield Entry(place.address(file), order.target(file).as_posix(), file.digest, file.value)


def table(files: Iterable[Entry]) -> Iterator[str]:
    yield "address\tpath\tdigest\tvalue"
    yield from map("\t".join, files)


def aria2c(files: Iterable[Entry]) -> Iterator[str]:
    yield "# aria2c --continue --auto-file-renaming=false --input-file=THIS_FILE"
    for file in files:
        yield f"{file.address}\n  out={file.path}\n  checksum={ARIA2[file.digest]}={file.value}"


def wget(files: Iterable[Entry]) -> Iterator[str]:
    yield "# sh THIS_FILE; then `uadbench download` with the same names compares the checksums"
    folder = None
    for file in files:
        if folder != (folder := Path(file.path).parent):
            yield f"mkdir -p {shlex.quote(folder.as_posix())}"
        yield f"wget --continue --output-document={shlex.quote(file.path)} {shlex.quote(file.address)}"


def curl(files: Iterable[Entry]) -> Iterator[str]:
    yield "# curl --config THIS_FILE; then `uadbench download` with the same names compares the checksums"
    yield 'create-dirs\nfail\nlocation\ncontinue-at = "-"'
    for file in files:
        yield f"url = {_quoted(file.address)}\noutput = {_quoted(file.path)}"


def _quoted(text: str) -> str:
    """A text as curl reads it between quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


FORMATS: dict[str, Callable[[Iterable[Entry]], Iterator[str]]] = {
    "tsv": table,
    "aria2c": aria2c,
    "wget": wget,
    "curl": curl,
}
