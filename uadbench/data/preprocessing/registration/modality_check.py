"""Modality check of a registered scan: its stated weighting, T1 or T2, and the orientation in its header.

Fluid is dark on T1-weighted scans and bright on T2-weighted ones. A brain with a wrong orientation in its header is
registered nevertheless, but resembles the template little.

The criterion is the sign of the correlation with the T1-weighted template, in both halves of the brain, since a stroke
may cover most of one. Ranges measured on voxels of 1, 2 and 4 mm:

    scans                                                             larger half       smaller half
    real T1, 19 (healthy, glioma, multiple sclerosis, stroke)         0.51 …  0.70      0.43 …  0.68
    real T2, 10, placed through their T1                             -0.66 … -0.33     -0.70 … -0.36
    the same T2 stated as T1, brain and pose estimated without T1    -0.62 … -0.27     -0.66 … -0.33
    simulated T1, 72 of the default cohort, strokes to 159 ml         0.46 …  0.78      0.17 …  0.75
    simulated T2, 60 of it                                           -0.73 … -0.24     -0.76 … -0.49
    T1 with a header of another orientation, 13 (5 real)             up to 0.28
"""

from pathlib import Path

import numpy as np

from uadbench.core.modalities import MODALITIES
from uadbench.data.grid import Grid
from uadbench.data.preprocessing.brain import brain
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.reading.scan import BadScan
from uadbench.data.preprocessing.registration.template import Template

#: mm: voxel size of the comparison, and minimum depth. Nearer to the surface the brain mask dominates the correlation,
#: as does fluid visible on only one of the two scans.
SPACING, DEEP = 4.0, 10.0
#: minimum correlation, by `Modality.fluid`: the larger half's of a T1, the smaller half's, negated, of a T2
UPRIGHT = {1: 0.35, -1: 0.25}
TURNED = (
    "orientation disagrees with the header, or the scan is damaged (correlation {:.2f} with the template, an upright "
    "scan has {} or more); look at it, convert it again from DICOM or correct its affine, else exclude the subject"
)
REMEDY = "name each file for what it is, or exclude the subject"


def correlations(image: np.ndarray, inside: np.ndarray, template: Template, grid: Grid) -> tuple[float, float]:
    """Correlation of a registered image (X, Y, Z) with the T1-weighted template deep in the left and the right half.

    Each -1…1; 0 for a half with fewer than 50 comparable voxels.
    """
    target = template.at(SPACING)
    share = geometry.sample(inside, grid.affine, target.grid)
    total = geometry.sample(image * inside, grid.affine, target.grid)
    deep = (brain.distance(target.mask, target.grid.spacing) < -DEEP) & (share > 0.5)
    right = np.zeros_like(deep)
    right[round(float(np.argwhere(target.mask)[:, 0].mean())) :] = True
    found = []
    for half in (deep & ~right, deep & right):
        values, wanted = total[half] / share[half], target.image[half]
        varied = len(values) >= 50 and np.ptp(values) > 0
        found.append(float(np.corrcoef(values, wanted)[0, 1]) if varied else 0.0)
    return found[0], found[1]


def check(modality: str, image: np.ndarray, inside: np.ndarray, template: Template, grid: Grid, path: Path) -> None:
    """Raise BadScan if a scan stated as T1 appears T2-weighted, or vice versa, in both halves.

    Raises BadScan, too, if neither half resembles the template like a correctly oriented scan of this contrast. A
    modality of neither contrast, such as FLAIR, is not checked.
    """
    kind = MODALITIES[modality]
    if not kind.fluid:
        return
    found = correlations(image, inside, template, grid)
    nearest, other = (max(found), "T2") if kind.fluid > 0 else (min(found), "T1")
    similarity = kind.fluid * nearest
    if similarity < 0:
        text = f"is given as {modality.upper()} but looks {other}-weighted (correlation {nearest:.2f}); {REMEDY}"
        raise BadScan(path, text)
    if any(found) and similarity < UPRIGHT[kind.fluid]:
        raise BadScan(path, TURNED.format(similarity, UPRIGHT[kind.fluid]))
