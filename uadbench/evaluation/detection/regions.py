"""Per-region overlap (AUPRO): fractions of lesions and normal voxels by score."""

import numpy as np

from uadbench.evaluation.voxels.bins import NOTHING, Bins, decode, encode

KEPT = 2**12  # bins are merged until each holds about 1 / KEPT of all lesions or of all normal voxels
LIMIT = 0.3  # fraction of normal voxels up to which the curve is integrated, as for MVTec AD


class Regions:
    """Histogram by score of normal voxels, and of lesions with weight 1 each, of all subjects."""

    def __init__(self) -> None:
        self.grid = Bins(*NOTHING)
        self.counts = np.zeros((2, self.grid.size))  # normal voxels, lesions

    def add(self, normal: np.ndarray, anomalous: np.ndarray, shares: np.ndarray) -> None:
        """Count scores ≥ 0 of normal voxels (n,) and anomalous ones (m,), float32, the latter weighted by shares (m,).

        shares: fraction of its lesion that each voxel makes up; they sum to 1 over a lesion.
        """
        # -0 becomes 0, whose bits are those of no other score
        codes = [
            encode((np.ascontiguousarray(scores, np.float32) + np.float32(0)).view(np.uint32))
            for scores in (normal, anomalous)
        ]
        positive = np.concatenate([part[part > 0] for part in codes])
        if positive.size:
            lowest, highest = min(int(positive.min()), self.grid.lowest), max(int(positive.max()), self.grid.highest)
            old, self.grid = self.grid, Bins(lowest, highest)
            if not self.grid.same_bins(old):
                self.counts = self.grid.recount(self.counts, old)
        for row, part, weights in zip(self.counts, codes, (None, shares), strict=True):
            row += np.bincount(self.grid.bins(part), weights, self.grid.size)

    def normal(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower scores (bins,) float64, ascending, and normal voxels (bins,) of the bins that hold any voxel."""
        bins = np.flatnonzero(self.counts.any(axis=0))
        return decode(self.grid.lower_codes(bins)), self.counts[0, bins]

    def occupied(self) -> tuple[np.ndarray, np.ndarray]:
        """Normal voxels and lesions (bins,) float64, scores ascending, in some thousands of bins.

        Neighbouring bins are merged, which changes the area under the curve by 1 / KEPT at most.
        """
        kept = self.counts[:, self.counts.any(axis=0)]
        shares = np.cumsum(kept, axis=1) - kept / 2
        places = (shares / np.maximum(kept.sum(axis=1, keepdims=True), 1e-300) * KEPT).astype(int).sum(axis=0)
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        merged = np.add.reduceat(kept, starts, axis=1) if starts.size else kept
        return merged[0], merged[1]


def aupro(normal: np.ndarray, lesions: np.ndarray, limit: float = LIMIT) -> float | None:
    """Area under the per-region overlap curve up to a fraction `limit` of normal voxels, divided by `limit`.

    Chance is limit / 2. normal, lesions: (bins,) scores ascending, as returned by `occupied`. Per-region overlap is the
    mean over lesions of the fraction of a lesion at or above a threshold (Bergmann et al., CVPR 2019, as in anomalib).
    None without normal voxels or without lesions.
    """
    if not normal.sum() or not lesions.sum():
        return None
    x, y = (np.concatenate([[0], np.cumsum(part[::-1]) / part.sum()]) for part in (normal, lesions))
    inside = x <= limit
    return float(np.trapezoid([*y[inside], _at(limit, x, y)], [*x[inside], limit]) / limit)


def _at(limit: float, x: np.ndarray, y: np.ndarray) -> float:
    """Linear interpolation of a rising curve at `limit`; the upper end of a step there."""
    after = int(np.searchsorted(x, limit, side="right"))
    if after == len(x):
        return float(y[-1])
    span = x[after] - x[after - 1]
    return float(y[after - 1] + (y[after] - y[after - 1]) * (limit - x[after - 1]) / span)
