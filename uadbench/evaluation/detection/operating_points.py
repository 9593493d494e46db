"""Operating points without labels: thresholds that a known fraction of healthy brain voxels reaches."""

from dataclasses import dataclass

import numpy as np

from uadbench.evaluation.voxels.bins import decode
from uadbench.evaluation.voxels.histogram import ScoreHistogram

RATES = (0.05, 0.02, 0.01, 0.005, 0.001, 0.0001)  # fractions of healthy brain voxels at or above a threshold
QUANTILE = 0.99  # of a brain's scores, see `summary`


@dataclass(frozen=True)
class Calibration:
    """Thresholds and subject scores of healthy subjects held out from training.

    thresholds (rates,) float32 rise as `rates` fall; summaries (subjects,) float32 are the subject scores.
    """

    rates: np.ndarray
    thresholds: np.ndarray
    subjects: tuple[str, ...]
    summaries: np.ndarray


class Calibrator:
    """Collects healthy subjects one by one in constant memory."""

    def __init__(self) -> None:
        self.histogram = ScoreHistogram("final")
        self.subjects: list[str] = []
        self.summaries: list[float] = []

    def add(self, subject: str, score: np.ndarray, brain: np.ndarray) -> None:
        """Count a healthy subject: score map (D, H, W) float32, 0 outside the brain (D, H, W) bool."""
        inside = score[brain]
        self.histogram.add(subject, inside, np.zeros(inside.size, bool))
        self.subjects.append(subject)
        self.summaries.append(summary(inside))

    def finish(self) -> Calibration:
        """The calibration by all subjects so far; ValueError if no voxel was counted."""
        rates = np.array(RATES)
        thresholds = thresholds_at(self.histogram, rates)
        return Calibration(rates, thresholds, tuple(self.subjects), np.array(self.summaries, np.float32))


def thresholds_at(healthy: ScoreHistogram, rates: np.ndarray) -> np.ndarray:
    """The lowest thresholds (rates,) float32 that at most these fractions of healthy voxels reach (score ≥ threshold).

    If more voxels than that have the maximum score, as in a saturated map, the threshold is the next number above it,
    so that no healthy voxel is classified as anomalous. Thresholds are above 0 for rates below 1. They are edges of the
    histogram's bins, so exact to a bin. Raises ValueError without a voxel.
    """
    edges, counts, _ = healthy.pooled()
    if not edges.size:
        raise ValueError("no healthy voxel was counted")
    reached = np.cumsum(counts[::-1])[::-1] / counts.sum()
    highest = decode(np.array([healthy.grid.highest]))[0]
    edges = np.append(_up(edges), np.nextafter(np.float32(highest), np.float32(np.inf)))
    reached = np.append(reached, 0.0)
    return edges[[int(np.argmax(reached <= rate)) for rate in rates]]


def summary(scores: np.ndarray) -> float:
    """Subject score: the 99th percentile of the scores of its brain voxels (n,); 0 without a voxel.

    The maximum of a million voxels depends on a single artefact or on saturation; the 99th percentile depends on about
    1 % of a brain, so that much smaller lesions hardly affect it.
    """
    return float(np.quantile(scores, QUANTILE)) if scores.size else 0.0


def slice_peaks(score: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Maximum score (slices,) float32 of each axial slice with brain; `score` is 0 outside the brain."""
    return score.max(axis=(1, 2))[brain.any(axis=(1, 2))].astype(np.float32)


def _up(values: np.ndarray) -> np.ndarray:
    """Float64 values rounded up to float32, so that the same float32 scores reach them."""
    rounded = values.astype(np.float32)
    return np.where(rounded < values, np.nextafter(rounded, np.float32(np.inf)), rounded)
