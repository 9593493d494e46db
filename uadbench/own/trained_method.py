"""A trained method in Python: it scores and restores scans and arrays."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from torch import Tensor

from uadbench.core import extras
from uadbench.core.errors import HarnessError
from uadbench.data.preprocessing.registration import template
from uadbench.data.preprocessing.registration.transform import Placement
from uadbench.data.preprocessing.settings import settings
from uadbench.methods.base import Method
from uadbench.methods.seeds import Streams
from uadbench.own.map_arrays import numbers
from uadbench.own.scan_scoring import Scorer

if TYPE_CHECKING:
    from nibabel import Nifti1Image

    Array = np.ndarray | Tensor
    StrPath = str | PathLike[str]


@dataclass(frozen=True, repr=False)
class TrainedMethod:
    """A trained method, as `uadbench.load` and `uadbench.train` return it.

    about: facts of the run: method, title, modality, seed, spacing (mm), preprocessing, dataset, and params, all
    hyper-parameters that it scores with. method: its networks. device: where they run.
    """

    method: Method
    about: dict[str, Any]
    device: torch.device

    def __repr__(self) -> str:
        about = self.about
        return f"<{about['title']} trained on {about['modality']}, seed {about['seed']}, on {self.device}>"

    @overload
    def score(self, scan: StrPath, t1: StrPath | None = None, map: str = ..., name: str = ...) -> Nifti1Image: ...
    @overload
    def score(self, scan: Array, t1: None = None, map: str = ..., name: str = ...) -> np.ndarray: ...
    @extras.named("score")
    def score(self, scan: Any, t1: Any = None, map: str = "final", name: str = "") -> Any:
        """Anomaly map of a scan, float32, at least 0, higher where more anomalous, 0 outside of the brain.

        scan: path of a NIfTI file, a whole head or an extracted brain, which is preprocessed as the command `score`
        does; the map is an image of nibabel on the voxels of the scan. Or an array (D, H, W) on the grid of packed
        arrays, in [0, 1], 0 outside of the brain and above 0 inside, rounded to float16 as these are; the map is an
        array (D, H, W). Slices run from inferior to superior, rows from posterior to anterior, columns from the
        subject's left to right.
        t1: path of a T1-weighted scan of the same session, by which a scan of another modality is registered.
        map: which of the method's maps. name: selects the random numbers of a method that draws some; by default that
        of the file, and "" for an array; `test` takes the subject's.
        Raises HarnessError for a scan that cannot be used, such as one of another modality, for an array of other axes
        or values, and for an unknown map.

        >>> method.score("scan.nii.gz").to_filename("map.nii.gz")
        """
        scorer, tensor, rng, place = self._input(scan, t1, map, name)
        found = scorer.map(tensor, rng)
        return found if place is None else place.to_native(found)

    @extras.named("restore")
    def restore(self, scan: Any, t1: Any = None, name: str = "") -> Any:
        """Pseudo-healthy restoration of a scan: grey values after preprocessing, 0 outside of the brain.

        Arguments and errors as of `score`; and HarnessError for a method that restores nothing.
        """
        scorer, tensor, rng, place = self._input(scan, t1, "final", name)
        found = scorer.restoration(tensor, rng)
        if found is None:
            raise HarnessError(f"{self.about['method']}: makes no restoration; use score")
        return found if place is None else place.to_native(found)

    def _input(
        self, scan: Any, t1: StrPath | None, map: str, name: str
    ) -> tuple[Scorer, Tensor, Streams, Placement | None]:
        scorer = Scorer(self.method, self.about, self.device, map)
        if isinstance(scan, (str, PathLike)):
            return scorer, *scorer.prepared(Path(scan), None if t1 is None else Path(t1), name)
        if t1 is not None:
            raise HarnessError("t1: an array is not registered; give the path of the scan, or leave t1 out")
        return scorer, *scorer.input(self._packed(scan), name), None

    def _packed(self, scan: Array) -> np.ndarray:
        """An array as packed. Raises HarnessError for other values, and for the packed grid with axes reversed."""
        volume = numbers("scan", scan, slices=False)
        if not np.isfinite(volume).all() or volume.min() < 0 or volume.max() > 1:
            raise HarnessError(
                f"scan: values from {volume.min():g} to {volume.max():g}, not in [0, 1] and 0 outside of the brain; "
                "give the path of the scan, which is then preprocessed, or scale it as the packed arrays are"
            )
        if not volume.any():
            raise HarnessError("scan: every voxel is 0, which is no brain; give another array")
        try:
            grid = template.load(self.about["preprocessing"].get("template", "mni152"))
            shape = grid.packed(settings(self.about["preprocessing"])).shape
        except HarnessError:  # a template that is not here
            return volume
        if volume.shape == shape != shape[::-1]:
            raise HarnessError(
                f"scan: shape {volume.shape} is (W, H, D) of the packed grid; give scan.transpose(2, 1, 0)"
            )
        return volume
