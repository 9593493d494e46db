"""Resamples of patients, each with all of their scans, and counts of scores in bins that are few enough for many."""

from collections.abc import Hashable, Sequence

import numpy as np

from uadbench.core.patients import numbers


def resampling_weights(patients: int | Sequence[Hashable], resamples: int, seed: int) -> np.ndarray:
    """Multiplicity of each scan in each resample of the patients: (resamples, scans) float64.

    patients: the patient of each scan, or the number of scans of as many patients. As many patients are drawn, with
    replacement, as there are, each with all of their scans (Davison and Hinkley 1997, section 3.8).
    """
    scans = numbers(range(patients) if isinstance(patients, int) else patients)
    drawn = max(scans, default=-1) + 1
    rng = np.random.default_rng(seed)
    return rng.multinomial(drawn, np.full(drawn, 1 / drawn), size=resamples).astype(np.float64)[:, scans]


def coarsen(negatives: np.ndarray, positives: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts (subjects, n) merged to at most `bins` runs of neighbouring bins, (subjects, ≤ bins) float64.

    Runs hold about equal fractions of the anomalous and the normal voxels, so that bins are fine where voxels are many.
    """
    share = sum(c.sum(axis=0) / max(c.sum(), 1) for c in (negatives, positives))
    run = np.minimum(np.cumsum(share) - share / 2, 2 * (1 - 1e-12)) / 2 * bins
    starts = np.flatnonzero(np.diff(run.astype(np.int64), prepend=-1))
    return tuple(np.add.reduceat(c, starts, axis=1).astype(np.float64) for c in (negatives, positives))  # type: ignore[return-value]
