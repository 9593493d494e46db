"""One scan on the template's grid, as it is packed, and the way back into its own space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.grid import Grid
from harness.data.preprocessing import geometry, modality_check, normalisation
from harness.data.preprocessing import template as templates
from harness.data.preprocessing.registration import Located, follow, locate
from harness.data.preprocessing.scan import BadScan, read_scan
from harness.data.preprocessing.settings import Preprocessing
from harness.data.preprocessing.template import Template
from harness.errors import HarnessError

#: share of the largest grey value above which an interpolated voxel is brain, with `edges: plain`; UPD_study
RIM = 1e-4
#: share of a brain below 0 from which on its grey values are shifted: interpolation leaves less, z-scores half
BELOW = 0.02


@dataclass(frozen=True)
class Placement:
    """Where a scan lies on the template's grid.

    `native` are its own voxels, `grid` those of the template, `matrix` (4, 4) leads from template to scan millimetres.
    """

    native: Grid
    grid: Grid
    matrix: np.ndarray
    path: Path | None = None  # of the scan, whose header a map takes over

    def to_native(self, volume: np.ndarray) -> Any:
        """A map (D, H, W) as packed, interpolated linearly on the voxels of the scan: an image of nibabel."""
        data = geometry.sample(
            np.asarray(volume, np.float32).transpose(2, 1, 0), self.grid.affine, self.native, np.linalg.inv(self.matrix)
        )
        return self.on_native(data.astype(np.float32))

    def on_native(self, data: np.ndarray) -> Any:
        """Values on the voxels of the scan, in their order, as an image of nibabel.

        It has the header of a NIfTI scan, so that every program shows it where it shows the scan, whichever of sform
        and qform that is.
        """
        import nibabel

        source: Any = nibabel.load(self.path) if self.path else None
        header = source.header.copy() if isinstance(source, nibabel.Nifti1Pair) else None
        image = nibabel.Nifti1Image(data, self.native.affine, header)
        image.header.set_data_dtype(data.dtype)
        image.header["cal_min"] = image.header["cal_max"] = 0  # the range of the scan's grey values
        return image


def resample(place: Located, template: Template, chosen: Preprocessing) -> tuple[np.ndarray, np.ndarray]:
    """Scaled grey values (float32) and brain (bool), each (X, Y, Z) on the template's grid.

    Edges `shared`: a voxel is brain where at least half of it is, and has the mean grey value of that part, so that
    neither skull nor background leaks in. `plain`: grey values are interpolated with the zeros around the brain, and
    brain is all above RIM of the largest, as in UPD_study; partial volume makes a dark rim. Values below 0, as of a
    z-scored brain, are lifted (`lift`). Raises BadScan if no brain is left.
    """
    grid = template.packed(chosen)
    scan = place.scan
    share = geometry.sample(place.inside, scan.affine, grid, place.matrix)
    total = geometry.sample((scan.data - lift(place)[1]) * place.inside, scan.affine, grid, place.matrix)
    if chosen.edges == "plain":
        image, inside = total, total > RIM * total.max(initial=0)
    else:
        inside = share >= 0.5
        image = np.divide(total, share, out=np.zeros_like(total), where=inside)
    try:
        return normalisation.scale(image, inside, chosen.normalisation, template.voxels(grid)), inside
    except ValueError as error:
        raise BadScan(scan.path, str(error)) from error


def lift(place: Located) -> tuple[float, float]:
    """The share of a brain's voxels below 0, and the grey value that counts as 0.

    That is 0 itself, or, if the share exceeds BELOW, the value that one brain voxel in a thousand does not reach.
    """
    values = place.scan.data[place.inside >= 0.5]
    below = float(np.mean(values < 0)) if values.size else 0.0
    return below, float(np.quantile(values, 0.001)) if below > BELOW else 0.0


def prepare_scan(
    path: Path, chosen: Preprocessing, modality: str, t1: Path | None = None
) -> tuple[np.ndarray, Placement]:
    """A single scan as it would be packed, (D, H, W) float32 in [0, 1], and its placement.

    A scan of another modality is placed through its T1-weighted one where `t1` is given, else straight on the template.
    Raises HarnessError for a file that cannot be used.
    """
    template = templates.load(chosen.template)
    try:
        scan = read_scan(Path(path))
        if modality != "t1" and t1 is not None:
            place = follow(scan, locate(read_scan(Path(t1)), template, chosen), chosen.spacing)
        else:
            place = locate(scan, template, chosen, modality)
        image, inside = resample(place, template, chosen)
        modality_check.check(modality, image, inside, template, template.packed(chosen), scan.path)
    except BadScan as error:
        raise HarnessError(f"{error.file}: {error.reason}") from error
    native = scan.grid
    return image.transpose(2, 1, 0), Placement(native, template.packed(chosen), place.matrix, Path(path))
