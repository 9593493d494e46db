"""Initialisation of registration: a coarse search over pose and size, far cheaper than registration and robust against
a neck, a tilted head or a header that is centimetres off."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import ndimage

from uadbench.data.grid import Grid, rotation

#: mm between sample points, and margin of the sampled region around the brain
STEP, REACH = 8.0, 10.0
BINS = 12
#: usual size of a brain relative to the template's, and penalty (nats) of deviations
USUAL, PENALTY = 0.95, 1.0

#: initial step of each pose parameter: three rotations (degrees), three shifts (mm), three relative sizes
STEPS = (8.0, 8.0, 8.0, 6.0, 6.0, 6.0, 0.06, 0.06, 0.06)


@dataclass(frozen=True)
class Range:
    """Values tried for pitch (degrees), shift along anterior and superior (mm), and relative size."""

    pitch: tuple[float, ...] = (-30.0, -15.0, 0.0, 15.0, 30.0)
    forward: tuple[float, ...] = (-20.0, -10.0, 0.0, 10.0, 20.0)
    up: tuple[float, ...] = (-40.0, -30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0)
    size: tuple[float, ...] = (0.95,)
    rigid: bool = False


HEAD = Range()
BRAIN = Range(pitch=(-30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0), forward=(-8.0, 0.0, 8.0), up=(-8.0, 0.0, 8.0))
SAME = Range(
    pitch=(-20.0, -10.0, 0.0, 10.0, 20.0), up=(-30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0), size=(1.0,), rigid=True
)


class Similarity:
    """Mutual information (nats) of a brain and a moving image, as a function of the matrix between their millimetres.

    fixed: (X, Y, Z) and its brain `mask` on voxels of about STEP mm; moving: (X, Y, Z) on a finer RAS grid.
    surroundings: whether the fixed image shows tissue around the brain; a template does not.
    """

    def __init__(
        self, fixed: np.ndarray, mask: np.ndarray, grid: Grid, moving: np.ndarray, moving_grid: Grid, surroundings: bool
    ) -> None:
        near = ndimage.distance_transform_edt(~mask, sampling=grid.spacing) <= REACH
        self.points = grid.affine @ np.vstack([np.argwhere(near).T, np.ones(int(near.sum()))])
        self.middle = self.points[:3].mean(axis=1)
        # Ranks instead of grey values: bright fat must not squeeze the brain into one bin.
        ranked = 1 + _ranks(fixed, fixed[near if surroundings else mask], BINS - 1)
        self.fixed = np.where(mask | surroundings, ranked, 0)[near]
        smooth = ndimage.gaussian_filter(moving, 0.4 * STEP / moving_grid.spacing)
        head = smooth[smooth > 0.15 * smooth.mean()]
        self.moving = _ranks(smooth, head, BINS).astype(np.float32)
        self.to_voxel = np.linalg.inv(moving_grid.affine)

    def __call__(self, matrix: np.ndarray) -> float:
        voxels = (self.to_voxel @ matrix @ self.points)[:3]
        values = ndimage.map_coordinates(self.moving, voxels, order=1, mode="constant", prefilter=False)
        pairs = self.fixed * BINS + np.rint(values).astype(int)
        joint = np.bincount(pairs, minlength=BINS * BINS).reshape(BINS, BINS) / len(pairs)
        outer = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
        seen = joint > 0
        return float((joint[seen] * np.log(joint[seen] / outer[seen])).sum())


def guesses(similarity: Similarity, centres: list[np.ndarray], span: Range, count: int = 4) -> list[np.ndarray]:
    """Up to `count` matrices (4, 4) from fixed to moving, best first, by hill climbing from well-separated starts.

    `centres` (mm) are candidate positions of the brain's middle in the moving image.
    """
    starts = [
        (np.array([pitch, 0, 0, 0, forward, up, size, size, size]), centre)
        for centre in centres
        for pitch, forward, up, size in product(span.pitch, span.forward, span.up, span.size)
    ]
    scores = np.array([_score(similarity, pose, centre) for pose, centre in starts])
    apart: list[tuple[np.ndarray, np.ndarray]] = []
    for number in np.argsort(-scores, kind="stable"):
        pose, centre = starts[number]
        where = centre + pose[3:6]
        if all(abs(pose[0] - p[0]) > 14 or np.abs(where - c - p[3:6]).max() > 14 for p, c in apart):
            apart.append((pose, centre))
        if len(apart) == count:
            break
    free = 6 if span.rigid else 9
    climbed = [(*_climb(similarity, pose, centre, free), centre) for pose, centre in apart]
    # Only climbing adjusts the other rotations, so a start with a poor score may end as the best.
    climbed.sort(key=lambda found: -found[0])
    return [_matrix(pose, similarity.middle, centre) for _, pose, centre in climbed]


def _score(similarity: Similarity, pose: np.ndarray, centre: np.ndarray) -> float:
    """Similarity minus a penalty on unusual sizes, which prevents the brain from being stretched over a neck."""
    unusual = float((np.log(pose[6:9] / USUAL) ** 2).sum())
    return similarity(_matrix(pose, similarity.middle, centre)) - PENALTY * unusual


def _climb(similarity: Similarity, pose: np.ndarray, centre: np.ndarray, free: int) -> tuple[float, np.ndarray]:
    """Coordinate-wise hill climbing over the first `free` pose parameters, with decreasing steps."""
    best = _score(similarity, pose, centre)
    step = np.array(STEPS)
    for _ in range(3):
        for _ in range(3):
            moved = False
            for axis, sign in product(range(free), (1, -1)):
                trial = pose.copy()
                trial[axis] += sign * step[axis]
                score = _score(similarity, trial, centre)
                if score > best:
                    best, pose, moved = score, trial, True
            if not moved:
                break
        step = step / 2
    return best, pose


def _matrix(pose: np.ndarray, middle: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The matrix that scales and rotates about `middle` and moves it to `centre` plus the pose's shift."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(np.deg2rad(pose[:3])) @ np.diag(pose[6:9])
    matrix[:3, 3] = centre + pose[3:6] - matrix[:3, :3] @ middle
    return matrix


def _ranks(image: np.ndarray, sample: np.ndarray, bins: int) -> np.ndarray:
    """Quantile bin 0…bins-1 of each value, with respect to `sample`; 0 for an empty one (no tissue)."""
    if not sample.size:
        return np.zeros(image.shape, int)
    return np.searchsorted(np.quantile(sample, np.arange(1, bins) / bins), image)
