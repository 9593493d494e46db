"""Telling a T1-weighted scan from a T2-weighted one: fluid is dark on the one and bright on the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.data import brain, geometry
from harness.data.geometry import Grid
from harness.data.scan import BadScan
from harness.data.template import Template

#: mm: voxels on which the two are compared, and how deep they must lie. Nearer to the surface it is the brain mask that
#: correlates, and fluid that one scan shows and the other does not.
SPACING, DEEP = 4.0, 10.0
#: Correlations with the T1-weighted template beyond which a scan is taken for the other modality.
T1_LEAST, T2_MOST = -0.1, 0.1
REMEDY = "name each file for what it is, or exclude the subject"


def correlation(image: np.ndarray, inside: np.ndarray, template: Template, grid: Grid) -> float:
    """Correlation of a registered image (X, Y, Z) with the T1-weighted template deep in the brain, -1…1.

    0 if fewer than 100 voxels can be compared.
    """
    target = template.at(SPACING)
    share = geometry.sample(inside, grid.affine, target.grid)
    total = geometry.sample(image * inside, grid.affine, target.grid)
    both = (brain.distance(target.mask, target.grid.spacing) < -DEEP) & (share > 0.5)
    if both.sum() < 100:
        return 0.0
    values = total[both] / share[both]
    return float(np.corrcoef(values, target.image[both])[0, 1]) if np.ptp(values) > 0 else 0.0


def check(modality: str, image: np.ndarray, inside: np.ndarray, template: Template, grid: Grid, path: Path) -> None:
    """Raise BadScan if a scan that is given as T1 looks T2-weighted, or the other way round."""
    found = correlation(image, inside, template, grid)
    if modality == "t1" and found < T1_LEAST:
        raise BadScan(path, f"is given as T1 but looks T2-weighted (correlation {found:.2f}); {REMEDY}")
    if modality == "t2" and found > T2_MOST:
        raise BadScan(path, f"is given as T2 but looks T1-weighted (correlation {found:.2f}); {REMEDY}")
