"""What VAE, r-VAE and f-AnoGAN share: whole slices padded to squares, restored, and compared with themselves."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from harness.methods.base import SliceMethod
from harness.methods.networks.bottleneck import to_square
from harness.methods.scoring.similarity import anomaly_map
from harness.methods.seeds import Streams


class SquareReconstruction(SliceMethod):
    """The score is the difference of a slice and its restoration; `params` have `compare` and `score_batch`.

    `side` is that of the square in voxels, `patch` what the longer side of a slice is scaled to before it is padded.
    """

    side: int

    @abstractmethod
    def restored(self, images: Tensor, rng: Streams) -> Tensor:
        """The healthy versions of images (N, 1, side, side), of the same shape; values may leave [0, 1]."""

    def score_slices(self, images: Tensor, rng: Streams) -> Tensor:
        square = to_square(images, self.side)
        return anomaly_map(square, self.restored(square, rng), self.params.compare)

    def restore_slices(self, images: Tensor, rng: Streams) -> Tensor:
        return self.restored(to_square(images, self.side), rng)
