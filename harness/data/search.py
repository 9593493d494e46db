"""A first guess of where the template's brain lies in a scan: a coarse search over pose and size, thousands of times
cheaper than registration and hard to mislead by a neck, a tilted head or a shifted field of view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import ndimage

from harness.data.geometry import Grid
from harness.data.template import Template

#: mm between the points that are compared, and how far around the brain they reach
STEP, REACH = 8.0, 10.0
BINS = 12


@dataclass(frozen=True)
class Range:
    """Values tried for pitch (degrees), shift along anterior and superior (mm) and size (relative)."""

    pitch: tuple[float, ...] = (-30.0, -15.0, 0.0, 15.0, 30.0)
    forward: tuple[float, ...] = (-20.0, -10.0, 0.0, 10.0, 20.0)
    up: tuple[float, ...] = (-40.0, -30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0)
    size: tuple[float, ...] = (0.85, 1.0)


HEAD = Range()
BRAIN = Range(pitch=(-30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0), forward=(-8.0, 0.0, 8.0), up=(-8.0, 0.0, 8.0))


class Likeness:
    """Mutual information (nats) between the template around its brain and an image, as a function of the matrix."""

    def __init__(self, template: Template, image: np.ndarray, grid: Grid) -> None:
        fixed = template.at(STEP)
        near = ndimage.distance_transform_edt(~fixed.mask, sampling=STEP) <= REACH
        self.points = np.vstack([np.argwhere(near).T, np.ones(int(near.sum()))])
        self.points = fixed.grid.affine @ self.points
        # Ranks instead of grey values: bright fat must not squeeze the brain into one bin.
        self.fixed = np.where(fixed.mask, 1 + _ranks(fixed.image, fixed.image[fixed.mask], BINS - 1), 0)[near]
        smooth = ndimage.gaussian_filter(image, 0.4 * STEP / grid.spacing[0])
        head = smooth[smooth > 0.15 * smooth.mean()]
        self.image = _ranks(smooth, head, BINS).astype(np.float32)
        self.to_voxel = np.linalg.inv(grid.affine)

    def __call__(self, matrix: np.ndarray) -> float:
        voxels = (self.to_voxel @ matrix @ self.points)[:3]
        values = ndimage.map_coordinates(self.image, voxels, order=1, mode="constant", prefilter=False)
        pairs = self.fixed * BINS + np.rint(values).astype(int)
        joint = np.bincount(pairs, minlength=BINS * BINS).reshape(BINS, BINS) / len(pairs)
        outer = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
        seen = joint > 0
        return float((joint[seen] * np.log(joint[seen] / outer[seen])).sum())


def guesses(
    template: Template, image: np.ndarray, grid: Grid, centre: np.ndarray, span: Range, count: int = 3
) -> Iterator[np.ndarray]:
    """Up to `count` matrices (4, 4) from template to scan, the most promising first, climbed to from starts well apart.

    `image` (X, Y, Z) on the upright `grid`; `centre` (mm) is about where the middle of the brain is.
    """
    likeness = Likeness(template, image, grid)
    middle = np.mean(template.box, axis=0)
    poses = [
        np.array([pitch, 0, 0, 0, forward, up, size, size, size])
        for pitch, forward, up, size in product(span.pitch, span.forward, span.up, span.size)
    ]
    scores = np.array([likeness(_matrix(pose, middle, centre)) for pose in poses])
    apart: list[np.ndarray] = []
    for number in np.argsort(-scores, kind="stable"):
        pose = poses[number]
        if all(abs(pose[0] - p[0]) > 14 or np.abs(pose[3:6] - p[3:6]).max() > 14 for p in apart):
            apart.append(pose)
        if len(apart) == count:
            break
    for pose in apart:
        yield _matrix(_climb(likeness, pose, middle, centre), middle, centre)


def _climb(likeness: Likeness, pose: np.ndarray, middle: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Move one number of the pose at a time while that helps, with ever smaller steps."""
    best = likeness(_matrix(pose, middle, centre))
    step = np.array([8.0, 8, 8, 6, 6, 6, 0.06, 0.06, 0.06])
    for _ in range(3):
        for _ in range(3):
            moved = False
            for axis, sign in product(range(9), (1, -1)):
                trial = pose.copy()
                trial[axis] += sign * step[axis]
                score = likeness(_matrix(trial, middle, centre))
                if score > best:
                    best, pose, moved = score, trial, True
            if not moved:
                break
        step = step / 2
    return pose


def _matrix(pose: np.ndarray, middle: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The matrix that scales and turns (degrees about right, anterior, superior) around `middle` and shifts it to
    `centre` plus the pose's shift."""
    a, b, c = np.deg2rad(pose[:3])
    turn_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    turn_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    turn_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn_z @ turn_y @ turn_x @ np.diag(pose[6:9])
    matrix[:3, 3] = centre + pose[3:6] - matrix[:3, :3] @ middle
    return matrix


def _ranks(image: np.ndarray, sample: np.ndarray, bins: int) -> np.ndarray:
    """Each value's bin 0…bins-1 among equally filled bins of `sample`."""
    edges = np.quantile(sample, np.arange(1, bins) / bins)
    return np.searchsorted(edges, image)
