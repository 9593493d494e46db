"""Modality check of a registered scan: its stated weighting, T1 or T2, and the orientation in its header.

Fluid is dark on T1-weighted scans and bright on T2-weighted ones. A brain with a wrong orientation in its header is
registered nevertheless, but resembles the template little.

The criterion is the correlation with the T1-weighted template, in both halves of the brain, since a stroke may cover
most of one. Ranges measured on voxels of 1, 2 and 4 mm:

    scans                                                             larger half       smaller half
    real T1, 73 (healthy, depression, glioma, sclerosis, stroke)      0.35 …  0.70      0.34 …  0.68
    real T2, 10, placed through their T1                             -0.66 … -0.33     -0.70 … -0.36
    the same T2 stated as T1, brain and pose estimated without T1    -0.64 … -0.27     -0.70 … -0.33
    simulated T1, 72 of the default cohort, strokes to 159 ml         0.46 …  0.78      0.17 …  0.75
    simulated T2, 60 of it                                           -0.73 … -0.24     -0.76 … -0.49
    T1 with a header of another orientation, 13 (5 real)             up to 0.28
    real FLAIR, 2 (glioma, sclerosis), stated as T1                   0.45,    0.49     0.40,    0.43

Fluid is dark on FLAIR, too, but white matter is hardly brighter than grey matter: deep in the brain 1.03 and 1.08 times
on the two FLAIR, 1.18 to 1.55 times on the 73 T1.
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
#: white over grey matter below which a scan may be a FLAIR, and grey values of both on the template
FLAIR, GREY, WHITE = 1.1, (0.6, 0.72), (0.85, np.inf)
UNLIKE = (
    "resembles no upright whole brain (correlation {:.2f} with the template; a T1 has {:.2f} or more, a T2 -{:.2f} or "
    "less): it shows a part of a head or another body part, its orientation disagrees with the header, or it is "
    "damaged; look at it, convert it again from DICOM or correct its affine, else exclude the subject"
)
REMEDY = "name each file for what it is, or exclude the subject"


def correlations(image: np.ndarray, inside: np.ndarray, template: Template, grid: Grid) -> tuple[float, float]:
    """Correlation of a registered image (X, Y, Z) with the T1-weighted template deep in the left and the right half.

    Each -1…1; 0 for a half with fewer than 50 comparable voxels.
    """
    values, wanted, right = _deep(image, inside, template, grid)
    found = []
    for half in (~right, right):
        varied = np.count_nonzero(half) >= 50 and np.ptp(values[half]) > 0
        found.append(float(np.corrcoef(values[half], wanted[half])[0, 1]) if varied else 0.0)
    return found[0], found[1]


def white_to_grey(image: np.ndarray, inside: np.ndarray, template: Template, grid: Grid) -> float:
    """Median grey value of deep white matter over that of deep grey matter, by the template; NaN without either."""
    values, wanted, _ = _deep(image, inside, template, grid)
    white, grey = (values[(wanted > low) & (wanted < high)] for low, high in (WHITE, GREY))
    return float(np.median(white) / np.median(grey)) if white.size and grey.any() else float("nan")


def _deep(
    image: np.ndarray, inside: np.ndarray, template: Template, grid: Grid
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Grey values (n,) deep in the brain, those of the template there, and whether they lie in the right half."""
    target = template.at(SPACING)
    share = geometry.sample(inside, grid.affine, target.grid)
    total = geometry.sample(image * inside, grid.affine, target.grid)
    deep = (brain.distance(target.mask, target.grid.spacing) < -DEEP) & (share > 0.5)
    right = np.argwhere(deep)[:, 0] >= round(float(np.argwhere(target.mask)[:, 0].mean()))
    return total[deep] / share[deep], target.image[deep], right


def check(modality: str, image: np.ndarray, inside: np.ndarray, template: Template, grid: Grid, path: Path) -> str:
    """A note on a scan stated as T1 that may be a FLAIR; "" for others.

    Raises BadScan if a scan stated as T1 appears T2-weighted, or vice versa, in both halves; and if neither half
    resembles the template like an upright brain of this contrast. A modality of neither contrast, such as FLAIR, is not
    checked.
    """
    kind = MODALITIES[modality]
    if not kind.fluid:
        return ""
    found = correlations(image, inside, template, grid)
    nearest = max(found) if kind.fluid > 0 else min(found)
    ratio = white_to_grey(image, inside, template, grid)
    like_flair = f"white matter only {ratio:.2f} times as bright as grey matter"
    if any(found) and kind.fluid * nearest < UPRIGHT[kind.fluid]:
        inverted = max(found) <= -UPRIGHT[-1] if kind.fluid > 0 else min(found) > 0 and max(found) >= UPRIGHT[1]
        if not inverted:
            raise BadScan(path, UNLIKE.format(nearest, UPRIGHT[1], UPRIGHT[-1]))
        other = "T2-weighted" if kind.fluid > 0 else f"like a FLAIR, {like_flair}" if ratio < FLAIR else "T1-weighted"
        text = f"is given as {modality.upper()} but looks {other} (correlation {nearest:.2f}); {REMEDY}"
        raise BadScan(path, text)
    if modality == "t1" and ratio < FLAIR:
        return f"is given as T1 but may be a FLAIR: {like_flair}, a T1 has {FLAIR} or more: kept; look at it"
    return ""
