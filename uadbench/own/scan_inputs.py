"""Files that a map, its row and its page are made of, by content: what a finished map is known by."""

from __future__ import annotations

from collections.abc import Mapping

from uadbench.core.files import sha256
from uadbench.own.regions import Atlas
from uadbench.own.scan_sets import Scan

WORDS = {"image": "scan", "t1": "T1", "brain": "brain mask", "truth": "lesion mask", "atlas": "atlas"}
DIGITS = 16  # of a checksum


def of(scan: Scan, atlas: Atlas | None) -> dict[str, str]:
    """The beginning of the SHA-256 of each file, by the kinds of WORDS; "" for a file that is missing."""
    files = {"image": scan.image, "t1": scan.t1, "brain": scan.brain, "truth": scan.lesion}
    there = {kind: path for kind, path in files.items() if path is not None}
    found = {kind: sha256(path)[:DIGITS] if path.is_file() else "" for kind, path in there.items()}
    return found | ({"atlas": atlas.digest} if atlas else {})


def changed(now: Mapping[str, str], former: Mapping[str, str]) -> list[str]:
    """Inputs, in words, that differ from former ones.

    An atlas or lesion mask that is no longer given changes nothing: row and page keep regions and outline.
    """
    lost = former.keys() - now.keys() - {"atlas", "truth"}
    other = lost | {kind for kind, digest in now.items() if former.get(kind) != digest}
    return [word for kind, word in WORDS.items() if kind in other]


def joined(inputs: Mapping[str, str]) -> str:
    """Inputs as a cell of a table."""
    return " ".join(f"{kind}={digest}" for kind, digest in inputs.items())


def split(cell: str) -> dict[str, str]:
    """The inputs of a cell that `joined` made."""
    return dict(each.split("=", 1) for each in cell.split() if "=" in each)
