"""Scan grids of any orientation and voxel size, and reproducible NIfTI files."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
from nibabel.orientations import axcodes2ornt

from uadbench.core.files import atomic
from uadbench.data.grid import Grid
from uadbench.simulation.fields import Array


def oriented(
    codes: str, extent: tuple[float, float, float], zooms: tuple[float, float, float], centre: npt.ArrayLike
) -> Grid:
    """A grid with axes in the directions `codes` ("LAS", "PSR", …).

    `extent` and `zooms` (mm) are given along right, anterior, superior; `centre` is the middle of the field of view.
    """
    orientation = axcodes2ornt(tuple(codes))
    shape, affine = [0, 0, 0], np.diag([0.0, 0, 0, 1])
    for axis, (world, sign) in enumerate(orientation.astype(int)):
        shape[axis] = max(round(extent[world] / zooms[world]), 8)
        affine[world, axis] = sign * zooms[world]
    affine[:3, 3] = np.asarray(centre) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(tuple(shape), affine)


def boxed(origin: npt.ArrayLike, signs: tuple[int, int, int], shape: tuple[int, int, int], spacing: float) -> Grid:
    """The grid of a template of 1 mm (`origin` of its first voxel, axis `signs`) with voxels of `spacing` mm instead.

    The field of view is kept, up to rounding; at 1 mm the grid is the template's own.
    """
    size = tuple(max(round(n / spacing), 8) for n in shape)
    affine = np.diag([*(s * spacing for s in signs), 1.0])
    affine[:3, 3] = np.asarray(origin) + np.array(signs) * (spacing - 1) / 2
    return Grid(size, affine)


def quantise(image: Array, white: float, level: float) -> npt.NDArray[np.int16]:
    """Grey values quantised as by a scanner: 12 bits, white matter (`white`) at about `level`."""
    return np.clip(np.rint(image * (level / white)), 0, 4095).astype(np.int16)


def write(path: Path, voxels: npt.NDArray[np.generic], grid: Grid, form: int) -> None:
    """Write a gzipped NIfTI-1 file without a date; both affine codes are `form` (1 scanner, 2 aligned, 4 MNI152)."""
    image = nibabel.Nifti1Image(voxels, grid.affine)
    image.header.set_xyzt_units("mm", "sec")
    image.set_sform(grid.affine, form)
    image.set_qform(grid.affine, form)
    with atomic(path) as partial:
        partial.write_bytes(gzip.compress(image.to_bytes(), compresslevel=4, mtime=0))
