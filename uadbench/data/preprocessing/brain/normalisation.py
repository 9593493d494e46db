"""Intensity normalisation to [0, 1] by a named rule."""

from collections.abc import Callable

import numpy as np

#: smallest value of a brain voxel, so that in float16 `image > 0` is the brain mask
FLOOR = 1e-3
#: the smallest that float16 holds, for a rim that is kept as dark as it is
LEAST = float(np.finfo(np.float16).smallest_subnormal)


def scale(image: np.ndarray, brain: np.ndarray, rule: str, voxels: int, floor: float = FLOOR) -> np.ndarray:
    """`image` scaled to [floor, 1] in `brain` and 0 outside, float32.

    voxels: number of voxels of the whole volume with its background, which `p98` includes.
    Raises ValueError if the brain has no value above 0.
    """
    values = np.maximum(image[brain], 0)
    top = RULES[rule](values, voxels) if values.size else 0.0
    if not top > 0:
        raise ValueError("has no grey value above 0 in the brain")
    scaled = np.zeros(image.shape, dtype=np.float32)
    scaled[brain] = np.clip(values / top, floor, 1)
    return scaled


def _p98(values: np.ndarray, voxels: int) -> float:
    """98th percentile over the volume with its background (public DISYRE code, snavalm/disyre)."""
    background = np.zeros(max(voxels - values.size, 0), dtype=values.dtype)
    return float(np.quantile(np.concatenate([background, values]), 0.98))


def _max(values: np.ndarray, voxels: int) -> float:
    """Maximum of the volume (UPD_study, Lagogiannis et al. 2024)."""
    return float(values.max())


def _p99_5_brain(values: np.ndarray, voxels: int) -> float:
    """99.5th percentile over the brain, which leaves fluid on T2-weighted scans unsaturated."""
    return float(np.quantile(values, 0.995))


RULES: dict[str, Callable[[np.ndarray, int], float]] = {"p98": _p98, "max": _max, "p99_5_brain": _p99_5_brain}
