"""Scores of a volume in bins: equally wide ranges of order-preserving codes of float32 scores, fine near 0 and 1.

Read as an integer, the bit pattern of a non-negative float grows with the float and spends equally many integers on
each octave. So integers resolve small scores well but not 0.9999 against 0.99999, where sigmoids saturate. The code
therefore uses the bits of x below ½ and of 1 - x from ½ to 1: fine at both ends, like the logit, and still monotonic.
"""

from collections.abc import Iterator

import numpy as np

from uadbench.core.errors import HarnessError
from uadbench.evaluation.voxels import ties

HALF = 0x3F000000  # bits of 0.5
ONE = 0x3F800000  # bits of 1.0
INFINITE = 0x7F800000  # bits of infinity: every finite non-negative float lies below
MIRROR = 2 * HALF  # x in [½, 1) has the code MIRROR - bits(1 - x)
LAST_BELOW_ONE = MIRROR - 0x33800000  # code of the largest float below 1, which is 1 - 2^-24
BELOW_REST = np.float32(2**-25)  # half the least 1 - x, used as 1 - x at 1: one octave above the code of 1 - 2^-24
SHIFT = LAST_BELOW_ONE + 2**23 - ONE  # x ≥ 1 has the code bits(x) + SHIFT

FINE_BITS = 9  # a row (coarse bin, kept per subject) is split into 2^9 bins of the pool
MAX_ROWS = 2**11  # so the pool has at most 2^20 bins
NOTHING = (2**32, 0)  # lowest and highest code before the first score above zero


class Bins:
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

    def same_bins(self, other: "Bins") -> bool:
        """Whether all bins are equal to those of the other."""
        return (self.rows, self.offset, self.shift) == (other.rows, other.offset, other.shift)

    def bins(self, codes: np.ndarray) -> np.ndarray:
        """Bin (n,) int64 of each code (n,) uint32."""
        indices = codes >> np.uint32(self.shift - FINE_BITS)
        if self.offset > 0:
            np.maximum(indices, np.uint32(self.offset), out=indices)  # codes below the first row are zeros
        bins = indices.astype(np.int64)
        bins -= self.offset
        return bins

    def places(self, codes: np.ndarray) -> np.ndarray:
        """Place (n,) uint16 within its bin of each code (n,), of any integer type."""
        return (codes & ((1 << self.shift - FINE_BITS) - 1)).astype(np.uint16)

    def lower_codes(self, bins: np.ndarray) -> np.ndarray:
        """Smallest code (n,) int64 of each of the bins (n,); 0 in row 0."""
        return np.where(bins >> FINE_BITS == 0, 0, (bins + self.offset) << (self.shift - FINE_BITS))

    def recount(self, counts: np.ndarray, old: "Bins") -> np.ndarray:
        """Transfer counts (2, bins) or (2, rows) of the bins `old`, which are finer or equally fine, to these bins."""
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


def encode(bits: np.ndarray) -> np.ndarray:
    """Codes (n,) uint32 of the scores ≥ 0 and finite whose float32 bit patterns are `bits` (n,) uint32.

    Codes increase strictly with the score, and 0 has the code 0.
    """
    # Branch-free: the part of the score within [½, 1] is subtracted and added back mirrored.
    within = np.minimum(np.maximum(bits, np.uint32(HALF)), np.uint32(ONE))
    codes = bits - within
    rest = np.subtract(np.float32(1), within.view(np.float32), out=within.view(np.float32))  # exact (Sterbenz's lemma)
    np.maximum(rest, BELOW_REST, out=rest)
    codes -= rest.view(np.uint32)
    codes += np.uint32(MIRROR)
    return codes


def decode(codes: np.ndarray) -> np.ndarray:
    """Scores (n,) float64 for codes (n,) of any integer type; every score with code ≥ c is ≥ decode(c)."""
    codes = np.asarray(codes, np.int64)
    near_one = (codes > HALF) & (codes <= LAST_BELOW_ONE)
    above = codes > LAST_BELOW_ONE
    bits = np.where(near_one, MIRROR - codes, codes)
    bits = np.where(above, np.maximum(codes - SHIFT, ONE), bits)
    scores = bits.astype(np.uint32).view(np.float32).astype(np.float64)
    return np.where(near_one, 1.0 - scores, scores)


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

    def counts(self, grid: Bins, held: np.ndarray) -> np.ndarray:
        """Number of scores in each bin of the grid, (bins,) uint32; notes them in `held`, see `ties.note`."""
        counts = np.zeros(grid.size, np.uint32)  # half as wide as the pool's: more of it stays in the cache
        for chunk in self._chunks(self.bits):
            codes = self._codes(chunk)
            bins = grid.bins(codes)
            np.add.at(counts, bins, np.uint32(1))
            ties.note(held, bins, grid.places(codes))
        return counts

    def bins(self, grid: Bins, held: np.ndarray) -> np.ndarray:
        """The bin (n,) int64 of every score; notes them in `held`."""
        codes = self._codes(self.bits)
        bins = grid.bins(codes)
        ties.note(held, bins, grid.places(codes))
        return bins

    def bins_of(self, chosen: np.ndarray, grid: Bins) -> np.ndarray:
        """The bin int64 of every score that is chosen (n,) bool."""
        return grid.bins(self._codes(self.bits[np.flatnonzero(chosen)]))

    def anomalous_bins(self, grid: Bins) -> np.ndarray:
        """The bin int64 of every anomalous score."""
        return self.bins_of(self.labels, grid)

    def _codes(self, bits: np.ndarray) -> np.ndarray:
        return bits if self._low else encode(bits)

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
