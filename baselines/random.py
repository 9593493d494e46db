"""Control: uniform noise is the score; its AP, the fraction of anomalous voxels, is the chance level."""

from __future__ import annotations

import torch
from torch import Tensor

from uadbench.methods.base import Method
from uadbench.methods.seeds import Streams

REVISION = 1
TITLE = "Random"
FAMILY = "control"
PAPER = "negative control"


class Baseline(Method):
    """Needs no training."""

    def score(self, volume: Tensor, rng: Streams) -> dict[str, Tensor]:
        return {"final": torch.rand(volume.shape, generator=rng["score"], device=volume.device)}
