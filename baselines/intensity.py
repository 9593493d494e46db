"""Control: the image itself. Lesions are dark on T1 and bright on T2; a method that learns should do better."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from harness.method import Method
from harness.training.seeds import Streams

REVISION = 1
TITLE = "Intensity"
FAMILY = "control"
PAPER = "positive control; thresholding is discussed by Meissen et al., 2022 (arXiv:2109.06540)"


@dataclass(frozen=True)
class Params:
    """It has none."""


class Baseline(Method):
    """Needs no training."""

    def score(self, volume: Tensor, rng: Streams) -> dict[str, Tensor]:
        return {"final": 1 - volume if self.context.modality == "t1" else volume}
