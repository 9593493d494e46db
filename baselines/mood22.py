"""MOOD22: a U-Net segments the same synthetic anomalies that DISYRE restores; its probability is the anomaly score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from harness.anomalies.corruption import alpha_schedule, synthesise
from harness.anomalies.draws import Draws
from harness.method import Batch, Context, Method, Phase, Update
from harness.networks import apply_unet, unet
from harness.settings import AnomalyParams
from harness.training.optimisers import adamw_one_cycle
from harness.training.seeds import Streams
from harness.windows import by_windows

REVISION = 1
TITLE = "MOOD22"
FAMILY = "S-S"
PAPER = "Naval Marimont and Tarroni, 2023 (arXiv:2308.01412)"
SMALL = {"steps": 8, "batch": 4, "patch": 32, "widths": [8, 16], "groups": 4, "layers": 1, "attention_from": 2}


@dataclass(frozen=True)
class Params(AnomalyParams):
    """Defaults: the baseline as Naval Marimont et al. 2024, section 3, built it: DISYRE's data and network, no t."""

    T: int = 100  # interpolation factors are those of DISYRE's schedule, drawn uniformly


class Baseline(Method):
    """Predicts alpha m, the weight of the foreign patch in every voxel."""

    alpha: Tensor

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.unet = unet(params)
        self.register_buffer("alpha", alpha_schedule(params.T), persistent=False)

    def phases(self) -> Sequence[Phase]:
        p = self.params
        optimizer, scheduler = adamw_one_cycle(self.unet.parameters(), p.steps, p.learning_rate)
        return [Phase(p.steps, p.batch, p.patch, [Update(self.loss, optimizer, scheduler, clip=1.0)])]

    def loss(self, batch: Batch) -> Tensor:
        """Binary cross-entropy with alpha m as soft target (Naval Marimont et al. 2024, section 3)."""
        anomaly = synthesise(batch, self.params, self.context.spacing)
        alpha = self.alpha[1 + Draws(len(batch.images), batch.rng["times"]).choice(self.params.T)]
        target = alpha[:, None, None, None] * anomaly.mask
        return F.binary_cross_entropy_with_logits(self.logits(anomaly.at(alpha)).float(), target)

    def logits(self, images: Tensor) -> Tensor:
        """Log-odds that a voxel is anomalous, (N, 1, H, W); the U-Net's t is always 0."""
        return apply_unet(self.unet, images, 0, self.params)

    def score(self, volume: Tensor, rng: Streams) -> dict[str, Tensor]:
        def probability(images: Tensor) -> Tensor:
            return self.logits(images).float().sigmoid()

        return {"final": by_windows(probability, volume, self.params.patch, self.params.score_batch)[0]}
