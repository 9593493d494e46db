"""Which bins of a histogram hold one score: equal scores are a tie, unequal ones in a bin lost their order.

A bin keeps the place of its score within the bin, until another score comes.
"""

import numpy as np

EMPTY, MIXED = np.uint16(2**16 - 1), np.uint16(2**16 - 2)  # places are below both: a bin has at most 2^12 codes


def empty(size: int) -> np.ndarray:
    """The places (size,) uint16 of bins without a score."""
    return np.full(size, EMPTY)


def note(ties: np.ndarray, bins: np.ndarray, places: np.ndarray) -> None:
    """Note scores by their bins (n,) int64 and their places (n,) uint16 within them, MIXED for several."""
    held = ties[bins]
    other = (held != places) & (held != MIXED)
    if not other.any():
        return
    bins, places, new = bins[other], places[other], held[other] == EMPTY
    ties[bins[new]] = places[new]
    ties[bins[ties[bins] != places]] = MIXED
