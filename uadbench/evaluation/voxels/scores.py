"""Scores of one volume as numpy arrays: validation, and conversion to the bins of a histogram."""

from collections.abc import Iterator

import numpy as np

from uadbench.core.errors import HarnessError
from uadbench.evaluation.voxels.bins import HALF, INFINITE, NOTHING, Bins, encode

CHUNK = 2**15  # voxels processed at once, so that temporary arrays stay in the cache


class ArrayScores:
    """Scores (n,) float32, at least 0, in main memory, and `labels` (n,) bool, True for anomalous voxels.

    Raises HarnessError, beginning with `name`, if a score is negative or not finite.
    """

    def __init__(self, name: str, scores: np.ndarray, labels: np.ndarray) -> None:
        scores = np.ascontiguousarray(scores, np.float32)
        self.labels = np.ascontiguousarray(labels, bool)
        if scores.ndim != 1 or scores.shape != self.labels.shape:
            raise ValueError(f"scores and labels must be equally long vectors, not {scores.shape}, {labels.shape}")
        self.bits = scores.view(np.uint32)
        highest = int(self.bits.max(initial=0))
        if highest >= INFINITE:
            check_scores(name, scores)
            self.bits = (scores + np.float32(0)).view(np.uint32)  # -0 becomes 0
            highest = int(self.bits.max())
        self.lowest, self.highest = self._extremes(highest)
        self._low = self.highest < HALF  # true for most residuals: then the bits are the codes

    def __len__(self) -> int:
        return self.bits.size

    def counts(self, grid: Bins) -> np.ndarray:
        """Number of scores in each bin of the grid, (bins,) uint32."""
        counts = np.zeros(grid.size, np.uint32)  # half as wide as the pool's: more of it stays in the cache
        for chunk in self._chunks(self.bits):
            np.add.at(counts, self._bins(chunk, grid), np.uint32(1))
        return counts

    def bins(self, grid: Bins) -> np.ndarray:
        """The bin (n,) int64 of every score."""
        return self._bins(self.bits, grid)

    def anomalous_bins(self, grid: Bins) -> np.ndarray:
        """The bin int64 of every anomalous score."""
        return self._bins(self.bits[np.flatnonzero(self.labels)], grid)

    def _bins(self, bits: np.ndarray, grid: Bins) -> np.ndarray:
        return grid.bins(bits if self._low else encode(bits))

    def _extremes(self, highest: int) -> tuple[int, int]:
        """Codes of the smallest score above zero and of the largest, with bits `highest`; NOTHING if all are 0."""
        if highest == 0:
            return NOTHING
        # Zero minus one wraps round to the largest integer.
        lowest = 1 + min(int((chunk - np.uint32(1)).min()) for chunk in self._chunks(self.bits))
        low, high = encode(np.array([lowest, highest], np.uint32))
        return int(low), int(high)

    @staticmethod
    def _chunks(values: np.ndarray) -> Iterator[np.ndarray]:
        return (values[start : start + CHUNK] for start in range(0, values.size, CHUNK))


def check_scores(name: str, scores: np.ndarray) -> None:
    """Raise HarnessError beginning with `name` unless the scores, an array of any shape, are finite and ≥ 0."""
    wrong = ~np.isfinite(scores)
    what = "not finite"
    if not wrong.any():
        wrong, what = scores < 0, "negative"
    if wrong.any():
        raise HarnessError(
            f"{name}: {int(wrong.sum())} of {scores.size} scores are {what}; "
            "a score map must be finite and ≥ 0, higher where more anomalous"
        )
