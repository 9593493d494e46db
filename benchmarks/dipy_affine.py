"""Affine registration with dipy as UPD_study did it; run by benchmarks/registration.py with a Python that has dipy.

    python benchmarks/dipy_affine.py IN.npz OUT.npz

IN holds `static` and `moving` (I, J, K) with `static_affine` and `moving_affine` (4, 4); OUT gets `matrix` (4, 4) from
static to moving millimetres, `wall` and `cpu` (s, of the registration alone) and `versions`.
"""

from __future__ import annotations

import resource
import sys
import time

import dipy
import numpy as np
from dipy.align.imaffine import AffineRegistration, MutualInformationMetric, transform_centers_of_mass
from dipy.align.transforms import AffineTransform3D, RigidTransform3D, TranslationTransform3D

#: Lagogiannis et al. 2024, public code of UPD_study
SETTINGS = {"level_iters": [100, 10, 5], "sigmas": [3.0, 1.0, 1.0], "factors": [4, 2, 1]}
BINS = 32


def cpu() -> float:
    """Processor time (s) of this process, all of its threads, and its children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def register(
    static: np.ndarray, static_affine: np.ndarray, moving: np.ndarray, moving_affine: np.ndarray
) -> np.ndarray:
    """The matrix (4, 4) from static to moving millimetres: centre of mass, translation, rigid, affine."""
    # All voxels count: no sampling proportion.
    metric = MutualInformationMetric(nbins=BINS, sampling_proportion=None)
    registration = AffineRegistration(metric=metric, verbosity=0, **SETTINGS)
    start = transform_centers_of_mass(static, static_affine, moving, moving_affine).affine
    for transform in (TranslationTransform3D(), RigidTransform3D(), AffineTransform3D()):
        start = registration.optimize(
            static,
            moving,
            transform,
            None,
            static_grid2world=static_affine,
            moving_grid2world=moving_affine,
            starting_affine=start,
        ).affine
    return np.asarray(start)


def main() -> None:
    source, target = sys.argv[1:]
    with np.load(source) as data:
        images = {name: data[name] for name in ("static", "static_affine", "moving", "moving_affine")}
    wall, used = time.perf_counter(), cpu()
    matrix = register(**images)
    wall, used = time.perf_counter() - wall, cpu() - used
    versions = f"dipy {dipy.__version__}, numpy {np.__version__}, Python {sys.version.split()[0]}"
    np.savez(target, matrix=matrix, wall=wall, cpu=used, versions=versions)


if __name__ == "__main__":
    main()
