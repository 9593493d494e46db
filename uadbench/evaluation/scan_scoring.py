"""Scoring of new scans with a trained run: anomaly maps, and masks above a threshold, in native space."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from uadbench.data.preprocessing.settings import Preprocessing, settings
from uadbench.data.preprocessing.transform import prepare_scan
from uadbench.errors import HarnessError
from uadbench.evaluation.inference import final_map, score_volume
from uadbench.evaluation.map_files import nifti_files
from uadbench.files import atomic, read_json, write_json
from uadbench.methods.base import Method
from uadbench.methods.seeds import Streams
from uadbench.training.memory import enough_memory
from uadbench.validation import upgraded

RECORD = "maps.json"  # in a folder of maps: their run, map name and threshold


@dataclass(frozen=True)
class Scorer:
    """A trained method, as returned by `run.load`, and the requested map.

    name: of the method's map; threshold: if given, a mask of the voxels that reach it is written beside each map.
    """

    method: Method
    about: dict[str, Any]
    device: torch.device
    name: str = "final"
    threshold: float | None = None

    def score(self, image: Path, t1: Path | None, out: Path) -> list[Path]:
        """Preprocess a scan like the training data, score it and write the map to `out`; returns the written paths.

        Raises HarnessError for a scan that cannot be used, and for a map that the method lacks.
        """
        if not out.name.endswith((".nii", ".nii.gz")):
            raise HarnessError(f"{out}: not a NIfTI name; end it in .nii.gz")
        chosen = settings(upgraded(Preprocessing, self.about["preprocessing"]))
        volume, placement = prepare_scan(image, chosen, self.about["modality"], t1)
        scored = placement.to_native(self._map(volume, image.name))
        images = {out: scored}
        if self.threshold is not None:
            called = np.asarray(scored.dataobj) >= self.threshold
            images[mask_path(out)] = placement.on_native(called.astype(np.uint8))
        for path, made in images.items():
            with atomic(path) as partial:
                made.to_filename(partial)
        return list(images)

    def score_folder(self, images: Path, t1: Path | None, out: Path) -> int:
        """Score each NIfTI file of a folder into a file of the same name; maps newer than their scans are kept.

        t1: folder of T1-weighted scans of the same names. Prints a line for each scan that cannot be used, and returns
        their number. Raises HarnessError where `out` holds maps of another run.
        """
        scans = nifti_files(images)
        beside = nifti_files(t1) if t1 is not None else {}
        self._claim(out)
        lost = 0
        for stem, path in tqdm(scans.items(), f"score {images}", unit="scan", disable=None):
            made = out / f"{stem}.nii.gz"
            wanted = [made] if self.threshold is None else [made, mask_path(made)]
            if all(file.is_file() and file.stat().st_mtime >= path.stat().st_mtime for file in wanted):
                continue
            try:
                if t1 is not None and stem not in beside:
                    raise HarnessError(f"{path}: no T1-weighted scan of this name in {t1}; add it")
                self.score(path, beside.get(stem), made)
            except HarnessError as error:
                lost += 1
                tqdm.write(f"left out: {error}", file=sys.stderr)
        return lost

    def _map(self, volume: np.ndarray, stream: str) -> np.ndarray:
        """The map (D, H, W) float32 of a prepared scan; random methods use the random stream of its name."""
        # Packed volumes are float16; a scan is rounded likewise.
        tensor = torch.from_numpy(np.ascontiguousarray(volume.astype(np.float16), dtype=np.float32)).to(self.device)
        rng = Streams(self.about["seed"], self.device).child(stream)
        method = self.about["method"]
        with enough_memory(f"scoring with {method} on {self.device}", "use --device cpu"):
            if self.name == "final":  # for most methods a fraction of the work
                maps = {self.name: final_map(self.method, tensor, rng, method)}
            else:
                maps = score_volume(self.method, tensor, rng, method)
        if self.name not in maps:
            raise HarnessError(f"--map {self.name}: {method} has no such map; there are {', '.join(maps)}")
        return maps[self.name].cpu().numpy()

    def _claim(self, out: Path) -> None:
        """Record in a folder the run, map and threshold of its maps. Raises HarnessError if it holds others."""
        keys = ("method", "seed", "modality", "weights")
        record = {key: self.about.get(key) for key in keys} | {"map": self.name, "threshold": self.threshold}
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


def mask_path(out: Path) -> Path:
    """Path of a map's mask: in `masks` beside it, under the same name, so that `evaluate` finds only maps."""
    return out.parent / "masks" / out.name
