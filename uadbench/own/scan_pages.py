"""Viewer pages of scored scans: scan, restoration, anomaly map and delineated lesion in native space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from uadbench.core.errors import HarnessError
from uadbench.core.modalities import MODALITIES
from uadbench.core.study_folder import SIMULATED
from uadbench.core.volume_names import stem
from uadbench.data.preprocessing.reading.scan import Scan, read_labels, read_scan
from uadbench.data.preprocessing.reading.volume import BadScan
from uadbench.methods.base import Method
from uadbench.viewer.page import Layer, Page, write

TRAINED = "The method was trained on simulated scans."
TESTED = "This scan is simulated."


@dataclass(frozen=True)
class Scored:
    """A scan, and images of nibabel on its voxels: the map `name` and the method's restoration, if there is one.

    truth: path of the delineated lesion; threshold: of the mask; brain: (I, J, K) bool, where the map is shown.
    """

    image: Path
    score: Any
    restoration: Any | None
    truth: Path | None
    name: str
    threshold: float | None
    brain: np.ndarray


def write_page(scored: Scored, about: dict[str, Any], method: Method, path: Path) -> None:
    """Write the page of a scored scan at `path`. Raises HarnessError for a lesion that cannot be used.

    about: `run.json` of the run; method: its method, whose description of the restoration is shown.
    """
    try:
        scan = read_scan(scored.image)
        lesion = None if scored.truth is None else read_labels(scored.truth, scan).data
    except BadScan as error:
        raise HarnessError(f"{error.file}: {error.reason}") from error
    title = about.get("title", about["method"])
    modality = MODALITIES[about["modality"]].title
    write(
        Page(
            title=f"{stem(scored.image.name) or scored.image.name}: {title}",
            summary=f"{modality} scan {scored.image.name}, scored by {title}, seed {about['seed']}, in native space.",
            banner=" ".join([TESTED] * _simulated(scored.image) + [TRAINED] * bool(about.get("simulated"))),
            affine=scan.affine,
            layers=_layers(scored, scan, lesion, title, method.restoration()),
            brain=scored.brain,
        ),
        path,
    )


def _simulated(image: Path) -> bool:
    """Whether a scan lies in a folder of simulated ones."""
    return any((folder / SIMULATED).is_file() for folder in image.absolute().parents)


def _layers(scored: Scored, scan: Scan, lesion: np.ndarray | None, title: str, how: str) -> list[Layer]:
    layers = [Layer("scan", "Scan", f"{scored.image.name}; grey values as stored in the file.", scan.data)]
    if scored.restoration is not None:
        text = (
            f"Pseudo-healthy restoration by {title}{f' ({how})' if how else ''}, resampled from the template's grid; "
        )
        text += "grey values after preprocessing, 0 to 1."
        layers.append(Layer("restoration", "Restoration", text, _values(scored.restoration)))
    text = f"Map {scored.name} of {title}, resampled from the template's grid, within the brain; higher is more "
    text += "anomalous. "
    if scored.threshold is not None:
        text += f"The slider starts at the threshold of the mask, {scored.threshold:g}."
    else:
        text += "The slider starts at the 99th percentile of the scores above 0."
    shown = np.where(scored.brain, _values(scored.score), np.float32(0))
    layers.append(Layer("score", "Anomaly score", text, shown, scored.threshold))
    if lesion is not None and scored.truth is not None:
        text = f"{scored.truth.name}; all labels above 0."
        layers.append(Layer("truth", "Delineated lesion", text, lesion))
    return layers


def _values(image: Any) -> np.ndarray:
    return np.asarray(image.dataobj, np.float32)
