"""Order-preserving integer codes of non-negative float32 scores, fine near 0 and near 1 alike.

Read as an integer, the bit pattern of a non-negative float grows with the float and spends equally many integers on
each octave. So integers resolve small scores well but not 0.9999 against 0.99999, where sigmoids crowd. The code
therefore uses the bits of x below ½ and of 1 - x from ½ to 1: evenly fine in both, like the logit, and still monotonic.
"""

from __future__ import annotations

import numpy as np

HALF = 0x3F000000  # bits of 0.5
ONE = 0x3F800000  # bits of 1.0
INFINITE = 0x7F800000  # bits of infinity: every finite non-negative float lies below
MIRROR = 2 * HALF  # x in [½, 1) has the code MIRROR - bits(1 - x)
LAST_BELOW_ONE = MIRROR - 0x33800000  # code of the largest float below 1, which is 1 - 2^-24
BELOW_REST = np.float32(2**-25)  # half the least 1 - x, stands for 1 - x at 1: one octave above the code of 1 - 2^-24
SHIFT = LAST_BELOW_ONE + 2**23 - ONE  # x ≥ 1 has the code bits(x) + SHIFT


def encode(bits: np.ndarray) -> np.ndarray:
    """Codes (n,) uint32 of the scores ≥ 0 and finite whose float32 bit patterns are `bits` (n,) uint32.

    Equal scores have equal codes, a greater score a greater code, and 0 the code 0. No two scores share a code.
    """
    # Without branches: the part of the score within [½, 1] is taken off and put back mirrored.
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
