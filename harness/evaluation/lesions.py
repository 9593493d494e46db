"""Lesions and false alarms of a volume: connected components of its label and of its thresholded score map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

CONNECTED = np.ones((3, 3, 3), bool)  # 26 neighbours: voxels that share a face, an edge or a corner
LEAST = 10.0  # mm³; smaller components of a label are specks of the annotation, not lesions


@dataclass(frozen=True)
class Detections:
    """What a score map finds at several thresholds, all counted in voxels or components.

    sizes (lesions,) int64: voxels of each lesion; hits (lesions, thresholds) int64: those of them at or above each
    threshold; alarms (thresholds,) int64: components at or above each threshold that hold no anomalous voxel.
    """

    sizes: np.ndarray
    hits: np.ndarray
    alarms: np.ndarray


def detect(score: np.ndarray, truth: np.ndarray, thresholds: np.ndarray, spacing: float) -> Detections:
    """Lesions and false alarms of a score map (D, H, W) against its label (D, H, W) bool, at thresholds (n,) > 0.

    Lesions are the 26-connected components of the label of at least `LEAST` mm³, with voxels of `spacing` mm. A false
    alarm is a 26-connected component of the voxels at or above a threshold without any anomalous voxel, however small;
    one on an annotated speck is none. Neighbouring alarms merge as the threshold falls, so their number may fall too.
    """
    marked, count = ndimage.label(truth, CONNECTED)
    numbers = marked[truth]  # lesion of each anomalous voxel, 1 to count
    at = score[truth]
    sizes = np.bincount(numbers, minlength=count + 1)[1:]
    hits = np.zeros((count, len(thresholds)), np.int64)
    alarms = np.zeros(len(thresholds), np.int64)
    for k, threshold in enumerate(thresholds):
        hits[:, k] = np.bincount(numbers[at >= threshold], minlength=count + 1)[1:]
        flagged, found = ndimage.label(score >= threshold, CONNECTED)
        touching = np.unique(flagged[truth])
        alarms[k] = found - np.count_nonzero(touching)
    large = sizes * spacing**3 >= LEAST
    return Detections(sizes[large].astype(np.int64), hits[large], alarms)


def bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box that holds a mask (D, H, W) bool; empty slices if nothing is in it."""
    found = ndimage.find_objects(mask.astype(np.uint8))
    return found[0] if found else (slice(0, 0),) * mask.ndim
