"""Previews for visual checks: three slices through the brain of the raw scan and of the packed volume."""

from __future__ import annotations

import numpy as np

from uadbench.data.preprocessing import geometry
from uadbench.data.preprocessing.registration import Located
from uadbench.data.preprocessing.scan import Scan

#: mm, voxel size of the previews of a raw scan
SPACING = 2.0


def before(scan: Scan, place: Located) -> dict[str, np.ndarray]:
    """Slices of a raw scan, on a RAS grid of 2 mm through the middle of its brain.

    {`axial`, `coronal`, `sagittal`: grey values (rows, columns) uint8; `brain_…`: brain mask, bool}; the first row is
    at the bottom.
    """
    grid = geometry.upright(*geometry.extent(scan.data.shape, scan.affine), SPACING)
    image = geometry.sample(scan.data, scan.affine, grid)
    inside = geometry.sample(place.inside, place.scan.affine, grid) > 0.5
    top = max(float(np.quantile(image, 0.995)), 1e-9)
    grey = (np.clip(image / top, 0, 1) * 255).astype(np.uint8)
    centre = middle(inside)
    pictures = slices(grey, centre)
    outlines = slices(inside, centre)
    return {**pictures, **{f"brain_{name}": outline for name, outline in outlines.items()}}


def middle(mask: np.ndarray) -> tuple[int, int, int]:
    """The voxel (x, y, z) at the centroid of a mask, or in the middle of the volume if it is empty."""
    voxels = np.argwhere(mask)
    where = voxels.mean(axis=0) if len(voxels) else (np.array(mask.shape) - 1) / 2
    x, y, z = (round(float(value)) for value in where)
    return x, y, z


def largest(mask: np.ndarray) -> tuple[int, int, int]:
    """The voxel (x, y, z) whose slice in each direction has the largest area of a mask."""
    x, y, z = (int(mask.sum(axis=axes).argmax()) for axes in ((1, 2), (0, 2), (0, 1)))
    return x, y, z


def slices(volume: np.ndarray, voxel: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """The three slices of a volume (X, Y, Z) through a voxel, (rows, columns); the first row is at the bottom."""
    x, y, z = voxel
    return {"axial": volume[:, :, z].T, "coronal": volume[:, y, :].T, "sagittal": volume[x, :, :].T}
