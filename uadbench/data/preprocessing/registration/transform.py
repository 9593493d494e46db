"""Resampling of a scan to the packed template grid, and of maps back to native space."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from uadbench.core.errors import HarnessError
from uadbench.data.grid import Grid
from uadbench.data.preprocessing.brain import normalisation
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.reading.scan import BRAIN, BadScan, read_labels, read_scan
from uadbench.data.preprocessing.reading.volume import load, unforeseen
from uadbench.data.preprocessing.registration import modality_check
from uadbench.data.preprocessing.registration import template as templates
from uadbench.data.preprocessing.registration.registration import Located, follow, locate
from uadbench.data.preprocessing.registration.template import Template
from uadbench.data.preprocessing.settings import Preprocessing

#: fraction of the maximum grey value above which an interpolated voxel is brain, with `edges: plain`
RIM = 1e-4
#: fraction of brain voxels below 0 above which grey values are shifted: less after interpolation, half for z-scores
BELOW = 0.02


@dataclass(frozen=True)
class Placement:
    """Position of a scan relative to the template's grid.

    `native` is its own grid, `grid` that of the template, `matrix` (4, 4) maps template to scan millimetres, `brain`
    (I, J, K) bool is its brain on its own grid.
    """

    native: Grid
    grid: Grid
    matrix: np.ndarray
    path: Path | None = None  # of the scan, whose header maps inherit
    brain: np.ndarray | None = None

    def to_native(self, volume: np.ndarray) -> Any:
        """A packed map (D, H, W), interpolated linearly to the grid of the scan, as an image of nibabel."""
        data = geometry.sample(
            np.asarray(volume, np.float32).transpose(2, 1, 0), self.grid.affine, self.native, np.linalg.inv(self.matrix)
        )
        return self.on_native(data.astype(np.float32))

    def on_native(self, data: np.ndarray) -> Any:
        """Values on the grid of the scan as an image of nibabel.

        It has the header of a NIfTI scan, so that programs display it aligned with the scan, whether they use sform or
        qform.
        """
        source = load(self.path) if self.path else None
        header = source.header.copy() if isinstance(source, nibabel.Nifti1Pair) else None
        image = nibabel.Nifti1Image(data, self.native.affine, header)
        image.header.set_data_dtype(data.dtype)
        image.header["cal_min"] = image.header["cal_max"] = 0  # the range of the scan's grey values
        return image


def resample(place: Located, template: Template, chosen: Preprocessing) -> tuple[np.ndarray, np.ndarray]:
    """Scaled grey values (float32) and brain (bool), each (X, Y, Z) on the template's grid.

    Edges `shared`: a voxel is brain if at least half of it is, and has the mean grey value of that part, so that
    neither skull nor background leaks in. `plain`: grey values are interpolated with the zeros around the brain, and
    all voxels above RIM times the maximum are brain; partial volume makes a dark rim. `twice`: as UPD_study, the same
    by way of the template's voxels (`geometry.sample_twice`), and all above 0 is brain, however dark. Values below 0,
    as of a z-scored brain, are lifted (`lift`). Raises BadScan if no brain is left.
    """
    grid, between = template.packed(chosen), template.between(chosen)
    scan, floor = place.scan, normalisation.FLOOR
    data = scan.data - lift(place)[1]
    if between is not None:
        image = geometry.sample_twice(data * (place.inside >= 0.5), scan.affine, grid, place.matrix, between)
        inside, floor = image > 0, normalisation.LEAST
    else:
        share = geometry.sample(place.inside, scan.affine, grid, place.matrix)
        total = geometry.sample(data * place.inside, scan.affine, grid, place.matrix)
        if chosen.edges == "plain":
            image, inside = total, total > RIM * total.max(initial=0)
        else:
            inside = share >= 0.5
            image = np.divide(total, share, out=np.zeros_like(total), where=inside)
    try:
        return normalisation.scale(image, inside, chosen.normalisation, template.voxels(grid), floor), inside
    except ValueError as error:
        raise BadScan(scan.path, str(error)) from error


def lift(place: Located) -> tuple[float, float]:
    """The fraction of a brain's voxels below 0, and the grey value that counts as 0.

    The latter is 0 itself, or, if the fraction exceeds BELOW, the 0.1th percentile of the brain.
    """
    values = place.scan.data[place.inside >= 0.5]
    below = float(np.mean(values < 0)) if values.size else 0.0
    return below, float(np.quantile(values, 0.001)) if below > BELOW else 0.0


def prepare_scan(
    path: Path, chosen: Preprocessing, modality: str, t1: Path | None = None, brain: Path | None = None
) -> tuple[np.ndarray, Placement]:
    """A single scan preprocessed as for packing, (D, H, W) float32 in [0, 1], and its placement.

    A scan of another modality is registered through its T1-weighted one if `t1` is given, else directly to the
    template. brain: brain mask, if known, on the voxels of the scan that is registered to the template. Raises
    HarnessError for an unusable file.
    """
    template = templates.load(chosen.template)
    try:
        scan = read_scan(Path(path))
        first = scan if t1 is None or modality == "t1" else read_scan(Path(t1))
        given = None if brain is None else read_labels(Path(brain), first, BRAIN).data > 0
        place = locate(first, template, chosen, modality if first is scan else "t1", given)
        if first is not scan:
            place = follow(scan, place, chosen.spacing)
        image, inside = resample(place, template, chosen)
        if doubt := modality_check.check(modality, image, inside, template, template.packed(chosen), scan.path):
            print(f"warning: {scan.path}: {doubt}", file=sys.stderr)
    except BadScan as error:
        raise HarnessError(f"{error.file}: {error.reason}") from error
    except (ArithmeticError, LookupError, RuntimeError, ValueError) as error:
        raise HarnessError(f"{path}: {unforeseen(error)}") from error
    native = scan.grid
    found = Placement(native, template.packed(chosen), place.matrix, Path(path), place.brain(native))
    return image.transpose(2, 1, 0), found
