"""Template: the skull-stripped brain that every scan is registered to, and the common grid of all data sets."""

import functools
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from scipy import ndimage

from uadbench.core.errors import HarnessError
from uadbench.core.faults import line
from uadbench.data import mni152
from uadbench.data.grid import Grid
from uadbench.data.preprocessing.reading import geometry, volume
from uadbench.data.preprocessing.settings import Preprocessing

#: mm kept around the brain of the template, at least one voxel
MARGIN = 4.0


@dataclass(frozen=True)
class Sampled:
    """A template on a grid around its brain: `image` (X, Y, Z) float32, brain fraction `share`, `mask` bool."""

    grid: Grid
    image: np.ndarray
    share: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True, eq=False)
class Template:
    """A skull-stripped T1-weighted brain: `image` (X, Y, Z) float32 ≥ 0, `mask` (X, Y, Z) bool, voxel to mm in RAS."""

    name: str
    image: np.ndarray
    mask: np.ndarray
    affine: np.ndarray

    @functools.cached_property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest coordinate (mm) of the brain's voxel centres, each (3,)."""
        voxels = np.argwhere(self.mask)
        low, high = (self.affine @ np.append(corner, 1.0) for corner in (voxels.min(axis=0), voxels.max(axis=0)))
        return low[:3], high[:3]

    @property
    def own(self) -> Grid:
        """The grid of its voxels."""
        return Grid(self.image.shape, self.affine)

    def between(self, chosen: Preprocessing) -> Grid | None:
        """The grid by way of which scans and labels come to the packed grid; None for the direct way."""
        return self.own if chosen.edges == "twice" else None

    def grid(self, spacing: float) -> Grid:
        """The box around the template's brain in voxels of `spacing` mm: the usual grid of packed arrays."""
        low, high = self.box
        margin = max(MARGIN, spacing)
        return geometry.upright(low - margin, high + margin, spacing)

    def at(self, spacing: float) -> Sampled:
        """The template on `grid(spacing)`; cached, since every scan uses the same few."""
        return _sampled(self, spacing)

    def packed(self, chosen: Preprocessing) -> Grid:
        """The grid of the packed arrays: the box around the brain, or all slices of the field's centre square."""
        if not chosen.side:
            return self.grid(chosen.spacing)
        low, high = geometry.extent(self.own.shape, self.own.affine)
        length = high - low + self.own.spacing
        width = float(min(length[:2])) / chosen.side
        slices = max(round(float(length[2]) / chosen.spacing), 1)
        affine = np.diag([width, width, chosen.spacing, 1.0])
        shape = (chosen.side, chosen.side, slices)
        affine[:3, 3] = (low + high) / 2 - (np.array(shape) - 1) / 2 * affine.diagonal()[:3]
        return Grid(shape, affine)

    def voxels(self, grid: Grid) -> int:
        """Number of voxels of `grid`'s size in the whole template, background included."""
        volume = abs(np.linalg.det(self.affine[:3, :3])) * self.image.size
        return round(volume / abs(np.linalg.det(grid.affine[:3, :3])))


@functools.lru_cache(maxsize=8)
def _sampled(template: Template, spacing: float) -> Sampled:
    grid = template.grid(spacing)
    image = geometry.sample(template.image, template.affine, grid)
    share = geometry.sample(template.mask, template.affine, grid)
    return Sampled(grid, image, share, share > 0.5)


@functools.lru_cache(maxsize=2)
def load(name: str) -> Template:
    """The template `mni152` (ICBM 152 nonlinear symmetric 2009a, in the package) or a NIfTI file by its path.

    Raises HarnessError if the file cannot be read or still has its skull (fewer than 1 in 3 voxels are background).
    """
    if name == "mni152":
        return Template(name, *mni152.t1_and_brain())
    return _from_file(Path(name))


def _from_file(path: Path) -> Template:
    if not path.is_file():
        raise HarnessError(f"preprocessing.template: {path} is no file; give `mni152` or a skull-stripped T1 template")
    try:
        image = nibabel.as_closest_canonical(volume.load(path))
        data = np.squeeze(np.asarray(image.dataobj, dtype=np.float32))
    except Exception as error:
        what = line(error, path) or f"{path} cannot be read ({error}); give a NIfTI file"
        raise HarnessError(f"preprocessing.template: {what}") from error
    data = np.maximum(data, 0)
    if data.ndim != 3 or (data == 0).mean() < 1 / 3:
        raise HarnessError(f"preprocessing.template: {path} is not one skull-stripped volume; zero what is not brain")
    return Template(str(path), data, ndimage.binary_fill_holes(data > 0), image.affine)
