"""Image tiles of Figures 1 and 3: framing of slices by physical size."""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes

from uadbench.paper import style

Arrays = dict[str, np.ndarray]


def frame(slices: Iterable[tuple[np.ndarray, float]], margin: float = 4.0) -> tuple[float, float]:
    """Half the width and height in mm of a frame that holds the brain (values > 0) of every (H, W) slice."""
    sizes = [tuple(spacing * (high - low + 1) / 2 for low, high in _extent(image)) for image, spacing in slices]
    return max(size[0] for size in sizes) + margin, max(size[1] for size in sizes) + margin


def centre(image: np.ndarray, spacing: float) -> tuple[float, float]:
    """(x, y) in mm of the middle of the brain's bounding box in an (H, W) slice whose first voxel is at 0."""
    x, y = (spacing * (low + high) / 2 for low, high in _extent(image))
    return x, y


def show(
    axes: Axes,
    image: np.ndarray,
    spacing: float,
    window: tuple[float, float],
    middle: tuple[float, float],
    half: tuple[float, float],
) -> None:
    """Draw an (H, W) slice, anterior up, in the frame of half size `half` mm around `middle`."""
    style.picture(axes)
    height, width = image.shape
    edges = (-0.5 * spacing, (width - 0.5) * spacing, -0.5 * spacing, (height - 0.5) * spacing)
    axes.imshow(image, cmap="gray", vmin=window[0], vmax=window[1], origin="lower", extent=edges)
    axes.set(xlim=(middle[0] - half[0], middle[0] + half[0]), ylim=(middle[1] - half[1], middle[1] + half[1]))


def _extent(image: np.ndarray) -> list[tuple[int, int]]:
    """First and last voxel of the brain along x and along y; the whole slice if it shows no brain."""
    rows, columns = np.nonzero(image > 0)
    if not len(rows):
        return [(0, image.shape[1] - 1), (0, image.shape[0] - 1)]
    return [(int(columns.min()), int(columns.max())), (int(rows.min()), int(rows.max()))]
