"""Maps as derivatives of a data set in BIDS: names, values and descriptions, and how `evaluate` finds and reads them.

`probseg` holds values in [0, 1]; scores may exceed 1. A score s is stored as s / (s + h), so that the score h, which
the sidecar states, becomes 0.5; order, and therefore AP, stays. Names have no entity `label`, since no single structure
is segmented, and no other `space` than the scan's, on whose voxels all files are.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel import Nifti1Image

from uadbench.core.errors import HarnessError
from uadbench.core.files import atomic, write_json
from uadbench.core.version import VERSION
from uadbench.core.volume_names import NIFTI, stem
from uadbench.data.index import mask_names
from uadbench.own.scan_places import RECORD, TABLE, Places, read_record

DESCRIPTION = "dataset_description.json"
IGNORED = ".bidsignore"
HALF = "ScoreAtHalf"  # of a sidecar: the score that is stored as 0.5
BIDS = "1.10.0"
PLAIN = r"[^A-Za-z0-9]"  # what a label of BIDS has not
#: entities that BIDS has for maps and masks of anatomical scans, in its order
KEPT = ("task", "acq", "ce", "rec", "run", "echo", "part", "space", "chunk")
MAP = re.compile(rf"(?P<name>sub-[^\W_]+(?:_ses-[^\W_]+)?)(?P<rest>(?:_.+)?)_desc-[^\W_]+_probseg{NIFTI}", re.ASCII)


@dataclass(frozen=True)
class Derivative:
    """The folder `out` of the maps that a run made of the data set `root`.

    title, record: of the run, and what distinguishes its maps (`scan_places.of_run`). half: the score stored as 0.5.
    """

    root: Path
    out: Path
    title: str
    record: Mapping[str, Any]
    half: float

    def places(self, name: str, image: Path) -> Places:
        """Places for a scan of the subject, or session, sub-X[_ses-Y], with the entities KEPT of its file name."""
        entities = mask_names.parts(image.name)[0]
        kept = [f"{key}-{re.sub(PLAIN, '', entities[key])}" for key in KEPT if key in entities]
        beginning = "_".join([name, *kept])
        method = self.record["method"] + self.record["map"].capitalize() * (self.record["map"] != "final")
        label = re.sub(PLAIN, "", method)
        folder = self.out.joinpath(*name.split("_"), "anat")
        return Places(
            map=folder / f"{beginning}_desc-{label}_probseg.nii.gz",
            brain=folder / f"{beginning}_desc-brain_mask.nii.gz",
            mask=folder / f"{beginning}_desc-{label}_mask.nii.gz",
            page=folder / f"{beginning}_desc-{label}_probseg.html",
        )

    def values(self, scored: Any) -> Any:
        """A map, an image of nibabel, with scores as they are stored."""
        scores = np.asarray(scored.dataobj, np.float64)
        return Nifti1Image((scores / (scores + self.half)).astype(np.float32), scored.affine, scored.header)

    def describe(self) -> None:
        """Write what the data set is, and which of its files BIDS has no names for."""
        link = Path(os.path.relpath(self.root.resolve(), self.out.resolve())).as_posix()
        source = read_record(self.root / DESCRIPTION)
        where = {"URL": link} | ({"DOI": source["DatasetDOI"]} if source.get("DatasetDOI") else {})
        made = {"Name": "uadbench", "Version": VERSION, "Description": f"uadbench score, with a run of {self.title}"}
        write_json(
            self.out / DESCRIPTION,
            {
                "Name": f"Anomaly maps by {self.title} of {source.get('Name') or self.root.resolve().name}",
                "BIDSVersion": BIDS,
                "DatasetType": "derivative",
                "GeneratedBy": [made],
                "SourceDatasets": [where],
                "DatasetLinks": {"raw": link},
            },
        )
        with atomic(self.out / IGNORED) as partial:
            partial.write_text(f"{RECORD}\n{TABLE}\n*.html\n", encoding="utf-8")

    def sidecars(self, places: Places, mask: bool) -> list[Path]:
        """The files of `describe_scan`. mask: whether one of what reaches the threshold is written."""
        return [places.record, _sidecar(places.brain), *([_sidecar(places.mask)] if mask else [])]

    def warn_of_others(self, name: str, places: Places) -> None:
        """Say which other map of the subject, or session, is there: of a scan that an earlier call took."""
        for path in sorted(places.map.parent.glob(f"{name}_*_probseg.nii*")):
            match = MAP.fullmatch(path.name)
            if path != places.map and match and match["name"] == name:
                remedy = "evaluate takes one map: remove one of them"
                print(f"{path}: of another scan of {name} than {places.map.name}; {remedy}", file=sys.stderr)

    def describe_scan(self, image: Path, places: Places, threshold: float | None) -> None:
        """Write the sidecars of a scan's files."""
        source = f"bids:raw:{image.relative_to(self.root).as_posix()}"
        stored = f"A score s is stored as s / (s + {self.half:g})"
        record = of_map(self.title, self.record, source, threshold)
        record["Description"] += f" {stored}, so that values lie in [0, 1]; they are no probabilities of a lesion."
        write_json(places.record, {**record, HALF: self.half})
        brain = {"Type": "Brain", "Description": "Brain that the maps are made of.", **_of(source)}
        write_json(_sidecar(places.brain), brain)
        if threshold is not None:
            what = f"Voxels whose anomaly score is {threshold:g} or more."
            write_json(_sidecar(places.mask), {"Type": "ROI", **record, "Description": what})


