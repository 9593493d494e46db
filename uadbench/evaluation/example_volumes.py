"""Volumes of one example subject for the report: scan, delineated lesion and final map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from uadbench.evaluation.archives import VOLUMES
from uadbench.evaluation.collecting import ScoredSubject, array
from uadbench.evaluation.operating_points import Calibration
from uadbench.thinning import stride, thinned

NAME = "volumes.npz"
LIMIT = 2_000_000  # voxels of a volume; finer ones are thinned out
MARGIN = 2  # voxels around the brain
NOTHING = np.zeros(0, np.float64)
LEVELS = 255  # of the bytes that earlier versions wrote


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
    """Volumes of the subject `name`, which `save` writes to volumes.npz."""

    def __init__(self, name: str, affine: np.ndarray, simulated: bool, calibration: Calibration | None) -> None:
        """affine (4, 4) from voxel (x, y, z) = (W, H, D) of the arrays to mm; calibration: of the thresholds."""
        self.name, self.affine, self.simulated, self.calibration = name, affine, simulated, calibration
        self.example: Example | None = None

    def add(self, subject: ScoredSubject) -> None:
        if subject.name == self.name and subject.image is not None:
            arrays = (array(subject.image), subject.final, subject.lesion)
            self.example = make(self.name, self.simulated, arrays, self.affine, self.calibration)

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        if self.example is not None:
            save(folder / NAME, self.example, about)


def make(
    subject: str,
    simulated: bool,
    arrays: tuple[np.ndarray, np.ndarray, np.ndarray],
    affine: np.ndarray,
    calibration: Calibration | None,
) -> Example:
    """The example of a subject, cropped to brain and lesion and thinned out to at most LIMIT voxels.

    arrays: packed scan, final map and lesion (D, H, W); affine from voxel (W, H, D) to mm.
    """
    image, score, label = (array.transpose(2, 1, 0) for array in arrays)
    places = np.argwhere((image > 0) | (label > 0))
    if not len(places):  # an empty volume is shown whole
        places = np.array([[0, 0, 0], image.shape])
    low = np.maximum(places.min(axis=0) - MARGIN, 0)
    high = np.minimum(places.max(axis=0) + 1 + MARGIN, image.shape)
    step = stride(tuple(high - low), LIMIT)
    chosen = tuple(slice(start, stop, step) for start, stop in zip(low, high, strict=True))
    highest = float(score[chosen].max(initial=0)) or 1.0
    return Example(
        subject=subject,
        simulated=simulated,
        affine=thinned(affine, low, step),
        stride=step,
        image=image[chosen].astype(np.float16),
        score=(score[chosen] / highest).astype(np.float16),
        highest=highest,
        label=label[chosen] > 0,
        rates=NOTHING if calibration is None else calibration.rates,
        thresholds=np.asarray(NOTHING if calibration is None else calibration.thresholds, np.float64),
    )


def save(path: Path, example: Example, about: Mapping[str, Any]) -> None:
    """Write an example, and the metadata of its run."""
    VOLUMES.save(path, {key: np.asarray(value) for key, value in vars(example).items()}, meta=dict(about))


def load(path: Path) -> Example:
    """Read an example. Raises HarnessError for a file that `save` did not write."""
    with VOLUMES.opened(path) as (_, stored):
        arrays = {key: stored[key] for key in Example.__dataclass_fields__ if key in stored}
        if "highest" not in stored:  # bytes, of earlier versions
            arrays |= {key: (arrays[key] / LEVELS).astype(np.float16) for key in ("image", "score")}
            arrays["highest"] = LEVELS * stored["score_scale"][1]
        plain: dict[str, Any] = {key: value.item() if value.ndim == 0 else value for key, value in arrays.items()}
        return Example(**plain)
