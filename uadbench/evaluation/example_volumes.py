"""Volumes of an example subject for the report's viewer: scan, delineated lesion and final map, one byte per voxel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from uadbench.evaluation.archives import VOLUMES
from uadbench.viewer.volumes import Quantised, normalised, scores, stride, thinned

NAME = "volumes.npz"
LIMIT = 2_000_000  # voxels of a volume; finer ones are thinned out
MARGIN = 2  # voxels around the brain
NO_RATES = np.zeros(0, np.float64)


@dataclass(frozen=True)
class Example:
    """Scan in [0, 1], final map, and lesion (bool) of one subject, each (X, Y, Z) from left, posterior and inferior.

    affine (4, 4) from voxel to template mm, RAS; stride: every n-th voxel of the packed volume along each axis.
    thresholds (K,) are reached by the fractions `rates` (K,) of the voxels of held-out healthy subjects; K may be 0.
    """

    subject: str
    simulated: bool
    affine: np.ndarray
    stride: int
    image: Quantised
    score: Quantised
    label: np.ndarray
    rates: np.ndarray
    thresholds: np.ndarray


def make(
    subject: str,
    simulated: bool,
    arrays: tuple[np.ndarray, np.ndarray, np.ndarray],
    affine: np.ndarray,
    healthy: tuple[np.ndarray, np.ndarray] | None,
) -> Example:
    """The example of a subject, cropped to brain and lesion and thinned out to at most LIMIT voxels.

    arrays: packed scan, final map and lesion (D, H, W); affine from voxel (W, H, D) to mm; healthy: rates, thresholds.
    """
    image, score, label = (array.transpose(2, 1, 0) for array in arrays)
    places = np.argwhere((image > 0) | (label > 0))
    if not len(places):  # an empty volume is shown whole
        places = np.array([[0, 0, 0], image.shape])
    low = np.maximum(places.min(axis=0) - MARGIN, 0)
    high = np.minimum(places.max(axis=0) + 1 + MARGIN, image.shape)
    step = stride(tuple(high - low), LIMIT)
    chosen = tuple(slice(start, stop, step) for start, stop in zip(low, high, strict=True))
    rates, thresholds = (NO_RATES, NO_RATES) if healthy is None else healthy
    return Example(
        subject=subject,
        simulated=simulated,
        affine=thinned(affine, low, step),
        stride=step,
        image=normalised(image[chosen]),
        score=scores(score[chosen]),
        label=label[chosen] > 0,
        rates=np.asarray(rates, np.float64),
        thresholds=np.asarray(thresholds, np.float64),
    )


def save(path: Path, example: Example) -> None:
    """Write an example as a compressed .npz."""
    arrays = {key: getattr(example, key) for key in ("affine", "label", "rates", "thresholds")}
    facts = {"subject": example.subject, "simulated": example.simulated, "stride": example.stride}
    for key in ("image", "score"):
        values: Quantised = getattr(example, key)
        arrays |= {key: values.bytes, f"{key}_scale": np.array([values.low, values.step])}
    VOLUMES.save(path, arrays | {key: np.array(value) for key, value in facts.items()})


def load(path: Path) -> Example:
    """Read an example. Raises HarnessError for a file that `save` did not write."""
    with VOLUMES.opened(path) as (_, data):
        scaled: dict[str, Any] = {
            key: Quantised(data[key], *map(float, data[f"{key}_scale"])) for key in ("image", "score")
        }
        facts: dict[str, Any] = {
            "subject": str(data["subject"]),
            "simulated": bool(data["simulated"]),
            "stride": int(data["stride"]),
        }
        arrays: dict[str, Any] = {key: data[key] for key in ("affine", "label", "rates", "thresholds")}
    return Example(**facts, **arrays, **scaled)
