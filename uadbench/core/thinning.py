"""Thinning of volumes: every n-th voxel along each axis, at its place."""

import numpy as np


def stride(shape: tuple[int, ...], limit: int) -> int:
    """Smallest n such that every n-th voxel along each axis makes at most `limit` voxels."""
    step = 1
    while np.prod([-(-side // step) for side in shape]) > limit:
        step += 1
    return step


def thinned(affine: np.ndarray, start: np.ndarray, step: int | tuple[int, ...]) -> np.ndarray:
    """Affine (4, 4) of every `step`-th voxel, along all axes or each of three, from voxel `start` (3,) on."""
    moved = np.array(affine, float)
    moved[:3, 3] = (affine @ [*start, 1.0])[:3]
    moved[:3, :3] = affine[:3, :3] * step
    return moved
