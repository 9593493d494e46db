"""Previews for visual checks: three slices through the brain of the raw scan and of the packed volume."""

import numpy as np

from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.reading.scan import Scan
from uadbench.data.preprocessing.registration.registration import Located

#: mm, voxel size of the previews of a raw scan
SPACING = 2.0
#: axis across each slice
PLANES = {"axial": 2, "coronal": 1, "sagittal": 0}


def before(scan: Scan, place: Located) -> dict[str, np.ndarray]:
    """Slices of a raw scan on a grid of 2 mm, through the middle of its brain.

    {`axial`, `coronal`, `sagittal`: grey values (rows, columns) uint8; `brain_…`: brain mask, bool}; the first row is
    at the bottom.
    """
    whole = geometry.upright(*geometry.extent(scan.data.shape, scan.affine), SPACING)
    centre = place.scan.affine @ (*middle(place.inside > 0.5), 1.0)
    grey, brain = {}, {}
    for name, axis in PLANES.items():
        grid = geometry.plane(whole, axis, float(centre[axis]))
        grey[name] = geometry.sample(scan.data, scan.affine, grid).squeeze(axis).T
        brain[f"brain_{name}"] = geometry.sample(place.inside, place.scan.affine, grid).squeeze(axis).T > 0.5
    top = max(float(np.quantile(np.concatenate([slice_.ravel() for slice_ in grey.values()]), 0.995)), 1e-9)
    return {**{name: (np.clip(slice_ / top, 0, 1) * 255).astype(np.uint8) for name, slice_ in grey.items()}, **brain}


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
