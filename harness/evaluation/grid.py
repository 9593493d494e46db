"""The bins of a score histogram: equally wide ranges of score codes, as fine as a fixed number of bins allows."""

from __future__ import annotations

import numpy as np

FINE_BITS = 9  # a row (coarse bin, kept per subject) is split into 2^9 bins of the pool
MAX_ROWS = 2**11  # so the pool has at most 2^20 bins
NOTHING = (2**32, 0)  # lowest and highest code before the first score above zero


class Grid:
    """The bins for scores above zero with codes `lowest` to `highest`: as fine as `MAX_ROWS` allows.

    Row 0 is the score zero, the others are equally wide ranges of codes; each row has 2^FINE_BITS bins.
    """

    def __init__(self, lowest: int, highest: int) -> None:
        self.lowest, self.highest = lowest, highest
        self.shift = FINE_BITS
        if lowest > highest:
            self.rows, self.offset = 1, 0
            return
        while (highest >> self.shift) - (lowest >> self.shift) + 2 > MAX_ROWS:
            self.shift += 1
        first = lowest >> self.shift
        self.rows = (highest >> self.shift) - first + 2
        self.offset = (first - 1) << FINE_BITS

    @property
    def size(self) -> int:
        """Number of bins of the pool."""
        return self.rows << FINE_BITS

    @property
    def exact(self) -> bool:
        """Whether every bin of the pool is a single score."""
        return self.shift == FINE_BITS

    def same_bins(self, other: Grid) -> bool:
        """Whether the bins are those of the other grid, one by one."""
        return (self.rows, self.offset, self.shift) == (other.rows, other.offset, other.shift)

    def bins(self, codes: np.ndarray) -> np.ndarray:
        """Bin (n,) int64 of each code (n,) uint32."""
        indices = codes >> np.uint32(self.shift - FINE_BITS)
        if self.offset > 0:
            np.maximum(indices, np.uint32(self.offset), out=indices)  # codes below the first row are zeros
        bins = indices.astype(np.int64)
        bins -= self.offset
        return bins

    def lower_codes(self, bins: np.ndarray) -> np.ndarray:
        """The smallest code (n,) int64 of each of the bins (n,); in row 0 it is zero."""
        return np.where(bins >> FINE_BITS == 0, 0, (bins + self.offset) << (self.shift - FINE_BITS))

    def recount(self, counts: np.ndarray, old: Grid) -> np.ndarray:
        """Counts (2, bins) or (2, rows) of the grid `old`, which is finer or equally fine, on this grid."""
        coarse = counts.shape[1] == old.rows
        out = np.zeros((2, self.rows if coarse else self.size), counts.dtype)
        width = 1 if coarse else 1 << FINE_BITS
        if old.rows > 1 and old.shift == self.shift:  # the same bins, between more of them
            start = ((old.offset - self.offset) >> FINE_BITS) * width
            out[:, start + width : start + counts.shape[1]] = counts[:, width:]
            counts = counts[:, :width]
        occupied = np.flatnonzero(counts.any(axis=0))
        codes = old.lower_codes(occupied << FINE_BITS if coarse else occupied)
        new = self.bins(codes.astype(np.uint32)) >> (FINE_BITS if coarse else 0)
        for row, numbers in zip(out, counts[:, occupied], strict=True):
            np.add.at(row, new, numbers)
        return out
