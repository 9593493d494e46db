"""Reproducible rigid and affine registration with ANTs: one thread, one seed, matrices in RAS millimetres."""

import os
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from uadbench.data.grid import Grid

# ITK sums its metric in the order in which threads finish: only a single thread is reproducible.
# It reads the variable when it is loaded, so this must precede the first import of ants.
os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
# Seed of the voxel sampling, which every version of antspyx reads from here.
os.environ["ANTS_RANDOM_SEED"] = "20240527"


@dataclass(frozen=True)
class Volume:
    """Grey values (X, Y, Z) on a grid whose axes are right, anterior and superior."""

    data: np.ndarray
    grid: Grid


def align(fixed: Volume, moving: Volume, start: np.ndarray, kind: str, mask: np.ndarray) -> np.ndarray:
    """The matrix (4, 4) from millimetres of `fixed` to millimetres of `moving` that maximises mutual information.

    `start` is the initial matrix; `kind` of transform is `Affine` or `Rigid`; `mask` (X, Y, Z) bool on the grid of
    `fixed` restricts the comparison.
    """
    import ants

    with tempfile.TemporaryDirectory(prefix="register-") as folder:
        first = f"{folder}/start.mat"
        ants.write_transform(_transform(start), first)
        found = ants.registration(
            _image(fixed),
            _image(moving),
            type_of_transform=kind,
            initial_transform=[first],
            outprefix=f"{folder}/",
            mask=_image(Volume(mask.astype(np.float32), fixed.grid)),
            mask_all_stages=True,
            # Of each resolution: iterations, factor, and standard deviation of the smoothing in voxels.
            aff_iterations=(30, 10),
            aff_shrink_factors=(2, 1),
            aff_smoothing_sigmas=(1, 0),
            aff_random_sampling_rate=0.25,
            singleprecision=False,
        )
        # ANTs composes the initial transform into its result.
        return _matrix(ants.read_transform(found["fwdtransforms"][0], precision="double"))


def similarity(fixed: np.ndarray, moving: np.ndarray, where: np.ndarray, bins: int = 32) -> float:
    """Normalised mutual information (H(a) + H(b)) / H(a, b) of two images within `where` (Studholme 1999): 1…2."""
    counts = np.histogram2d(_levels(fixed[where]), _levels(moving[where]), bins=bins)[0]
    joint = counts / max(counts.sum(), 1)
    whole = _entropy(joint)
    return (_entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))) / whole if whole > 0 else 1.0


def _levels(values: np.ndarray) -> np.ndarray:
    low, high = np.quantile(values, (0.005, 0.995)) if values.size else (0.0, 1.0)
    return np.clip((values - low) / max(high - low, 1e-9), 0, 1)


def _entropy(p: np.ndarray) -> float:
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def _image(volume: Volume) -> Any:
    import ants

    # ANTs assumes LPS; using RAS for all images and matrices is consistent.
    affine = volume.grid.affine
    return ants.from_numpy(
        np.ascontiguousarray(volume.data, dtype=np.float32),
        origin=[float(v) for v in affine[:3, 3]],
        spacing=[float(v) for v in volume.grid.spacing],
    )


def _transform(matrix: np.ndarray) -> Any:
    import ants

    return ants.create_ants_transform(
        transform_type="AffineTransform",
        precision="double",
        dimension=3,
        matrix=matrix[:3, :3],
        translation=matrix[:3, 3],
        center=(0.0, 0.0, 0.0),
    )


def _matrix(transform: Any) -> np.ndarray:
    values, centre = np.array(transform.parameters, dtype=float), np.array(transform.fixed_parameters, dtype=float)
    matrix = np.eye(4)
    matrix[:3, :3] = values[:9].reshape(3, 3)
    matrix[:3, 3] = values[9:12] + centre - matrix[:3, :3] @ centre
    return matrix
