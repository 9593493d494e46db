"""Scoring of new scans with a trained run: anomaly maps, masks above a threshold, and viewer pages, in native space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from uadbench.core import inputs
from uadbench.core.errors import HarnessError, listed
from uadbench.core.files import atomic, write_json
from uadbench.core.modalities import MODALITIES
from uadbench.core.volume_names import stem
from uadbench.data.index import contrast
from uadbench.data.preprocessing.registration.transform import Placement, prepare_scan
from uadbench.data.preprocessing.settings import settings
from uadbench.evaluation.inference.inference import final_map, restoration, score_volume
from uadbench.methods.base import Method
from uadbench.methods.seeds import Streams
from uadbench.own import map_table, scan_inputs
from uadbench.own.bids_derivative import HALF, Derivative, of_map
from uadbench.own.map_files import say
from uadbench.own.progress import Line, told
from uadbench.own.regions import Atlas
from uadbench.own.scan_pages import Scored, write_page
from uadbench.own.scan_places import TABLE, Places, beside, claim_folder, claim_map, of_run
from uadbench.own.scan_sets import Scan, is_bids, of_folder, of_modality, refuse_alike
from uadbench.training.memory import enough_memory


@dataclass(frozen=True)
class Scorer:
    """A trained method, as returned by `run.load`, and the requested map.

    name: of the method's map; threshold: if given, a mask of the voxels that reach it is written beside each map.
    html: whether a page that shows the scan and its map is written beside each map. counted: the threshold at which
    findings are counted where no other is given, None if unknown. atlas: names their regions. notices: lines about the
    run, said once before a scan is scored.
    """

    method: Method
    about: dict[str, Any]
    device: torch.device
    name: str = "final"
    threshold: float | None = None
    html: bool = False
    counted: float | None = None
    atlas: Atlas | None = None
    notices: list[str] = field(default_factory=list)

    def score(self, image: Path, t1: Path | None, out: Path, truth: Path | None = None) -> list[Path]:
        """Preprocess a scan like the training data, score it and write the map to `out`; returns the written paths.

        Beside it lie brain mask, mask, page and a JSON record, see `scan_places`; those of an earlier call that this
        one does not make are removed. truth: delineated lesion on the voxels of the scan, which the page shows.
        Raises HarnessError for a scan or a lesion that cannot be used, for a map that the method lacks, and for outputs
        that would replace anything but those of the same scan and run.
        """
        if out.is_dir():
            raise HarnessError(
                f"{out}: is a folder, but {image} is one scan; name a file in it, as {out / 'map.nii.gz'}"
            )
        places, scan = beside(out), Scan(image.name, image, t1, truth)
        record = of_map(self.title, of_run(self.about, self.name), image.resolve().as_posix(), self.threshold)
        self._keep(scan, places)
        masked = claim_map(places, image, record)

        def note(row: map_table.Row) -> None:
            if masked and self.threshold is None:
                places.mask.unlink(missing_ok=True)
            write_json(places.record, record | {"Found": row})

        self._tell()
        with told(image.name) as line:
            self._write(scan, places, line, note)
        return [*places.written(self.threshold is not None, self.html).values(), places.record]

    def score_folder(self, images: Path, t1: Path | None, out: Path, truth: Path | None = None) -> int:
        """Score each NIfTI file of a folder into a file of the same name, as `score_all`.

        t1: folder of T1-weighted scans of the same names; truth: folder of delineated lesions, of some of the scans.
        """
        scans, lost = of_folder(images, t1, truth)
        return lost + self.score_all(scans, out)

    def score_data_set(self, path: Path, out: Path) -> int:
        """Score the scans of the run's modality of a data set, as `score_all`: see `scan_sets.entries`.

        Maps of a folder of BIDS are derivatives in BIDS; those of the CSV of a sheet have the names of the subjects.
        """
        scans, lost = of_modality(path, self.about["modality"], self.html)
        if not is_bids(path):
            return lost + self.score_all(scans, out)
        of, half = of_run(self.about, self.name), self.reported or 1.0
        return lost + self.score_all(scans, out, Derivative(path, out, self.title, of, half))

    def score_all(self, scans: list[Scan], out: Path, derivative: Derivative | None = None) -> int:
        """Score scans into a folder, with a row each in its table; those made of files of the same content are kept.

        Prints a line for each scan, and for each that cannot be used the reason, and returns the number of these.
        Raises HarnessError where `out` holds maps of another run, or is a file, and for names that differ in case
        alone.
        """
        if stem(out.name) or out.is_file():
            raise HarnessError(f"{out}: names a file, but there are several scans; name a folder")
        refuse_alike(scan.name for scan in scans)
        stored = {HALF: derivative.half} if derivative else {}
        claim_folder(out, of_run(self.about, self.name) | {"threshold": self.threshold} | stored)
        if derivative is not None:
            derivative.describe()
        lost, kept, table = 0, 0, out / TABLE
        rows = map_table.inputs(table, self.reported)
        for number, scan in enumerate(scans, start=1):
            places = derivative.places(scan.name, scan.image) if derivative else beside(out / f"{scan.name}.nii.gz")
            if derivative is not None:
                derivative.warn_of_others(scan.name, places)
            try:
                former = rows.get(stem(places.map.name) or "")
                changed = [] if former is None else scan_inputs.changed(self._inputs(scan), former)
                if (
                    former is not None
                    and not changed
                    and all(path.is_file() for path in self._written(places, derivative))
                ):
                    kept += 1
                    continue
                self._keep(scan, places)
                self._tell()
                again = f" (scored again, with another {listed(changed)})" if changed else ""
                with told(f"{number} of {len(scans)}, {scan.name}{again}") as line:
                    self._write(scan, places, line, lambda row: map_table.write(table, [row]), derivative)
            except HarnessError as error:
                lost += 1
                say(f"left out: {error}")
        if kept:
            say(f"{out}: {kept} of {len(scans)} maps were there and are kept")
        return lost

    @property
    def title(self) -> str:
        return str(self.about.get("title", self.about["method"]))

    @property
    def reported(self) -> float | None:
        """Threshold of the table: that of the masks, else the known one."""
        return self.counted if self.threshold is None else self.threshold

    def _tell(self) -> None:
        while self.notices:
            say(self.notices.pop(0))

    def _written(self, places: Places, derivative: Derivative | None) -> list[Path]:
        masked = self.threshold is not None
        described = derivative.sidecars(places, masked) if derivative else []
        return [*places.written(masked, self.html).values(), *described]

    def _keep(self, scan: Scan, places: Places) -> None:
        """Raise HarnessError for an output that is an input."""
        given = {"--image": scan.image, "--t1": scan.t1, "--truth": scan.lesion, "brain mask": scan.brain}
        options = {"map": "--out", "mask": "--threshold", "page": "--html", "brain": "--out"}
        made = [(options[what], path) for what, path in places.written(True, True).items()]
        inputs.keep([(name, path) for name, path in given.items() if path], made)

    def _inputs(self, scan: Scan) -> dict[str, str]:
        return scan_inputs.of(scan if self.html else replace(scan, lesion=None), self.atlas)

    def _write(
        self,
        scan: Scan,
        places: Places,
        line: Line,
        note: Callable[[map_table.Row], None],
        derivative: Derivative | None = None,
    ) -> None:
        """Score a scan and write its files. note: keeps its row of the table."""
        inputs_read = scan_inputs.joined(self._inputs(scan))
        line.stage("registering")
        tensor, rng, placement = self.prepared(scan.image, scan.t1, brain=scan.brain)
        line.stage("scoring")
        scored = placement.to_native(self.map(tensor, rng))
        inside = np.asarray(placement.brain)
        images = {places.brain: placement.on_native(inside.astype(np.uint8))}
        if self.threshold is not None:
            called = inside & (np.asarray(scored.dataobj) >= self.threshold)
            images[places.mask] = placement.on_native(called.astype(np.uint8))
        name, template = stem(places.map.name) or places.map.name, self.about["preprocessing"].get("template", "mni152")
        row = map_table.row(name, scan.image, scored, inside, self.reported, placement, template, self.atlas)
        row["inputs"] = inputs_read
        if self.html:
            restored = self.restoration(tensor, rng)
            native = None if restored is None else placement.to_native(restored)
            shown = Scored(scan.image, scored, native, scan.lesion, self.name, self.threshold, inside)
            write_page(shown, self.about, self.method, places.page)
        # The earlier map goes first and the new one comes last: a killed call leaves none that looks finished.
        for path in (places.map, *([] if self.html else [places.page])):
            path.unlink(missing_ok=True)
        note(row)
        if derivative is not None:
            derivative.describe_scan(scan.image, places, self.threshold)
        images[places.map] = derivative.values(scored) if derivative else scored
        for path, made in images.items():
            with atomic(path) as partial:
                made.to_filename(partial)
        line.end(map_table.found(row))

    def prepared(
        self, image: Path, t1: Path | None, stream: str = "", brain: Path | None = None
    ) -> tuple[Tensor, Streams, Placement]:
        """A scan preprocessed like the training data: `input` of it, by default with its name, and its placement.

        brain: its brain mask, if known. A warning names a scan that is of another modality by name or sidecar.
        """
        chosen, modality = settings(self.about["preprocessing"]), self.about["modality"]
        stated, reason = contrast.stated(image)
        if stated not in ("", modality):
            own, wanted = MODALITIES[stated].title, MODALITIES[modality].title
            say(f"warning: {image}: is a {own} scan by {reason}, but the run is of {wanted} ones; use another run")
        volume, placement = prepare_scan(image, chosen, modality, t1, brain)
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
