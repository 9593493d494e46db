"""Lesions and false alarms of a volume: connected components of its label and of its thresholded score map."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

LEAST = 10.0  # mm³; smaller components of a label are specks of the annotation, not lesions
# Half of the 26 neighbours that share a face, an edge or a corner: the other half sees the voxel as its neighbour.
STEPS = [step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]


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
    count, lesion = _components(len(score[truth]), *_neighbours(truth))
    sizes = np.bincount(lesion, minlength=count)
    at = score[truth]
    hits = [np.bincount(lesion[at >= threshold], minlength=count) for threshold in thresholds]
    large = sizes * spacing**3 >= LEAST
    found = np.array(hits, np.int64).reshape(len(thresholds), count).T
    return Detections(sizes[large].astype(np.int64), found[large], _alarms(score, truth, thresholds))


def _alarms(score: np.ndarray, truth: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """False alarms (thresholds,) int64.

    Neighbours are looked up once, at the lowest threshold; each other one drops voxels, and pairs with them.
    """
    if not len(thresholds):
        return np.zeros(0, np.int64)
    mask = score >= thresholds.min()
    first, second = _neighbours(mask)
    scores, anomalous = score[mask], truth[mask]
    lower = np.minimum(scores[first], scores[second])
    alarms = []
    for threshold in thresholds:
        kept = lower >= threshold
        count, component = _components(len(scores), first[kept], second[kept])
        kinds = np.zeros((2, count), bool)  # components with a voxel reached, and with one that is anomalous as well
        reached = scores >= threshold
        kinds[0, component[reached]] = True
        kinds[1, component[reached & anomalous]] = True
        alarms.append(np.count_nonzero(kinds[0]) - np.count_nonzero(kinds[1]))
    return np.array(alarms, np.int64)


def _neighbours(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs (p,) and (p,) int32 of neighbouring voxels of a mask (D, H, W), by their number in C order."""
    padded = np.pad(mask, 1)
    places = np.flatnonzero(padded)
    numbers = np.full(padded.size, -1, np.int32)
    numbers[places] = np.arange(len(places))
    _, rows, columns = padded.shape
    first, second = [], []
    for z, y, x in STEPS:
        beside = numbers[places + (z * rows + y) * columns + x]
        present = np.flatnonzero(beside >= 0)
        first.append(present.astype(np.int32))
        second.append(beside[present])
    return np.concatenate(first), np.concatenate(second)


def _components(count: int, first: np.ndarray, second: np.ndarray) -> tuple[int, np.ndarray]:
    """Number of connected components of `count` voxels joined by pairs, and the component (count,) of each."""
    if not count:
        return 0, np.zeros(0, np.int64)
    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    return connected_components(graph, directed=False)


def bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box that holds a mask (D, H, W) bool; empty slices if nothing is in it."""
    spans = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    return tuple(slice(int(span[0]), int(span[-1]) + 1) if span.size else slice(0, 0) for span in spans)
