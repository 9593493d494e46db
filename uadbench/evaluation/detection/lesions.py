"""Lesions of a label against a score map: components matched one to one, and distances of surfaces."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.ndimage import binary_erosion
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

LEAST = 10.0  # mm³; smaller components are specks of the annotation or of the map, neither lesions nor findings
OVERLAP = 0.1  # minimum intersection over union of a lesion and its matched candidate
# Half of the 26 neighbours that share a face, an edge or a corner; pairs with the other half follow by symmetry.
STEPS = [step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]


@dataclass(frozen=True)
class Detections:
    """Detections of a score map at several thresholds, counted in voxels or components.

    sizes (lesions,) int64: voxels of each lesion; found (lesions, thresholds) bool: whether a candidate is matched with
    the lesion; alarms (thresholds,) int64: false positives, i.e. unmatched candidates; shares (anomalous voxels,)
    float64, in C order: the fraction of its lesion that the voxel makes up, 0 in a component too small to be a lesion.
    """

    sizes: np.ndarray
    found: np.ndarray
    alarms: np.ndarray
    shares: np.ndarray


def detect(score: np.ndarray, truth: np.ndarray, thresholds: np.ndarray, spacing: float) -> Detections:
    """Detected lesions and false positives of a score map (D, H, W), label (D, H, W) bool, at thresholds (n,) > 0.

    Lesions are the 26-connected components of the label, candidates those of the voxels at or above a threshold, both
    of at least `LEAST` mm³, with voxels of `spacing` mm. They are matched one to one where their intersection is at
    least `OVERLAP` of their union, maximising first the number of matches, then the overlap: the rule of PI-CAI (Saha
    et al. 2024, DIAGNijmegen/picai_eval; unlike there, a second candidate on a lesion is a false positive). A map that
    is high everywhere thus detects nothing. A candidate that overlaps a smaller component of the label by at least
    `OVERLAP` is not a false positive.
    """
    least = LEAST / spacing**3
    count, lesion = components(int(np.count_nonzero(truth)), *neighbours(truth))
    sizes = np.bincount(lesion, minlength=count)
    large = sizes >= least
    found = np.zeros((count, len(thresholds)), bool)
    alarms = np.zeros(len(thresholds), np.int64)
    at = score[truth]
    for k, (owner, members) in enumerate(_candidates(score, truth, thresholds)):
        reached = at >= thresholds[k]
        kept = members >= least
        shared = coo_array(
            (np.ones(np.count_nonzero(reached)), (owner, lesion[reached])), (len(members), count)
        ).tocsr()
        matched, excused = match(shared[kept], members[kept], sizes, large)
        found[matched, k] = True
        alarms[k] = np.count_nonzero(kept) - len(matched) - excused
    shares = np.where(large, 1 / np.maximum(sizes, 1), 0.0)[lesion]
    return Detections(sizes[large].astype(np.int64), found[large], alarms, shares)


def match(shared: csr_array, members: np.ndarray, sizes: np.ndarray, large: np.ndarray) -> tuple[np.ndarray, int]:
    """Indices of the large components of the label with a match, and the number of unmatched candidates on small ones.

    shared: voxels common to each candidate and component of the label (candidates, components); members and sizes: the
    voxels of each; large (components,) bool.
    """
    pairs = shared.tocoo()
    first, second = pairs.coords
    overlap = pairs.data / (members[first] + sizes[second] - pairs.data)
    enough = overlap >= OVERLAP
    first, second, overlap = first[enough], second[enough], overlap[enough]
    wanted = large[second]
    rows, row = np.unique(first[wanted], return_inverse=True)
    columns, column = np.unique(second[wanted], return_inverse=True)
    gain = np.zeros((len(rows), len(columns)))
    gain[row, column] = 1 + min(gain.shape) + overlap[wanted]  # one more match outweighs the overlaps of all others
    chosen = linear_sum_assignment(gain, maximize=True)
    real = gain[chosen] > 0
    taken = rows[chosen[0][real]]
    return columns[chosen[1][real]], len(np.setdiff1d(first[~wanted], taken))


def _candidates(
    score: np.ndarray, truth: np.ndarray, thresholds: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """At each threshold the candidate of every anomalous voxel that reaches it, and the voxel counts of candidates.

    Neighbours are found once, at the lowest threshold; each higher one drops voxels and their pairs.
    """
    if not len(thresholds):
        return
    mask = score >= thresholds.min()
    first, second = neighbours(mask)
    scores, anomalous = score[mask], truth[mask]
    lower = np.minimum(scores[first], scores[second])
    for threshold in thresholds:
        kept = lower >= threshold
        count, component = components(len(scores), first[kept], second[kept])
        reached = scores >= threshold  # a voxel below the threshold forms a component without members
        yield component[reached & anomalous], np.bincount(component[reached], minlength=count)


def neighbours(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs (p,) and (p,) int32 of neighbouring voxels of a mask (D, H, W), by their index in C order."""
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


def components(count: int, first: np.ndarray, second: np.ndarray) -> tuple[int, np.ndarray]:
    """Number of connected components of `count` voxels joined by pairs, and the component (count,) of each."""
    if not count:
        return 0, np.zeros(0, np.int64)
    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    return connected_components(graph, directed=False)


def bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """Bounding box of a mask (D, H, W) bool; empty slices for an empty mask."""
    spans = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    return tuple(slice(int(span[0]), int(span[-1]) + 1) if span.size else slice(0, 0) for span in spans)


QUANTILE = 0.95

Sides = tuple[float, float, float]


def surface_agreement(
    called: np.ndarray, drawn: np.ndarray, sides: Sides, worst: float, tolerance: float
) -> tuple[float, float]:
    """HD95 in mm and surface Dice of two masks (D, H, W) bool, `drawn` non-empty, with voxels of `sides` mm.

    HD95: the greater of the 95th percentiles of the distances from either surface to the other. Surface Dice: the
    fraction of both surfaces within `tolerance` mm of the other one (Nikolov et al., arXiv:1809.04430). A surface
    consists of the voxels of a mask with a face outside of it, as in MONAI. For an empty `called`, HD95 is `worst` and
    the surface Dice 0.
    """
    if not called.any():
        return worst, 0.0
    box = bounding_box(called | drawn)
    # Positions (n, 3) in mm of the voxels with a face outside of the mask.
    first, second = (np.argwhere(mask & ~binary_erosion(mask)) * sides for mask in (called[box], drawn[box]))
    apart = cKDTree(second).query(first)[0], cKDTree(first).query(second)[0]
    limit = tolerance * (1 + 1e-9)  # a distance of one voxel may be rounded up
    near = sum(int(np.count_nonzero(distances <= limit)) for distances in apart)
    return max(float(np.quantile(distances, QUANTILE)) for distances in apart), near / (len(first) + len(second))


def diagonal(mask: np.ndarray, sides: Sides) -> float:
    """Diagonal in mm of the bounding box of a mask (D, H, W) bool: the maximum distance of its voxels."""
    extent = [side.stop - side.start for side in bounding_box(mask)]
    return float(np.linalg.norm(np.multiply(extent, sides)))
