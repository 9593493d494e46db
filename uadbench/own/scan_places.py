"""Where the outputs of a scored scan are written, and which files they may replace."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json, write_json
from uadbench.core.volume_names import stem

BRAIN, MASKS = "brain", "masks"  # folders beside maps, whose files have the names of the maps
RECORD = "maps.json"  # in a folder of maps: their run, map name and threshold
TABLE = "maps.csv"  # there, too: a row for each, `map_table`


@dataclass(frozen=True)
class Places:
    """Files of a scored scan: its map, the masks of its brain and of what reaches the threshold, and its page."""

    map: Path
    brain: Path
    mask: Path
    page: Path

    @property
    def record(self) -> Path:
        """Of a map beside which no RECORD is, or in BIDS: what the map is, and of which scan and run."""
        return self.map.with_name(f"{stem(self.map.name)}.json")

    def written(self, mask: bool, page: bool) -> dict[str, Path]:
        """The files that are written, by what they are."""
        named = {"map": self.map, "brain": self.brain, "mask": self.mask, "page": self.page}
        return {name: path for name, path in named.items() if {"mask": mask, "page": page}.get(name, True)}


def beside(out: Path) -> Places:
    """The places of a map at `out`: masks have its name in folders beside it, so that `evaluate` finds maps alone.

    Raises HarnessError for a name that is not one of NIfTI.
    """
    name = stem(out.name)
    if name is None:
        raise HarnessError(f"{out}: not a NIfTI name; end it in .nii.gz")
    return Places(out, out.parent / BRAIN / out.name, out.parent / MASKS / out.name, out.with_name(f"{name}.html"))


def of_run(about: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What distinguishes the maps of a run, as JSON has it. about: `run.json` as scored; name: of the method's map."""
    keys = ("method", "params", "seed", "modality", "weights")
    record = {key: about.get(key) for key in keys} | {"map": name}
    record |= {"postprocessing": chosen} if (chosen := about.get("postprocessing")) else {}
    return dict(json.loads(json.dumps(record)))


def claim_folder(out: Path, record: Mapping[str, Any]) -> None:
    """Record in a folder the run, map and threshold of its maps. Raises HarnessError if it holds others, or is none."""
    path = out / RECORD
    if path.is_file():
        try:
            same = read_json(path) == record
        except ValueError:
            raise HarnessError(f"{path}: cannot be read; choose another folder for the maps") from None
        if not same:
            raise HarnessError(f"{out}: holds maps of another run, map or threshold; choose another folder")
    elif out.is_dir() and any(out.iterdir()):
        raise HarnessError(f"{out}: is not empty, and holds no {RECORD}; choose another folder")
    write_json(path, record)


def claim_map(places: Places, image: Path, record: Mapping[str, Any]) -> bool:
    """Check the places of a single map with this record, and return whether an earlier call wrote a mask.

    record: as of `bids_derivative.of_map`. A map of the same scan by the same run may be made again. Raises
    HarnessError if one of its files is there and of something else.
    """
    run = record["Run"]
    others = places.map.parent / RECORD
    if others.is_file() and any(read_record(others).get(key) != value for key, value in run.items()):
        raise HarnessError(f"{places.map}: {others} lists maps of another run or map; choose another folder")
    there = [path for path in (*places.written(True, True).values(), places.record) if path.exists()]
    if there and others.is_file() and not places.record.exists():
        raise HarnessError(
            f"{there[0]}: is of the folder of maps of {others}; score its scans again, or name another file"
        )
    former = read_record(places.record)
    if there and (former.get("Run"), former.get("Sources")) != (run, record["Sources"]):
        raise HarnessError(
            f"{there[0]}: exists and is no map of {image} by this run, map and method; remove it, or name another file"
        )
    return former.get("Threshold") is not None


def read_record(path: Path) -> dict[str, Any]:
    """The content of a record or sidecar; {} for a missing one, and for a file that is none."""
    try:
        found = read_json(path)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
