"""PatchCore: the distance of a patch's frozen features to their nearest neighbour in a healthy coreset is the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from uadbench.methods.anomalies.filters import smoothed
from uadbench.methods.base import Batch, Context, Phase, SliceMethod, Update
from uadbench.methods.networks.backbones import Backbone
from uadbench.methods.params import BackboneParams, Neighbourhood, Smoothing, own_filter
from uadbench.methods.scoring.coreset import greedy_coreset, nearest_distance, projected
from uadbench.methods.seeds import Streams

REVISION = 2
TITLE = "PatchCore"
FAMILY = "FM"
PAPER = "Roth et al., CVPR 2022"
SMALL = {
    "steps": 4,
    "batch": 4,
    "patch": 64,
    "weights": "random",
    "backbone": "resnet18",
    "width": 8,
    "bank": 20,
    "zoom": 2,
}
STAGES = (2, 3)


@dataclass(frozen=True)
class Params(BackboneParams):
    """Defaults: Roth et al. 2022, but with a sample of slices and of their patches, since cohorts are large."""

    steps: int = 200  # batches from which patches are collected; own choice
    batch: int = 32  # slices
    patches: PositiveInt = 16  # patches drawn from the brain of each slice; own choice
    bank: PositiveInt = 10_000  # patches in the coreset, a tenth of those collected as in the paper
    projection: PositiveInt = 128  # dimensions of the random projection for coreset selection
    neighbourhood: Neighbourhood = 3  # side of the squares over which features are averaged
    smoothing: Smoothing = own_filter(4.0, off=0.0)  # voxels of the scaled slice, standard deviation; 0 = off

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bank > self.steps * self.batch * self.patches:
            raise ValueError("bank must be at most steps x batch x patches, which are collected")


def channel_means(features: Tensor, count: int) -> Tensor:
    """Means of neighbouring channels, pairs in the published networks: (N, C, H, W) to (N, count, H, W)."""
    flat = features.permute(0, 2, 3, 1)
    return F.adaptive_avg_pool1d(flat.flatten(1, 2), count).unflatten(1, flat.shape[1:3]).permute(0, 3, 1, 2)


class Bank(nn.Module):
    """The coreset: feature vectors (bank, C)."""

    vectors: Tensor

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.zeros(size, channels))


class Baseline(SliceMethod):
    """Without optimisation: one phase collects patches of healthy slices, the next selects the coreset."""

    pool: Tensor
    filled: Tensor

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.backbone = Backbone(params, stages=max(STAGES))
        channels = 2 * self.backbone.channels[STAGES[0]]
        self.bank = Bank(params.bank, channels)
        # Not in a sub-module: kept in the state of an unfinished training, not in the finished run.
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))
        self.register_buffer("pool", torch.zeros(0, channels))

    def phases(self) -> Sequence[Phase]:
        p = self.params
        self.pool = torch.zeros(
            p.steps * p.batch * p.patches, self.bank.vectors.shape[1], device=self.bank.vectors.device
        )
        collect = Phase(p.steps, p.batch, p.patch, [Update(self.collect, None)], "collect", validation=self.magnitude)
        return [
            collect,
            Phase(1, p.batch, p.patch, [Update(self.choose, None)], "choose", validation=self.held_out),
        ]

    def features(self, images: Tensor) -> Tensor:
        """Locally averaged features of two stages at the size of the earlier one: (N, 2 C, H / 8, W / 8).

        C is the number of channels of the earlier stage; channel means reduce the later one to C channels as well.
        """
        side = self.params.neighbourhood
        outputs = self.backbone(images)
        levels = [outputs[stage].float() for stage in STAGES]
        first, second = (F.avg_pool2d(level, side, 1, side // 2) for level in levels)
        # The published pooling to twice as many numbers as channels, then of pairs, counts a square's centre twice.
        first = (side**2 * first + levels[0]) / (side**2 + 1)
        second = F.interpolate(second, first.shape[-2:], mode="bilinear", align_corners=False)
        return torch.cat([first, channel_means(second, first.shape[1])], 1)

    def drawn(self, batch: Batch) -> Tensor:
        """Feature vectors of random patches of the brain, with replacement: (N patches, C)."""
        features = self.features(batch.images)
        brain = F.adaptive_avg_pool2d((batch.images > 0).float(), (features.shape[-2], features.shape[-1])).flatten(1)
        brain = torch.where(brain.sum(1, keepdim=True) > 0, brain, torch.ones_like(brain))
        running = brain.cumsum(1)
        share = torch.rand((len(brain), self.params.patches), generator=batch.rng["patches"], device=brain.device)
        places = torch.searchsorted(running, share * running[:, -1:], right=True).clamp_max(brain.shape[1] - 1)
        return (
            torch.gather(features.flatten(2), 2, places[:, None].expand(-1, features.shape[1], -1))
            .transpose(1, 2)
            .flatten(0, 1)
        )

    def collect(self, batch: Batch) -> Tensor:
        """Add the patches of a batch to the pool; returns their mean norm, for the history."""
        vectors = self.drawn(batch)
        self.pool.index_copy_(0, self.filled + torch.arange(len(vectors), device=vectors.device), vectors)
        self.filled += len(vectors)
        return vectors.norm(dim=1).mean()

    def magnitude(self, batch: Batch) -> Tensor:
        """Mean norm of a batch's features."""
        return self.drawn(batch).norm(dim=1).mean()

    def choose(self, batch: Batch) -> Tensor:
        """Select the coreset; returns the largest distance of a collected patch to it, in the projected space."""
        vectors = projected(self.pool, self.params.projection, batch.rng["projection"])
        first = int(torch.randint(len(vectors), (), generator=batch.rng["coreset"], device=vectors.device))
        places, nearest = greedy_coreset(vectors, self.params.bank, first)
        self.bank.vectors.copy_(self.pool[places])
        return nearest.max()

    def held_out(self, batch: Batch) -> Tensor:
        """Mean distance of held-out patches to the bank."""
        return nearest_distance(self.drawn(batch), self.bank.vectors).mean()

    def score_slices(self, images: Tensor, rng: Streams) -> Tensor:
        features = self.features(images)
        vectors = features.permute(0, 2, 3, 1).flatten(0, 2)
        apart = nearest_distance(vectors, self.bank.vectors).reshape(len(images), 1, *features.shape[-2:])
        scores = F.interpolate(apart.square(), images.shape[-2:], mode="bilinear", align_corners=False)
        return smoothed(scores, self.params.smoothing)
