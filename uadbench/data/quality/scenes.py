"""Scenes of the quality page: three slices in the template's space that all pictures of a scene show at one scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uadbench.data.grid import Grid
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.registration.template import Template

#: mm per pixel
PIXEL = 1.0
#: mm kept around the template's brain, which show skull and scalp of a scan
MARGIN = 16.0
#: pixels between the slices
GAP = 4


@dataclass(frozen=True)
class Scene:
    """An axial, a coronal and a sagittal slice: grids of one voxel along one axis, PIXEL mm along the others."""

    name: str
    grids: tuple[Grid, Grid, Grid]

    def cut(self, data: np.ndarray, affine: np.ndarray, matrix: np.ndarray | None = None) -> list[np.ndarray]:
        """The slices of a volume, float32 (rows, columns), first row at the bottom; as `geometry.sample`."""
        return self._planes(data, affine, matrix, order=1)

    def cut_mask(self, mask: np.ndarray, grid: Grid) -> list[np.ndarray]:
        """The slices of a mask on `grid`, bool (rows, columns), first row at the bottom."""
        # The smoothing before a coarser sampling would erase lesions of one voxel.
        order = 1 if grid.spacing.min() >= PIXEL else 0
        return [plane > 0.5 for plane in self._planes(mask, grid.affine, None, order)]

    def _planes(self, data: np.ndarray, affine: np.ndarray, matrix: np.ndarray | None, order: int) -> list[np.ndarray]:
        axes = (2, 1, 0)
        return [
            geometry.sample(data, affine, grid, matrix, order).squeeze(axis).T
            for grid, axis in zip(self.grids, axes, strict=True)
        ]


def through(name: str, template: Template, point: np.ndarray) -> Scene:
    """The slices through a point (3,), mm, of the box around the template's brain."""
    low, high = template.box
    box = geometry.upright(low - MARGIN, high + MARGIN, PIXEL)
    axial, coronal, sagittal = (geometry.plane(box, axis, float(point[axis])) for axis in (2, 1, 0))
    return Scene(name, (axial, coronal, sagittal))


def beside(planes: Sequence[np.ndarray]) -> np.ndarray:
    """The slices side by side, centred, GAP pixels apart; (rows, columns, …), first row at the top."""
    height = max(len(plane) for plane in planes)
    width = sum(plane.shape[1] for plane in planes) + GAP * (len(planes) - 1)
    canvas = np.zeros((height, width, *planes[0].shape[2:]), planes[0].dtype)
    left = 0
    for plane in planes:
        top = (height - len(plane)) // 2
        canvas[top : top + len(plane), left : left + plane.shape[1]] = plane[::-1]
        left += plane.shape[1] + GAP
    return canvas
