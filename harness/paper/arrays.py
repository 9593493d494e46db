"""Reading the arrays behind Figures 1 and 3 and framing slices by their physical size."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from harness.errors import HarnessError
from harness.paper import style

Arrays = dict[str, np.ndarray]


def read(path: Path, needed: Iterable[str]) -> Arrays:
    """All arrays of an .npz file. Raises HarnessError if it is absent, unreadable or lacks one of `needed`."""
    if not path.is_file():
        raise HarnessError(f"{path}: no such file; run the evaluation of this experiment first")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise HarnessError(f"{path}: not a readable .npz file ({error}); write it again") from error
    for key in needed:
        if key not in arrays:
            raise HarnessError(f"{path}: no array {key!r}; write it again with this version")
    return arrays


def frame(slices: Iterable[tuple[np.ndarray, float]], margin: float = 4.0) -> float:
    """Half the side in mm of a square that holds the brain (values > 0) of every (H, W) slice of the given spacing."""
    half = 0.0
    for image, spacing in slices:
        rows, columns = np.nonzero(image > 0)
        if len(rows):
            half = max(half, spacing * (np.ptp(rows) + 1) / 2, spacing * (np.ptp(columns) + 1) / 2)
        else:
            half = max(half, spacing * max(image.shape) / 2)
    return half + margin


def centre(image: np.ndarray, spacing: float) -> tuple[float, float]:
    """(x, y) in mm of the middle of the brain's bounding box in an (H, W) slice whose first voxel is at 0."""
    rows, columns = np.nonzero(image > 0)
    if not len(rows):
        rows, columns = (np.array([0, side - 1]) for side in image.shape)
    return spacing * (columns.min() + columns.max()) / 2, spacing * (rows.min() + rows.max()) / 2


def show(
    axes: Axes, image: np.ndarray, spacing: float, window: tuple[float, float], middle: tuple[float, float], half: float
) -> AxesImage:
    """Draw an (H, W) slice, anterior up, in the square of side 2 `half` mm around `middle`."""
    style.picture(axes)
    height, width = image.shape
    edges = (-0.5 * spacing, (width - 0.5) * spacing, -0.5 * spacing, (height - 0.5) * spacing)
    drawn = axes.imshow(image, cmap="gray", vmin=window[0], vmax=window[1], origin="lower", extent=edges)
    axes.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
    return drawn
