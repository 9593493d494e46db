"""What VAE, r-VAE and f-AnoGAN share: whole slices padded to squares, restored, and compared with themselves."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from harness.method import Method
from harness.networks.bottleneck import to_square
from harness.scoring.similarity import anomaly_map
from harness.scoring.windows import by_slices
from harness.training.seeds import Streams


class SquareReconstruction(Method):
    """The score is the difference of a slice and its restoration; `params` have `compare` and `score_batch`.

    `side` is that of the square in voxels, `patch` what the longer side of a slice is scaled to before it is padded.
    """

    side: int

    @property
    def patch(self) -> int:
        return int(self.params.patch)

    @abstractmethod
    def restored(self, images: Tensor, rng: Streams) -> Tensor:
        """The healthy versions of images (N, 1, side, side), of the same shape; values may leave [0, 1]."""

    def score(self, volume: Tensor, rng: Streams) -> dict[str, Tensor]:
        def compared(images: Tensor) -> Tensor:
            images = to_square(images, self.side)
            return anomaly_map(images, self.restored(images, rng), self.params.compare)

        return {"final": by_slices(compared, volume, self.patch, self.params.score_batch)[0]}

    def restore(self, volume: Tensor, rng: Streams) -> Tensor:
        def healed(images: Tensor) -> Tensor:
            return self.restored(to_square(images, self.side), rng)

        return by_slices(healed, volume, self.patch, self.params.score_batch)[0].clamp(0, 1)
