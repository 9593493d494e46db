"""Shared base of VAE, r-VAE and f-AnoGAN: whole slices padded to squares, restored, and compared with the input."""

from abc import abstractmethod

from torch import Tensor

from uadbench.methods.base import SliceMethod
from uadbench.methods.networks.bottleneck import from_square, to_square
from uadbench.methods.scoring.similarity import anomaly_map
from uadbench.methods.seeds import Streams


class SquareReconstruction(SliceMethod):
    """Scores the difference of a slice and its restoration; `params` have `compare` and `score_batch`.

    side: side of the square in voxels; patch: longer side of a slice after scaling, before padding.
    """

    side: int

    @abstractmethod
    def restored(self, images: Tensor, rng: Streams) -> Tensor:
        """Pseudo-healthy restorations of images (N, 1, side, side), of the same shape; values may leave [0, 1]."""

    def score_slices(self, images: Tensor, rng: Streams) -> Tensor:
        square = to_square(images, self.side)
        return from_square(anomaly_map(square, self.restored(square, rng), self.params.compare), images)

    def restore_slices(self, images: Tensor, rng: Streams) -> Tensor:
        return from_square(self.restored(to_square(images, self.side), rng), images)
