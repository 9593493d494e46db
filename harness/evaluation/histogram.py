"""Streaming histograms of anomaly scores: anomalous and normal voxels counted by the float bits of their score.

One pass over the maps, constant memory, and enough detail for every metric that depends on the ranking alone. The bins
depend only on the smallest and the largest score seen, never on the order, so two merged histograms are identical to
the histogram of all voxels together. With scores over 64 octaves (19 decades) a bin spans 2^-14 of a score, which
keeps AP within 1e-4; scores that crowd closer together than that, beside others many octaves away, share bins, and
`metrics.average_precision_bounds` tells by how much AP can be off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.evaluation.codes import decode
from harness.evaluation.grid import FINE_BITS, NOTHING, Grid
from harness.evaluation.scores import scores_of

if TYPE_CHECKING:
    from torch import Tensor

FEW = 8  # fewer voxels than an eighth of the bins are counted one by one instead of over all bins


class ScoreHistogram:
    """Counts of normal (row 0) and anomalous (row 1) voxels by score, pooled and per subject.

    `name` appears in error messages. At most 16 MiB for the pool and 16 KiB per subject, however many voxels are added.
    """

    def __init__(self, name: str = "score map") -> None:
        self.name = name
        self.grid = Grid(*NOTHING)
        self.pool = np.zeros((2, self.grid.size), np.int64)
        self.by_subject: dict[str, np.ndarray] = {}  # (2, rows) uint32

    @property
    def subjects(self) -> list[str]:
        """Names of the subjects, sorted."""
        return sorted(self.by_subject)

    @property
    def voxels(self) -> int:
        """Number of voxels counted."""
        return int(self.pool.sum())

    @property
    def positives(self) -> int:
        """Number of anomalous voxels counted."""
        return int(self.pool[1].sum())

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest score counted; NaN if there is none."""
        thresholds, _, _ = self.pooled()
        if not thresholds.size:
            return float("nan"), float("nan")
        low, high = decode(np.array([self.grid.lowest, self.grid.highest]) if self.grid.rows > 1 else np.zeros(2))
        return (float(low) if thresholds[0] > 0 else 0.0), float(high)

    def add(self, subject: str, scores: np.ndarray | Tensor, labels: np.ndarray | Tensor) -> None:
        """Count voxels of a subject: `scores` (n,) float32, finite and ≥ 0, and `labels` (n,) bool (anomalous).

        Tensors are counted on their device. May be called again for the same subject. Raises HarnessError if a score is
        negative or not finite.
        """
        given = scores_of(f"{self.name} of {subject}", scores, labels)
        self._cover(given.lowest, given.highest)
        # All voxels are counted as normal first; the anomalous ones, few of them, then change rows.
        if len(given) < self.grid.size // FEW:
            normal = self._scatter(0, given.bins(self.grid))
        else:
            counts = given.counts(self.grid)
            self.pool[0] += counts
            normal = counts.reshape(self.grid.rows, -1).sum(axis=1)
        bins = given.anomalous_bins(self.grid)
        anomalous = self._scatter(1, bins)
        np.subtract.at(self.pool[0], bins, 1)
        self._count_rows(subject, np.stack([normal - anomalous, anomalous]).astype(np.uint32))

    def merge(self, other: ScoreHistogram) -> None:
        """Add the counts of another histogram to this one; subjects of the same name are taken together."""
        self._cover(other.grid.lowest, other.grid.highest)
        self.pool += self.grid.recount(other.pool, other.grid)
        for subject, counts in other.by_subject.items():
            self._count_rows(subject, self.grid.recount(counts, other.grid))

    def pooled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Thresholds (bins,) float64 ascending, and normal and anomalous voxels (bins,) int64 of all subjects.

        Only bins that hold a voxel. The voxels of a bin and those above it are exactly those with score ≥ threshold.
        """
        occupied = np.flatnonzero(self.pool.any(axis=0))
        return decode(self.grid.lower_codes(occupied)), self.pool[0, occupied], self.pool[1, occupied]

    def per_subject(self) -> tuple[np.ndarray, np.ndarray]:
        """Normal and anomalous voxels (subjects, coarse bins) int64 in the order of `subjects`, scores ascending."""
        if not self.by_subject:
            return np.zeros((0, 0), np.int64), np.zeros((0, 0), np.int64)
        counts = np.stack([self.by_subject[subject] for subject in self.subjects], axis=1).astype(np.int64)
        counts = counts[:, :, counts.any(axis=(0, 1))]
        return counts[0], counts[1]

    def at_least(self, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normal and anomalous voxels (subjects, n) int64 with scores of at least each of `thresholds` (n,).

        Subjects in the order of `subjects`. A threshold inside a coarse bin is rounded up to the next one.
        """
        rows = np.stack([self.by_subject[subject] for subject in self.subjects], axis=1).astype(np.int64)
        counts = np.cumsum(rows[..., ::-1], axis=-1)[..., ::-1]
        edges = decode(self.grid.lower_codes(np.arange(self.grid.rows) << FINE_BITS))
        places = np.searchsorted(edges, thresholds, side="left")
        chosen = np.pad(counts, ((0, 0), (0, 0), (0, 1)))[..., places]
        return chosen[0], chosen[1]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ScoreHistogram):
            return NotImplemented
        return (
            (self.grid.lowest, self.grid.highest) == (other.grid.lowest, other.grid.highest)
            and self.subjects == other.subjects
            and np.array_equal(self.pool, other.pool)
            and all(np.array_equal(self.by_subject[s], other.by_subject[s]) for s in self.by_subject)
        )

    __hash__ = None  # type: ignore[assignment]

    def _cover(self, lowest: int, highest: int) -> None:
        """Widen the bins so that codes from `lowest` to `highest` have a place."""
        lowest, highest = min(lowest, self.grid.lowest), max(highest, self.grid.highest)
        if (lowest, highest) == (self.grid.lowest, self.grid.highest):
            return
        old, self.grid = self.grid, Grid(lowest, highest)
        if self.grid.same_bins(old):
            return
        self.pool = self.grid.recount(self.pool, old)
        self.by_subject = {s: self.grid.recount(counts, old) for s, counts in self.by_subject.items()}

    def _scatter(self, row: int, bins: np.ndarray) -> np.ndarray:
        """Count voxels by their bins (n,) int64 in a row of the pool; returns how many fall into each coarse bin."""
        np.add.at(self.pool[row], bins, 1)
        return np.bincount(bins >> FINE_BITS, minlength=self.grid.rows)

    def _count_rows(self, subject: str, rows: np.ndarray) -> None:
        present = self.by_subject.get(subject)
        self.by_subject[subject] = rows if present is None else present + rows
