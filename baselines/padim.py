"""PaDiM: a Gaussian of frozen features of healthy slices at every position; the Mahalanobis distance is the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from uadbench.methods.anomalies.filters import smoothed
from uadbench.methods.base import Batch, Context, Phase, SliceMethod, Update
from uadbench.methods.networks.backbones import Backbone
from uadbench.methods.networks.bottleneck import to_square
from uadbench.methods.params import BackboneParams, Smoothing, own_filter
from uadbench.methods.seeds import Streams

REVISION = 1
TITLE = "PaDiM"
FAMILY = "FM"
PAPER = "Defard et al., ICPR 2021 (arXiv:2011.08785)"
SMALL = {"steps": 6, "batch": 4, "patch": 32, "weights": "random", "width": 8, "channels": 12, "zoom": 2}
STAGES = (1, 2, 3)
VARIANTS = {
    "upd": {
        "title": "PaDiM (UPD)",
        "params": {
            "steps": 510,
            "backbone": "wide_resnet50_2",
            "channels": 550,
            "inputs": "unit",
            "smoothing": 0.0,
        },
    }
}


@dataclass(frozen=True)
class Params(BackboneParams):
    """Defaults: Defard et al. 2021 with ResNet-18 ("R18-Rd100"); UPD_study includes it for slices of 128 x 128."""

    steps: int = 200  # batches for the estimation of Gaussians; own choice, the authors use every image
    batch: int = 32  # slices
    backbone: Literal["resnet18", "wide_resnet50_2", "efficientnet_lite0"] = "resnet18"
    channels: PositiveInt = 100  # drawn at random from three stages, the same at every position
    ridge: PositiveFloat = 0.01  # added to the variances
    smoothing: Smoothing = own_filter(4.0, off=0.0)  # voxels of the scaled slice, standard deviation; 0 = off

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps * self.batch < 2:
            raise ValueError("a Gaussian needs two slices or more: raise steps or batch")
        if self.patch * self.zoom % 4:
            raise ValueError(f"patch {self.patch} x zoom {self.zoom} must be a multiple of 4")


class Gaussians(nn.Module):
    """Mean (C, P) and precision (P, C, C) of the features at P positions, and the indices (C,) of their channels."""

    chosen: Tensor
    mean: Tensor
    precision: Tensor

    def __init__(self, channels: int, places: int) -> None:
        super().__init__()
        self.register_buffer("chosen", torch.zeros(channels, dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(channels, places))
        self.register_buffer("precision", torch.eye(channels).repeat(places, 1, 1))

    def distance(self, features: Tensor) -> Tensor:
        """Mahalanobis distance (N, P) of features (N, C, P); float32, also under autocast, which would change ranks."""
        apart = (features - self.mean).permute(2, 0, 1)  # (P, N, C)
        with torch.autocast(features.device.type, enabled=False):
            return ((apart @ self.precision) * apart).sum(2).clamp_min(0).sqrt().T


class Baseline(SliceMethod):
    """Without optimisation: one phase accumulates features and their products, the next fits Gaussians."""

    count: Tensor
    total: Tensor
    products: Tensor

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.backbone = Backbone(params, stages=max(STAGES))
        available = sum(self.backbone.channels[stage] for stage in STAGES)
        self.channels = min(params.channels, available)
        self.side = params.patch * params.zoom // 4  # of the first stage's features
        self.gaussians = Gaussians(self.channels, self.side**2)
        self.gaussians.chosen.copy_(torch.randperm(available)[: self.channels])
        # Not in a sub-module: kept in the state of an unfinished training, not in the finished run.
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("total", torch.zeros(0, dtype=torch.float64))
        self.register_buffer("products", torch.zeros(0, dtype=torch.float64))

    def phases(self) -> Sequence[Phase]:
        p, device = self.params, self.gaussians.mean.device
        places = self.side**2
        self.total = torch.zeros(self.channels, places, dtype=torch.float64, device=device)
        self.products = torch.zeros(places, self.channels, self.channels, dtype=torch.float64, device=device)
        collect, fit = Update(self.collect, None), Update(self.fit, None)
        return [
            Phase(p.steps, p.batch, p.patch, [collect], "collect", validation=self.magnitude),
            Phase(1, p.batch, p.patch, [fit], "fit", validation=self.held_out),
        ]

    def features(self, images: Tensor) -> Tensor:
        """The selected channels of three stages, resized to the first stage: (N, C, P)."""
        outputs = self.backbone(to_square(images, self.params.patch))
        levels = [outputs[stage].float() for stage in STAGES]
        size = (self.side, self.side)
        enlarged = [F.interpolate(level, size, mode="bilinear", align_corners=False) for level in levels[1:]]
        return torch.cat([levels[0], *enlarged], 1)[:, self.gaussians.chosen].flatten(2)

    def collect(self, batch: Batch) -> Tensor:
        """Accumulate the features of a batch and their pairwise products; returns the features' mean norm."""
        features = self.features(batch.images).double()
        at_places = features.permute(2, 1, 0)  # (P, C, N)
        self.count += len(features)
        self.total += features.sum(0)
        self.products += at_places @ at_places.transpose(1, 2)
        return features.norm(dim=1).mean()

    def magnitude(self, batch: Batch) -> Tensor:
        """Mean norm of a batch's features."""
        return self.features(batch.images).norm(dim=1).mean()

    def fit(self, batch: Batch) -> Tensor:
        """Compute mean and precision from the accumulated sums; returns the mean distance of the batch."""
        mean = self.total / self.count
        columns = mean.T.unsqueeze(2)
        covariance = (self.products - self.count * columns @ columns.transpose(1, 2)) / (self.count - 1)
        ridge = self.params.ridge * torch.eye(self.channels, dtype=mean.dtype, device=mean.device)
        self.gaussians.mean.copy_(mean)
        self.gaussians.precision.copy_(torch.linalg.inv(covariance + ridge))
        return self.held_out(batch)

    def held_out(self, batch: Batch) -> Tensor:
        """Mean Mahalanobis distance of a batch."""
        return self.gaussians.distance(self.features(batch.images)).mean()

    def score_slices(self, images: Tensor, rng: Streams) -> Tensor:
        apart = self.gaussians.distance(self.features(images)).unflatten(1, (1, self.side, self.side))
        scores = F.interpolate(apart, scale_factor=4 / self.params.zoom, mode="bilinear", align_corners=False)
        return smoothed(scores, self.params.smoothing)[..., : images.shape[-2], : images.shape[-1]]
