"""Telling a T1-weighted scan from a T2-weighted one: fluid is dark on the one and bright on the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.data import geometry
from harness.data.geometry import Grid
from harness.data.scan import BadScan
from harness.data.template import Template

#: correlations with the T1-weighted template beyond which a scan is taken for the other modality
T1_LEAST, T2_MOST = -0.1, 0.5
REMEDY = "name each file for what it is, or exclude the subject"


def correlation(image: np.ndarray, inside: np.ndarray, template: Template, grid: Grid) -> float:
    """Correlation of a registered image (X, Y, Z) with the T1-weighted template inside the brain, -1…1."""
    target = geometry.sample(template.image, template.affine, grid)
    both = inside & (target > 0)
    if both.sum() < 2:
        return 0.0
    return float(np.corrcoef(image[both], target[both])[0, 1])


def check(modality: str, image: np.ndarray, inside: np.ndarray, template: Template, grid: Grid, path: Path) -> None:
    """Raise BadScan if a scan that is given as T1 looks T2-weighted, or the other way round."""
    found = correlation(image, inside, template, grid)
    if modality == "t1" and found < T1_LEAST:
        raise BadScan(path, f"is given as T1 but looks T2-weighted (correlation {found:.2f}); {REMEDY}")
    if modality == "t2" and found > T2_MOST:
        raise BadScan(path, f"is given as T2 but looks T1-weighted (correlation {found:.2f}); {REMEDY}")
