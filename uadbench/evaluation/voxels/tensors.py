"""Scores of one volume as tensors: validation, and counting on their device in the same bins as numpy arrays."""

import numpy as np
import torch
from torch import Tensor

from uadbench.evaluation.voxels import ties
from uadbench.evaluation.voxels.bins import BELOW_REST, FINE_BITS, HALF, MIRROR, NOTHING, ONE, Bins, check_scores


class TensorScores:
    """`ArrayScores` for tensors (n,) on any device; only counts and the bins of anomalous voxels are transferred."""

    def __init__(self, name: str, scores: Tensor, labels: Tensor | np.ndarray) -> None:
        scores = scores.float()
        self.labels = torch.as_tensor(labels, dtype=torch.bool, device=scores.device)
        if scores.ndim != 1 or scores.shape != self.labels.shape:
            shapes = f"{tuple(scores.shape)}, {tuple(self.labels.shape)}"
            raise ValueError(f"scores and labels must be equally long vectors, not {shapes}")
        self.lowest, self.highest = NOTHING
        self.codes = torch.zeros(0, dtype=torch.int64, device=scores.device)
        if not len(scores):
            return
        self.codes = encode(scores + 0)  # -0 becomes 0
        above = torch.where(self.codes > 0, self.codes, NOTHING[0]).min()
        low, high = torch.aminmax(scores)
        # One transfer for all values that the host needs. A NaN is neither at least 0 nor below infinity.
        fine = (low >= 0) & (high < torch.inf)
        fine, lowest, highest = torch.stack([fine.long(), above, self.codes.max()]).tolist()
        if not fine:
            check_scores(name, scores.cpu().numpy())
        if highest > 0:
            self.lowest, self.highest = lowest, highest

    def __len__(self) -> int:
        return len(self.codes)

    def counts(self, grid: Bins, held: np.ndarray) -> np.ndarray:
        """Number of scores in each bin of the grid, (bins,) int64; notes them in `held`, see `ties.note`."""
        bins = self._bins(self.codes, grid)
        # Whichever score of a bin is written last: the others are compared with it.
        last = torch.zeros(grid.size, dtype=torch.int64, device=bins.device)
        last[bins] = self.codes
        mixed = torch.zeros(grid.size, dtype=torch.bool, device=bins.device)
        mixed[bins[last[bins] != self.codes]] = True
        counts = torch.bincount(bins, minlength=grid.size).cpu().numpy()
        occupied = np.flatnonzero(counts)
        places = grid.places(last.cpu().numpy()[occupied])
        ties.note(held, occupied, np.where(mixed.cpu().numpy()[occupied], ties.MIXED, places))
        return counts

    def bins(self, grid: Bins, held: np.ndarray) -> np.ndarray:
        """The bin (n,) int64 of every score; notes them in `held`."""
        bins = self._bins(self.codes, grid).cpu().numpy()
        ties.note(held, bins, grid.places(self.codes.cpu().numpy()))
        return bins

    def bins_of(self, chosen: Tensor | np.ndarray, grid: Bins) -> np.ndarray:
        """The bin int64 of every score that is chosen (n,) bool."""
        chosen = torch.as_tensor(chosen, dtype=torch.bool, device=self.codes.device)
        return self._bins(self.codes[chosen], grid).cpu().numpy()

    def anomalous_bins(self, grid: Bins) -> np.ndarray:
        """The bin int64 of every anomalous score."""
        return self.bins_of(self.labels, grid)

    @staticmethod
    def _bins(codes: Tensor, grid: Bins) -> Tensor:
        return (codes >> (grid.shift - FINE_BITS)).sub_(grid.offset).clamp_(min=0)


def encode(scores: Tensor) -> Tensor:
    """Codes (n,) int64 of scores (n,) float32, finite and at least 0: those of `bins.encode`."""
    bits = scores.view(torch.int32)
    within = bits.clamp(HALF, ONE)
    rest = (1 - within.view(torch.float32)).clamp_(min=float(BELOW_REST)).view(torch.int32)
    return bits.long().sub_(within).sub_(rest).add_(MIRROR)
