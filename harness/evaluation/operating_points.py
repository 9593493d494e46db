"""Thresholds that need no label: the scores that a known share of a healthy brain's voxels reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.evaluation.bins import decode
from harness.evaluation.histogram import ScoreHistogram

RATES = (0.05, 0.02, 0.01, 0.005, 0.001, 0.0001)  # shares of healthy brain voxels at or above a threshold
QUANTILE = 0.99  # of a brain's scores, see `summary`


@dataclass(frozen=True)
class Calibration:
    """Thresholds and subject scores of healthy subjects that were unseen in training.

    thresholds (rates,) float32 rise as `rates` fall; summaries (subjects,) float32 are each subject's `summary`.
    """

    rates: np.ndarray
    thresholds: np.ndarray
    subjects: tuple[str, ...]
    summaries: np.ndarray


class Calibrator:
    """Collects healthy subjects one by one in constant memory."""

    def __init__(self, rates: tuple[float, ...] = RATES) -> None:
        self.rates = np.array(rates)
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
        return Calibration(
            rates=self.rates,
            thresholds=thresholds_at(self.histogram, self.rates),
            subjects=tuple(self.subjects),
            summaries=np.array(self.summaries, np.float32),
        )


def thresholds_at(healthy: ScoreHistogram, rates: np.ndarray) -> np.ndarray:
    """The lowest thresholds (rates,) float32 that at most these shares of the healthy voxels reach (score ≥ threshold).

    Where more voxels than that share the highest score, as where a map saturates, the threshold is the next number
    above it: then nothing like the healthy is called anomalous. Thresholds are above 0 for rates below 1. They are
    those of the histogram's bins, so exact to a bin. Raises ValueError without a voxel.
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
    """A subject's score, from those of its brain voxels (n,): their 99th percentile; 0 without a voxel.

    The highest of a million voxels is an extreme that one artefact or a saturated map decides; the 99th percentile
    asks for about 1 % of a brain. So lesions much smaller than that hardly move it.
    """
    return float(np.quantile(scores, QUANTILE)) if scores.size else 0.0


def slice_peaks(score: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """The highest score (slices,) float32 of each axial slice with brain; `score` is 0 outside it."""
    return score.max(axis=(1, 2))[brain.any(axis=(1, 2))].astype(np.float32)


def _up(values: np.ndarray) -> np.ndarray:
    """The smallest float32 that are not below float64 values, so that the same float32 scores reach them."""
    rounded = values.astype(np.float32)
    return np.where(rounded < values, np.nextafter(rounded, np.float32(np.inf)), rounded)
