"""Shared base of methods trained on synthetic anomalies: the network, the corruption of a batch, and the optimiser."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from uadbench.methods.anomalies.corruption import Corruption, alpha_schedule, synthesise
from uadbench.methods.anomalies.draws import Draws
from uadbench.methods.base import WHOLE, Batch, Context, Phase, SliceMethod, Update
from uadbench.methods.networks.unet import apply_unet, unet
from uadbench.methods.optimisers import adamw_cosine, adamw_one_cycle


@dataclass(frozen=True)
class Corrupted:
    """Corrupted images, healthy ones and masks, float32 (N, 1, H, W) in [0, 1]; factors alpha (N,), times t (N,).

    Corrupted images may leave [0, 1] with `blending: poisson`.
    """

    images: Tensor
    healthy: Tensor
    mask: Tensor
    alpha: Tensor
    t: Tensor


class SyntheticAnomalyMethod(SliceMethod):
    """A U-Net trained on gradually corrupted slices; a subclass defines the loss.

    params: a `CorruptionParams`.
    """

    slices = "tiled"
    alpha: Tensor

    def __init__(self, params: Any, context: Context) -> None:
        super().__init__(params, context)
        self.unet = unet(params)
        self.register_buffer("alpha", alpha_schedule(params.T, curve=params.alpha), persistent=False)

    def phases(self) -> Sequence[Phase]:
        p = self.params
        scheduled = adamw_cosine if p.schedule == "cosine" else adamw_one_cycle
        optimizer, scheduler = scheduled(self.unet.parameters(), p)
        return [Phase(p.steps, p.batch, WHOLE, [Update(self.loss, optimizer, scheduler, clip=1.0)])]

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """The loss of a batch."""

    def corrupt(self, batch: Batch) -> Corrupted:
        """Draw an anomaly for every image and blend it in by alpha_t, with t or alpha uniform."""
        p = self.params
        anomaly = self.drawn(batch)
        draws = Draws(len(batch.images), batch.rng["times"])
        if p.drawn == "t":
            t = 1 + draws.choice(p.T)
            alpha = self.alpha[t]
            return Corrupted(anomaly.at(alpha), anomaly.healthy, anomaly.mask, alpha, t)
        alpha = draws.uniform(*p.alpha_range)
        images = anomaly.at(alpha)
        if p.relabel:
            alpha = alpha * (images != anomaly.healthy).flatten(1).any(1)
        return Corrupted(images, anomaly.healthy, anomaly.mask, alpha, self.time_of(alpha))

    def drawn(self, batch: Batch) -> Corruption:
        """What corrupts the images of a batch."""
        return synthesise(batch, self.params, self.context.spacing)

    def time_of(self, alpha: Tensor) -> Tensor:
        """The t in 1…T, int64 (N,), with the interpolation factor nearest to each alpha (N,)."""
        return 1 + (self.alpha[1:] - alpha[:, None]).abs().argmin(1)


class RestoringMethod(SyntheticAnomalyMethod):
    """Learns P(x_t, t), the healthy image of a corrupted one, by squared error (DISYRE, section 2)."""

    def loss(self, batch: Batch) -> Tensor:
        seen = self.corrupt(batch)
        return F.mse_loss(self.predict(seen.images, seen.t), seen.healthy)

    def predict(self, images: Tensor, t: Tensor | int) -> Tensor:
        """P(x_t, t): the restored images (N, 1, H, W)."""
        output = apply_unet(self.unet, images, t, self.params)
        return images + output if self.params.residual else output

    def weighed(self, scores: Tensor, images: Tensor) -> Tensor:
        """Scores of images (N, 1, H, W) times each one's fraction of brain, with `foreground_weight` (public code)."""
        if not self.params.foreground_weight:
            return scores
        return scores * (images > 0).float().mean((1, 2, 3), keepdim=True)

    def mean_residual(self, images: Tensor, times: Sequence[int]) -> Tensor:
        """Mean over times t of the single-step residual |x - P(x, t)| of images (N, 1, H, W)."""
        residuals = [(images - self.predict(images, t)).abs() for t in times]
        return sum(residuals, torch.zeros_like(images)) / len(residuals)
