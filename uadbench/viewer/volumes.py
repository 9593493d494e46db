"""Volumes for the viewer: gzip-compressed NIfTI of one byte per voxel, with the scale to true values in the header."""

import base64
import gzip
from dataclasses import dataclass
from typing import Any

import numpy as np

LEVELS = 255  # steps of a byte
WINDOW = (0.1, 99.9)  # percentiles of a scan's grey values; values beyond are clipped


@dataclass(frozen=True)
class Quantised:
    """Values (any shape) as bytes: value = `low` + `step` * byte."""

    bytes: np.ndarray
    low: float
    step: float


def scores(values: np.ndarray) -> Quantised:
    """Scores, finite and at least 0, in 255 equal steps from 0 to their maximum: exact to half a step."""
    top = float(np.max(values, initial=0))
    return quantised(values, 0.0, top if top > 0 else 1.0)


def grey_values(values: np.ndarray) -> Quantised:
    """Grey values of a scan in 255 equal steps between the percentiles of WINDOW; 0 stays in the range.

    Few very bright voxels, as of vessels, would otherwise leave the brain a handful of steps.
    """
    low, high = (float(value) for value in np.percentile(values, WINDOW))
    low, high = min(low, 0.0), max(high, 0.0)
    return quantised(values, low, high if high > low else low + 1)


def normalised(values: np.ndarray) -> Quantised:
    """Grey values after preprocessing, in 255 equal steps from 0 to 1."""
    return quantised(values, 0.0, 1.0)


def quantised(values: np.ndarray, low: float, high: float) -> Quantised:
    """Values between `low` and `high` in 255 equal steps; those beyond are clipped."""
    step = (high - low) / LEVELS
    levels = np.rint((np.asarray(values, np.float64) - low) / step)
    return Quantised(np.clip(levels, 0, LEVELS).astype(np.uint8), low, step)


def labels(truth: np.ndarray) -> Quantised:
    """A delineation: 1 where `truth` is not 0."""
    return Quantised((np.asarray(truth) != 0).astype(np.uint8), 0.0, 1.0)


def nifti(volume: Quantised, affine: np.ndarray) -> bytes:
    """A volume (X, Y, Z) as gzip-compressed NIfTI with affine (4, 4) from voxel to mm; the same bytes each time.

    Raises ValueError for another number of axes.
    """
    import nibabel

    if volume.bytes.ndim != 3:
        raise ValueError(f"a volume has three axes, not shape {volume.bytes.shape}")
    image: Any = nibabel.Nifti1Image(np.asfortranarray(volume.bytes), affine)
    image.header.set_xyzt_units("mm")
    image.header.set_slope_inter(volume.step, volume.low)
    return gzip.compress(image.to_bytes(), 9, mtime=0)


def embedded(content: bytes) -> str:
    """Bytes as base64, for the text of an HTML element."""
    return base64.b64encode(content).decode("ascii")
