"""Example subjects of a test set: slices with the largest lesion for Figure 3, and volumes of one for the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from uadbench.core import archive, study_folder
from uadbench.core.thinning import stride, thinned
from uadbench.data.label_values import EVERY, LabelValues
from uadbench.evaluation.detection.findings import Calibration
from uadbench.evaluation.inference.collecting import ScoredSubject, array

LIMIT = 2_000_000  # voxels of a volume; finer ones are thinned out
MARGIN = 2  # voxels around the brain
NOTHING = np.zeros(0, np.float64)
LEVELS = 255  # of the bytes that earlier versions wrote


def example_rows(labels: np.ndarray, rows: Sequence[int], count: int, values: LabelValues = EVERY) -> list[int]:
    """Rows of example subjects, the same for every method: evenly spaced by lesion volume from median to largest."""
    ordered = sorted(rows, key=lambda row: (int(np.count_nonzero(values.classes(labels[row]))), row))
    upper = ordered[len(ordered) // 2 :]
    places = np.linspace(0, len(upper) - 1, min(count, len(upper))).round().astype(int)
    return [upper[place] for place in places]


class SliceCollector:
    """Scan, final map, restoration and lesion of the example subjects, which `save` writes to examples.npz."""

    def __init__(self, names: Sequence[str], spacing: float, restoration: str) -> None:
        """names: of the subjects; spacing: mm, of a pixel; restoration: what the method's restorations are."""
        self.names = names
        self.facts = {"spacing": np.float32(spacing), "restored": np.array(restoration)}
        self.slices: list[dict[str, Any]] = []

    def add(self, subject: ScoredSubject) -> None:
        if subject.name not in self.names:
            return
        lesion = subject.lesion
        z = int(lesion.sum((1, 2)).argmax())
        volumes = {"image": subject.image, "score": subject.final, "restoration": subject.restore()}
        # Copies, not views, which would keep the whole volumes.
        arrays = {key: array(volume[z]).copy() for key, volume in volumes.items() if volume is not None}
        self.slices.append({**arrays, "label": lesion[z].astype(np.uint8), "subject": subject.name})

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        arrays = {key: np.stack([example[key] for example in self.slices]) for key in self.slices[0]}
        archive.SLICES.save(folder / study_folder.EXAMPLES, {**self.facts, **arrays}, meta=dict(about))


@dataclass(frozen=True, eq=False)
class Example:
    """Scan in [0, 1], final map, and lesion (bool) of one subject, each (X, Y, Z) from left, posterior and inferior.

    image and score are float16, the latter as fractions of the highest score, since scores of any size are valid.
    affine (4, 4) from voxel to template mm, RAS; stride: every n-th voxel of the packed volume along each axis.
    thresholds (K,) are reached by the fractions `rates` (K,) of the voxels of held-out healthy subjects; K may be 0.
    """

    subject: str
    simulated: bool
    affine: np.ndarray
    stride: int
    image: np.ndarray
    score: np.ndarray
    highest: float
    label: np.ndarray
    rates: np.ndarray
    thresholds: np.ndarray


class VolumeCollector:
    """Volumes of the subject `name`, which `save` writes to volumes.npz.

    They are cropped to brain and lesion and thinned out to at most LIMIT voxels.
    """

    def __init__(self, name: str, affine: np.ndarray, simulated: bool, calibration: Calibration | None) -> None:
        """affine (4, 4) from voxel (x, y, z) = (W, H, D) of the arrays to mm; calibration: of the thresholds."""
        self.name, self.affine = name, affine
        rates, thresholds = (NOTHING, NOTHING) if calibration is None else (calibration.rates, calibration.thresholds)
        self.facts = {"subject": name, "simulated": simulated, "rates": rates, "thresholds": thresholds.astype(float)}
        self.volumes: dict[str, Any] = {}

    def add(self, subject: ScoredSubject) -> None:
        if subject.name != self.name or subject.image is None:
            return
        image, score, label = (v.transpose(2, 1, 0) for v in (array(subject.image), subject.final, subject.lesion))
        places = np.argwhere((image > 0) | label)
        if not len(places):  # an empty volume is shown whole
            places = np.array([[0, 0, 0], image.shape])
        low = np.maximum(places.min(axis=0) - MARGIN, 0)
        high = np.minimum(places.max(axis=0) + 1 + MARGIN, image.shape)
        step = stride(tuple(high - low), LIMIT)
        chosen = tuple(slice(start, stop, step) for start, stop in zip(low, high, strict=True))
        highest = float(score[chosen].max(initial=0)) or 1.0
        self.volumes = {"affine": thinned(self.affine, low, step), "stride": step, "highest": highest}
        self.volumes |= {"image": image[chosen].astype(np.float16), "label": label[chosen].copy()}
        self.volumes["score"] = (score[chosen] / highest).astype(np.float16)

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        archive.VOLUMES.save(folder / study_folder.VOLUMES, self.facts | self.volumes, meta=dict(about))


def load(path: Path) -> Example:
    """Read an example. Raises HarnessError for a file that `VolumeCollector` did not write."""
    with archive.VOLUMES.opened(path) as (_, stored):
        arrays = {key: stored[key] for key in Example.__dataclass_fields__ if key in stored}
        if "highest" not in stored:  # bytes, of earlier versions
            arrays |= {key: (arrays[key] / LEVELS).astype(np.float16) for key in ("image", "score")}
            arrays["highest"] = LEVELS * stored["score_scale"][1]
        plain: dict[str, Any] = {key: value.item() if value.ndim == 0 else value for key, value in arrays.items()}
        return Example(**plain)
