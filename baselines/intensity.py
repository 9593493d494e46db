"""Control: the image intensity, inverted on T1, is the score; a trained method should do better."""

from __future__ import annotations

from torch import Tensor

from uadbench.methods.base import SliceMethod
from uadbench.methods.seeds import Streams

REVISION = 1
TITLE = "Intensity"
FAMILY = "control"
PAPER = "positive control; thresholding is discussed by Meissen et al., 2022 (arXiv:2109.06540)"


class Baseline(SliceMethod):
    """Needs no training."""

    def score_slices(self, images: Tensor, rng: Streams) -> Tensor:
        return 1 - images if self.context.modality == "t1" else images
