"""Brain localisation: detection of extracted scans, head centre, and brain mask of a whole head."""

import numpy as np
from scipy import ndimage

from uadbench.core.modalities import MODALITIES
from uadbench.data.grid import Grid
from uadbench.data.preprocessing.reading.scan import Scan

#: ml, plausible range of brain volumes (with fluid spaces; in MNI space brains are large)
PLAUSIBLE = (500.0, 2600.0)

#: mm, signed distance from the template's brain: limit of the tissue search, and limit below which all is brain
NEAR, DEEP = 6.0, -3.0
#: mm: radius of the opening that removes thin pieces, radius of the closing over sulci
THIN, SULCUS = 4.0, 8.0
#: mm, Gaussian widths of the surface smoothing and of the bias-field estimate
SMOOTH, LEVEL = 6.0, 20.0


def extracted(scan: Scan) -> np.ndarray | None:
    """Brain mask (I, J, K) of a skull-stripped scan, or None for a whole head.

    At least 40 % of the voxels of a stripped scan have the background value; the rest has the volume of a brain.
    Enclosed cavities belong to the brain even at this value, since extractions leave cavities at 0.
    """
    faces = np.concatenate([np.take(scan.data, (0, -1), axis=axis).ravel() for axis in range(3)])
    values, counts = np.unique(faces, return_counts=True)
    inside = ndimage.binary_fill_holes(scan.data != values[counts.argmax()])
    volume = inside.sum() * scan.grid.voxel_ml
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
    """Centre (mm) of the uppermost `height` mm of the head in an image on a RAS grid, unaffected by the neck."""
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


def eroded(mask: np.ndarray, spacing: np.ndarray, depth: float) -> np.ndarray:
    """Voxels of `mask` more than `depth` mm inside its border: where `distance` is below -depth."""
    inside = ndimage.distance_transform_edt(mask, sampling=spacing)
    return np.asarray(mask & ((0.5 * spacing.min() - inside).astype(np.float32) < -depth))


def dilated(mask: np.ndarray, spacing: np.ndarray, reach: float) -> np.ndarray:
    """Voxels of `mask`, and those less than `reach` mm outside its border: where `distance` is below reach."""
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
    return np.asarray(mask | ((outside - 0.5 * spacing.min()).astype(np.float32) < reach))


def inside_head(image: np.ndarray, prior: np.ndarray, spacing: np.ndarray, modality: str = "t1") -> np.ndarray:
    """Brain mask (bool) of a whole head, from the signed distance `prior` (mm) to the registered template's brain.

    Tissue near the template's brain is separated from the scalp by an opening and closed over sulci and fluid. The
    distance of its surface to the template's is smoothed along the surface, which suppresses single leaks and gaps, and
    the template's brain is grown or shrunk by it.
    """
    # On scans other than T1-weighted ones fluid around the brain is bright: no ceiling, and it counts as tissue.
    ceiling, margin = (1.4, 2.0) if MODALITIES[modality].fluid > 0 else (np.inf, 0.5)
    image = _levelled(image, prior, float(spacing[0]))
    dark, white = _tissue_range(image, prior)
    tissue = (prior < NEAR) & (image > dark) & (image < ceiling * white)
    radius = max(3.0, 1.01 * float(spacing.max()))
    kernel = eroded(tissue, spacing, radius - 0.5 * spacing.min())
    pieces, count = ndimage.label(kernel)
    sizes = np.bincount(pieces[prior < DEEP], minlength=count + 1)
    sizes[0] = 0
    # All voxels deep in the template's brain belong to the brain, including fluid and dark lesions.
    grown = prior < DEEP
    if sizes.any():
        grown |= tissue & dilated(pieces == sizes.argmax(), spacing, radius)
    closed = eroded(dilated(grown, spacing, SULCUS), spacing, SULCUS)
    closed = ndimage.binary_fill_holes(closed | grown) & (prior < NEAR)
    surface = closed & ~ndimage.binary_erosion(closed)
    weight = _blurred(surface, SMOOTH / spacing)
    offset = _blurred(np.where(surface, np.clip(prior, -8, 4), 0), SMOOTH / spacing) / np.maximum(weight, 1e-6)
    found = prior < np.where(weight > 1e-5, offset, 0) + margin
    return _largest(dilated(eroded(found, spacing, THIN), spacing, THIN))


def _tissue_range(image: np.ndarray, prior: np.ndarray) -> tuple[float, float]:
    """Threshold between fluid or bone and grey matter, and the grey value of white matter."""
    white = float(np.quantile(image[prior < -10], 0.9))
    return otsu(np.minimum(image[prior < 4], 1.3 * white), classes=3)[0], white


def _levelled(image: np.ndarray, prior: np.ndarray, spacing: float) -> np.ndarray:
    """Bias-corrected image: divided by the local mean of brain tissue, which receive coils darken in the cerebellum."""
    dark, white = _tissue_range(image, prior)
    tissue = (prior < 2) & (image > 0.8 * dark) & (image < 1.3 * white)
    weight = _blurred(tissue, LEVEL / spacing)
    level = _blurred(np.where(tissue, image, 0), LEVEL / spacing) / np.maximum(weight, 1e-6)
    known = weight > 1e-3
    usual = float(np.median(level[known & (prior < 0)])) if (known & (prior < 0)).any() else 1.0
    return np.asarray(image * np.where(known, usual / np.maximum(level, 0.2 * usual), 1))


def _largest(mask: np.ndarray) -> np.ndarray:
    pieces, _ = ndimage.label(mask)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray(pieces == sizes.argmax()) & mask


def _blurred(image: np.ndarray, sigma: float | np.ndarray) -> np.ndarray:
    return np.asarray(ndimage.gaussian_filter(image.astype(np.float32), sigma))
