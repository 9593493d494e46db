"""Scoring of new scans with a trained run: anomaly maps, masks above a threshold, and viewer pages, in native space."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from uadbench.core import inputs
from uadbench.core.errors import HarnessError
from uadbench.core.files import atomic, read_json, write_json
from uadbench.data.preprocessing.registration.transform import Placement, prepare_scan
from uadbench.data.preprocessing.settings import settings
from uadbench.evaluation.inference.inference import final_map, restoration, score_volume
from uadbench.methods.base import Method
from uadbench.methods.seeds import Streams
from uadbench.own.map_files import nifti_files, warn_of_unused
from uadbench.own.scan_pages import Scored, page_path, shows_lesion, write_page
from uadbench.training.memory import enough_memory

RECORD = "maps.json"  # in a folder of maps: their run, map name and threshold


@dataclass(frozen=True)
class Scorer:
    """A trained method, as returned by `run.load`, and the requested map.

    name: of the method's map; threshold: if given, a mask of the voxels that reach it is written beside each map.
    html: whether a page that shows the scan and its map is written beside each map.
    """

    method: Method
    about: dict[str, Any]
    device: torch.device
    name: str = "final"
    threshold: float | None = None
    html: bool = False

    def score(self, image: Path, t1: Path | None, out: Path, truth: Path | None = None) -> list[Path]:
        """Preprocess a scan like the training data, score it and write the map to `out`; returns the written paths.

        truth: delineated lesion on the voxels of the scan, which the page shows.
        Raises HarnessError for a scan or a lesion that cannot be used, and for a map that the method lacks.
        """
        if not out.name.endswith((".nii", ".nii.gz")):
            raise HarnessError(f"{out}: not a NIfTI name; end it in .nii.gz")
        given = {"--image": image, "--t1": t1, "--truth": truth}
        made = [("--out", out), *[("--threshold", mask_path(out))] * (self.threshold is not None)]
        made += [("--html", page_path(out))] * self.html
        inputs.keep([(name, path) for name, path in given.items() if path], made)
        tensor, rng, placement = self.prepared(image, t1)
        scored = placement.to_native(self.map(tensor, rng))
        images = {out: scored}
        if self.threshold is not None:
            called = np.asarray(scored.dataobj) >= self.threshold
            images[mask_path(out)] = placement.on_native(called.astype(np.uint8))
        for path, made in images.items():
            with atomic(path) as partial:
                made.to_filename(partial)
        if not self.html:
            return list(images)
        restored = self.restoration(tensor, rng)
        native = None if restored is None else placement.to_native(restored)
        page = page_path(out)
        write_page(Scored(image, scored, native, truth, self.name, self.threshold), self.about, self.method, page)
        return [*images, page]

    def score_folder(self, images: Path, t1: Path | None, out: Path, truth: Path | None = None) -> int:
        """Score each NIfTI file of a folder into a file of the same name; maps newer than scan and lesion are kept.

        t1: folder of T1-weighted scans of the same names; truth: folder of delineated lesions, of some of the scans.
        Prints a line for each scan that cannot be used, and returns their number. Raises HarnessError where `out`
        holds maps of another run, and for lesions of none of the scans.
        """
        scans = nifti_files(images)
        beside = nifti_files(t1) if t1 is not None else {}
        lesions = nifti_files(truth) if truth is not None else {}
        if truth is not None and not lesions.keys() & scans.keys():
            raise HarnessError(f"{truth}: holds no file with the name of a scan in {images}; rename the files")
        for files in (beside, lesions):
            warn_of_unused(files, scans, "scan")
        self._claim(out)
        lost = 0
        for stem, path in tqdm(scans.items(), f"score {images}", unit="scan", disable=None):
            made = out / f"{stem}.nii.gz"
            wanted = [made] if self.threshold is None else [made, mask_path(made)]
            wanted += [page_path(made)] * self.html
            lesion = lesions.get(stem)
            newest = max(source.stat().st_mtime for source in (path, lesion) if source is not None)
            shown = lesion is None or shows_lesion(page_path(made))
            if shown and all(file.is_file() and file.stat().st_mtime >= newest for file in wanted):
                continue
            try:
                if t1 is not None and stem not in beside:
                    raise HarnessError(f"{path}: no T1-weighted scan of this name in {t1}; add it")
                self.score(path, beside.get(stem), made, lesion)
            except HarnessError as error:
                lost += 1
                tqdm.write(f"left out: {error}", file=sys.stderr)
        return lost

    def prepared(self, image: Path, t1: Path | None, stream: str = "") -> tuple[Tensor, Streams, Placement]:
        """A scan preprocessed like the training data: `input` of it, by default with its name, and its placement."""
        chosen = settings(self.about["preprocessing"])
        volume, placement = prepare_scan(image, chosen, self.about["modality"], t1)
        return *self.input(volume, stream or image.name), placement

    def input(self, volume: np.ndarray, stream: str) -> tuple[Tensor, Streams]:
        """A prepared scan (D, H, W) on the device, and the random stream of its name for random methods."""
        # Packed volumes are float16; a scan is rounded likewise.
        tensor = torch.from_numpy(np.ascontiguousarray(volume.astype(np.float16), dtype=np.float32)).to(self.device)
        return tensor, Streams(self.about["seed"], self.device).child(stream)

    def restoration(self, tensor: Tensor, rng: Streams) -> np.ndarray | None:
        """The method's restoration (D, H, W) float32 in [0, 1], 0 outside the brain; None without one."""
        with enough_memory(f"restoring with {self.about['method']} on {self.device}", "use device cpu"):
            restored = restoration(self.method, tensor, rng)
        return None if restored is None else restored.cpu().numpy()

    def map(self, tensor: Tensor, rng: Streams) -> np.ndarray:
        """The map (D, H, W) float32 of a prepared scan."""
        method = self.about["method"]
        with enough_memory(f"scoring with {method} on {self.device}", "use device cpu"):
            if self.name == "final":  # for most methods a fraction of the work
                maps = {self.name: final_map(self.method, tensor, rng, method)}
            else:
                maps = score_volume(self.method, tensor, rng, method)
        if self.name not in maps:
            raise HarnessError(f"map {self.name}: {method} has no such map; there are {', '.join(maps)}")
        return maps[self.name].cpu().numpy()

    def _claim(self, out: Path) -> None:
        """Record in a folder the run, map and threshold of its maps. Raises HarnessError if it holds others."""
        keys = ("method", "params", "seed", "modality", "weights")
        record = {key: self.about.get(key) for key in keys} | {"map": self.name, "threshold": self.threshold}
        record |= {"postprocessing": chosen} if (chosen := self.about.get("postprocessing")) else {}
        record = json.loads(json.dumps(record))  # as it is read again
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
