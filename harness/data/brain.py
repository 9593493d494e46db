"""Finding the brain: scans that are already extracted, where the head is, and the brain inside of a whole head."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from harness.data.geometry import Grid
from harness.data.scan import Scan

#: ml, the brain volumes that are believed (with fluid spaces; in MNI space brains are large)
PLAUSIBLE = (500.0, 2600.0)


def extracted(scan: Scan) -> np.ndarray | None:
    """The brain mask (I, J, K) of a scan that comes without its skull, or None if it is a whole head.

    At least 40 % of the voxels of such a scan have the one background value; the rest has the volume of a brain.
    """
    faces = np.concatenate([np.take(scan.data, (0, -1), axis=axis).ravel() for axis in range(3)])
    values, counts = np.unique(faces, return_counts=True)
    inside = scan.data != values[counts.argmax()]
    volume = inside.sum() * abs(np.linalg.det(scan.affine[:3, :3])) / 1000
    if inside.mean() > 0.6 or not PLAUSIBLE[0] <= volume <= PLAUSIBLE[1]:
        return None
    return inside


def otsu(values: np.ndarray, classes: int = 2, bins: int = 128) -> list[float]:
    """The `classes - 1` thresholds (1 or 2 of them) that maximise the variance between classes (Otsu 1979)."""
    counts, edges = np.histogram(values, bins)
    centres, weight = (edges[:-1] + edges[1:]) / 2, np.cumsum(counts / counts.sum())
    mean = np.cumsum(counts / counts.sum() * centres)

    def between(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Weight times squared mean of the class of bins (low, high]."""
        share = weight[high] - np.where(low < 0, 0, weight[low])
        return (mean[high] - np.where(low < 0, 0, mean[low])) ** 2 / np.maximum(share, 1e-12)

    last, none = np.array(bins - 1), np.array(-1)
    first = np.arange(bins - 1)
    if classes == 2:
        return [float(edges[1 + np.argmax(between(none, first) + between(first, last))])]
    a, b = np.triu_indices(bins - 1, k=1)
    best = int(np.argmax(between(none, a) + between(a, b) + between(b, last)))
    return [float(edges[1 + a[best]]), float(edges[1 + b[best]])]


def head_centre(image: np.ndarray, grid: Grid, height: float = 150.0) -> np.ndarray:
    """Centre (mm) of the uppermost `height` mm of the head in an upright image: a neck must not pull it down."""
    inside = image > otsu(image[image > image.min()])[0]
    inside = ndimage.binary_opening(inside, iterations=1)
    rows = inside.sum(axis=(0, 1)) * grid.spacing[0] * grid.spacing[1]
    top = int(np.flatnonzero(rows > 1500)[-1]) if (rows > 1500).any() else image.shape[2] - 1
    inside[:, :, : max(0, top - round(height / grid.spacing[2]))] = False
    centre = np.argwhere(inside).mean(axis=0) if inside.any() else (np.array(image.shape) - 1) / 2
    return np.asarray((grid.affine @ np.append(centre, 1.0))[:3])


def distance(mask: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Signed distance in mm to the border of `mask`: negative inside."""
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
    inside = ndimage.distance_transform_edt(mask, sampling=spacing)
    return np.asarray(np.where(mask, 0.5 * spacing.min() - inside, outside - 0.5 * spacing.min()), dtype=np.float32)


def inside_head(image: np.ndarray, prior: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """The brain (bool) in a T1-weighted whole head, from the signed distance `prior` (mm) to the template's brain.

    What is brighter than fluid and bone and near the template's brain is cut from the scalp by an opening; the largest
    piece is closed over sulci and fluid.
    """
    near = prior < 10
    core = image[prior < -10]
    white = float(np.quantile(core, 0.9))
    dark, _ = otsu(np.minimum(image[prior < 4], 1.3 * white), classes=3)
    tissue = near & (image > dark) & (image < 1.7 * white)
    radius = max(3.0, float(spacing.max()) * 1.01)
    kernel = distance(tissue, spacing) < -radius + 0.5 * spacing.min()
    labels, count = ndimage.label(kernel)
    if count == 0:
        return prior < 0
    sizes = np.bincount(labels[prior < -5], minlength=count + 1)
    sizes[0] = 0
    seed = labels == sizes.argmax()
    grown = tissue & (distance(seed, spacing) < radius)
    # Fluid and dark lesions belong to the brain: everything well inside of the template's brain does.
    grown |= prior < -6
    closed = distance(distance(grown, spacing) < 8, spacing) < -8
    return np.asarray(ndimage.binary_fill_holes(closed | grown)) & near
