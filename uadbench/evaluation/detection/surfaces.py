"""HD95 and surface Dice: distances between the surfaces of a thresholded map and of a label."""

import numpy as np
from scipy.ndimage import binary_erosion
from scipy.spatial import cKDTree

from uadbench.evaluation.detection.findings import TOLERANCE
from uadbench.evaluation.detection.lesions import bounding_box

QUANTILE = 0.95

Sides = tuple[float, float, float]


def surface_agreement(called: np.ndarray, drawn: np.ndarray, sides: Sides, worst: float) -> tuple[float, float]:
    """HD95 in mm and surface Dice of two masks (D, H, W) bool, `drawn` non-empty, with voxels of `sides` mm.

    HD95: the greater of the 95th percentiles of the distances from either surface to the other. Surface Dice: the
    fraction of both surfaces within TOLERANCE of the other one (Nikolov et al., arXiv:1809.04430). A surface consists
    of the voxels of a mask with a face outside of it, as in MONAI. For an empty `called`, HD95 is `worst` and the
    surface Dice 0.
    """
    if not called.any():
        return worst, 0.0
    box = bounding_box(called | drawn)
    # Positions (n, 3) in mm of the voxels with a face outside of the mask.
    first, second = (np.argwhere(mask & ~binary_erosion(mask)) * sides for mask in (called[box], drawn[box]))
    apart = cKDTree(second).query(first)[0], cKDTree(first).query(second)[0]
    near = sum(int(np.count_nonzero(distances <= TOLERANCE)) for distances in apart)
    return max(float(np.quantile(distances, QUANTILE)) for distances in apart), near / (len(first) + len(second))


def diagonal(mask: np.ndarray, sides: Sides) -> float:
    """Diagonal in mm of the bounding box of a mask (D, H, W) bool: the maximum distance of its voxels."""
    extent = [side.stop - side.start for side in bounding_box(mask)]
    return float(np.linalg.norm(np.multiply(extent, sides)))