def of_map(title: str, run: Mapping[str, Any], source: str, threshold: float | None) -> dict[str, Any]:
    """What a map is: of which run, `scan_places.of_run`, and scan; threshold: of its mask."""
    what = f"Anomaly scores (map {run['map']}) by {title}, on the voxels of the scan; higher is more anomalous."
    return {"Description": what, **_of(source), "Threshold": threshold, "Run": run}


def _of(source: str) -> dict[str, Any]:
    """The scan that a file was made of, on whose voxels it is."""
    return {"Sources": [source], "SpatialReference": source}


def find(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Maps of a folder of derivatives by sub-X[_ses-Y], and the brain masks beside them.

    Raises HarnessError without maps, and for two of a session.
    """
    maps: dict[str, Path] = {}
    masks: dict[str, Path] = {}
    for path in sorted(folder.glob("sub-*/**/*_probseg.nii*")):
        match = MAP.fullmatch(path.name)
        if match is None:
            continue
        name = match["name"]
        if name in maps:
            raise HarnessError(f"{path}: a second map of {name} beside {maps[name].name}; keep one of the two")
        maps[name] = path
        mask = path.with_name(f"{name}{match['rest']}_desc-brain_mask.nii.gz")
        masks |= {name: mask} if mask.is_file() else {}
    if not maps:
        raise HarnessError(f"{folder}: holds no map; expected sub-*/[ses-*/]anat/sub-*_desc-*_probseg.nii.gz below it")
    return maps, masks


def scores(path: Path, values: np.ndarray) -> np.ndarray:
    """Values of a map as scores, float32 where its sidecar says that they are stored in [0, 1]; others as they are.

    Raises HarnessError for a map of `score` without this sidecar, whose values are no scores.
    """
    if not MAP.fullmatch(path.name):
        return values
    half = read_record(_sidecar(path)).get(HALF)
    if not isinstance(half, (int, float)) or not 0 < half < float("inf"):
        if _is_ours(path):
            raise HarnessError(f"{path}: {_sidecar(path).name} beside it states no {HALF}; score the scan again")
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return (half * values / (1 - values.astype(np.float64))).astype(np.float32)


def _is_ours(path: Path) -> bool:
    """Whether the data set that a map lies in was written by `score`."""
    root = next((folder for folder in path.absolute().parents if (folder / DESCRIPTION).is_file()), path)
    made = read_record(root / DESCRIPTION).get("GeneratedBy")
    return isinstance(made, list) and any(isinstance(by, dict) and by.get("Name") == "uadbench" for by in made)


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{stem(path.name)}.json")
