"""Releases of data sets, and comparison of a folder with its release.

Those that a person fetches are rows of `uadbench/resources/datasets.csv`, those that `download` fetches the files of
`uadbench/resources/open`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from uadbench.core import csv_files
from uadbench.core.errors import HarnessError, choices, listed
from uadbench.core.packaged import RESOURCES
from uadbench.data.download import tables
from uadbench.data.index.layout import Files, Layout

DATASETS = RESOURCES / "datasets.csv"
KINDS = ("t1", "t2", "masks")


@dataclass(frozen=True)
class Release:
    """A published data set; a count that its source does not state is None.

    steps: how a person fetches it, in Markdown; "" where `download` does. content: what its folder holds then.
    """

    release: str
    title: str
    layout: str
    version: str
    subjects: int | None
    t1: int | None
    t2: int | None
    masks: int | None
    licence: str
    access: str
    source: str
    reference: str
    steps: str = ""
    content: str = ""

    def lines(self) -> list[str]:
        """The steps that fetch it."""
        return [
            f"{self.release}: {self.title}, version {self.version}; comes by hand",
            f"  licence {self.licence}; cite {self.reference}; {self.source}",
            f"  1. {_plain(self.steps)}",
            f"  2. unpack it unchanged; the folder then holds {_plain(self.content)}",
            f"  3. name the folder in a config: datasets: {{{self.release}: {{layout: {self.layout}, root: FOLDER}}}}",
        ]


def releases(path: Path = DATASETS) -> dict[str, Release]:
    rows = csv_files.read(path, [field.name for field in fields(Release)], "install uadbench again")
    counts = [{kind: int(row[kind]) if row[kind] else None for kind in ("subjects", *KINDS)} for row in rows]
    found = {row["release"]: Release(**(row | count)) for row, count in zip(rows, counts, strict=True)}  # type: ignore[arg-type]
    return found | {data.short: _of(data) for data in map(tables.load, tables.names())}


def by_hand() -> dict[str, Release]:
    """Releases that a person fetches, by name."""
    return {name: release for name, release in releases().items() if release.steps}


def _of(data: tables.OpenSet) -> Release:
    counts = {kind: data.counts.get(kind) for kind in ("subjects", *KINDS)}
    facts = {"layout": data.layout, "licence": data.licence, "source": data.source, "reference": data.reference}
    version = f"{data.name} {data.version}"
    return Release(data.short, data.title, version=version, access="open", **counts, **facts)  # type: ignore[arg-type]


def _plain(markdown: str) -> str:
    """Markdown for a terminal: links with their addresses, no signs of code."""
    return re.sub(r"\[(.*?)\]\((.*?)\)", r"\1 (\2)", markdown).replace("`", "")


def find(name: str) -> Release:
    """The release called `name`. Raises HarnessError that lists the known releases for an unknown name."""
    known = releases()
    if name in tables.names():
        name = tables.load(name).short
    if name not in known:
        raise HarnessError(f"release {name!r}: unknown in uadbench/resources/datasets.csv; {choices(name, known)}")
    return known[name]


def compare(
    found: Sequence[Files],
    layout: Layout,
    release: Release | None,
    healthy: bool = False,
    among: Sequence[Files] | None = None,
) -> list[str]:
    """Lines that compare the numbers of files with those of the release, and list missing files.

    healthy: of a training set, whose subjects need no mask. among: subjects whose missing files are listed; all.
    """
    counts = {
        "subjects": len(found),
        **{kind: sum(getattr(files, kind.rstrip("s")) is not None for files in found) for kind in KINDS},
    }
    lines = []
    if release is not None:
        for kind, count in counts.items():
            held = getattr(release, kind)
            if held:  # 0: a kind that the release does not have
                less = f"{abs(held - count)} {'too few' if count < held else 'more'}"
                verdict = "complete" if count == held else less
                lines.append(f"{kind}: {count} found, {held} in {release.title} {release.version}: {verdict}")
        lines += _missing("subjects", sorted(set(layout.complete()) - {files.subject for files in found}))
    among = found if among is None else among
    for kind in KINDS:
        without = [files.subject for files in among if getattr(files, kind.rstrip("s")) is None]
        # A kind that no subject has is not reported as missing.
        if len(without) < len(among) and not (healthy and kind == "masks"):
            lines += _missing(kind, without)
    return lines


def _missing(kind: str, names: Sequence[str]) -> list[str]:
    return [f"{kind} missing: {listed(names)}"] if names else []
