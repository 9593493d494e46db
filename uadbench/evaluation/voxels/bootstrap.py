"""Bootstrap intervals over patients, each with all of their scans: sampling variability of a pooled metric."""

from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from uadbench.core.patients import numbers
from uadbench.evaluation.voxels.histogram import ScoreHistogram
from uadbench.evaluation.voxels.metrics import METRICS, best_dice

LEVEL = 0.95
BINS = 512  # score bins per resample: the shift by binning is corrected below, so more would only cost time
SHIFT = 0.05  # largest shift of a metric between coarse and fine bins that is corrected
FEW = 16  # fewer coarse bins represent the scores only if the fine ones are about as few
CROWDED_NOTE = (
    "most scores share a few bins, so that there is neither interval nor p-value; clip stray values, or take the "
    "logarithm or the rank of the scores"
)
BATCH = 64  # resamples at once, so that temporary arrays stay in the cache


def bootstrap_all(
    histogram: ScoreHistogram,
    metrics: Iterable[str] = tuple(METRICS),
    resamples: int = 1000,
    seed: int = 0,
    thresholds: np.ndarray | None = None,
) -> dict[str, tuple[float, float] | None]:
    """95 % percentile intervals of several metrics from the same resamples (Efron and Tibshirani 1993, chapter 13).

    A resample draws all patients with replacement and pools the voxels of their scans. Resamples with an undefined
    metric (no anomalous voxel) are left out. Resamples are counted on coarse bins; the interval is shifted by the
    difference of the metric of all subjects between fine and coarse bins. None with fewer than two patients, without an
    anomalous voxel, or where coarse bins cannot represent the scores (`crowded`). With `thresholds` (n,), ⌈Dice⌉ is the
    maximum over these in every resample.
    """
    names = list(metrics)
    patients = histogram.patients
    _, fine_negatives, fine_positives = histogram.pooled()
    if len(set(patients)) < 2 or not fine_positives.any() or not fine_negatives.any():
        return dict.fromkeys(names)
    negatives, positives = coarsen(*histogram.per_subject(), BINS)
    weights = resampling_weights(patients, resamples, seed)
    values = np.empty((len(names), resamples))
    for start in range(0, resamples, BATCH):
        batch = weights[start : start + BATCH]
        counts = batch @ negatives, batch @ positives
        for row, name in enumerate(names):
            values[row, start : start + BATCH] = METRICS[name](*counts)
    out: dict[str, tuple[float, float] | None] = {}
    for name, drawn in zip(names, values, strict=True):
        function = METRICS[name]
        shift = function(fine_negatives, fine_positives) - function(negatives.sum(0), positives.sum(0))
        if name == "dice" and thresholds is not None:
            drawn = _dice_over(histogram, thresholds, weights)
            shift = (
                best_dice(histogram, thresholds)[0] - _dice_over(histogram, thresholds, np.ones((1, len(patients))))[0]
            )
        if crowded(float(shift), negatives + positives, fine_negatives + fine_positives):
            out[name] = None
            continue
        low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        out[name] = (float(np.clip(low + shift, 0, 1)), float(np.clip(high + shift, 0, 1)))
    return out


def _dice_over(histogram: ScoreHistogram, thresholds: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """⌈Dice⌉ (resamples,) over fixed thresholds, of subjects with multiplicities `weights` (resamples, subjects)."""
    negatives, positives = (weights @ counts for counts in histogram.at_least(thresholds))
    wanted = weights @ histogram.per_subject()[1].sum(axis=1)
    dice = 2 * positives / np.maximum(negatives + positives + wanted[:, None], 1)
    return np.where(wanted > 0, dice.max(axis=1), np.nan)


def crowded(shift: float, coarse: np.ndarray, fine: np.ndarray) -> bool:
    """Whether most scores share so few coarse bins that resamples of these are uninformative.

    shift: a metric on fine bins minus that on coarse bins; coarse, fine: voxels (…, bins) in each.
    """
    kept, there = (np.count_nonzero(counts.reshape(-1, counts.shape[-1]).any(axis=0)) for counts in (coarse, fine))
    return bool(abs(shift) > SHIFT or (kept < FEW and there > 4 * kept))


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
