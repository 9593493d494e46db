"""FAE: an autoencoder reconstructs a frozen network's features; their structural dissimilarity is the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from uadbench.methods.base import Batch, Context, Phase, SliceMethod, Update
from uadbench.methods.networks.backbones import Backbone
from uadbench.methods.networks.output import OutputConv2d
from uadbench.methods.params import BackboneParams, BelowOne, Channels
from uadbench.methods.scoring.similarity import dissimilarity_map
from uadbench.methods.seeds import Streams

REVISION = 2
TITLE = "FAE"
FAMILY = "FM"
PAPER = "Meissen et al., BrainLes 2022 (arXiv:2208.10992)"
SMALL = {"steps": 4, "batch": 4, "patch": 64, "weights": "random", "width": 8, "widths": [8, 12], "zoom": 2}
VARIANTS = {"upd": {"title": "FAE (UPD)", "params": {}}}  # the same method; the paper quotes UPD_study's numbers


@dataclass(frozen=True)
class Params(BackboneParams):
    """Defaults: the public code of Meissen et al. (train_fae.py), which UPD_study (2024) also runs.

    The method's histogram equalisation of volumes, a preprocessing step, is omitted as in UPD_study.
    """

    steps: int = 10_000
    batch: int = 32  # slices
    learning_rate: float = 2e-4
    backbone: Literal["resnet18", "wide_resnet50_2", "efficientnet_lite0"] = "resnet18"
    inputs: Literal["unit", "symmetric", "imagenet"] = "symmetric"
    widths: Channels = (100, 150, 200, 300)  # channels of the autoencoder; each level halves the size
    dropout: BelowOne = 0.1  # fraction of channels dropped after every layer
    window: PositiveInt = 5  # features, side of the window of SSIM
    drift: bool = True  # adapt the backbone's batch-normalisation statistics to training images; parameters stay frozen


def layer(convolution: nn.Module, channels: int, dropout: float) -> nn.Sequential:
    """A convolution, batch normalisation, leaky ReLU and dropout."""
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.LeakyReLU(), nn.Dropout2d(dropout))


class FeatureAutoencoder(nn.Module):
    """Features (N, C, H, W) to features of the same shape, via maps of 1 / 2^levels of the size."""

    def __init__(self, channels: int, widths: Sequence[int], dropout: float) -> None:
        super().__init__()
        down = [nn.Conv2d(i, o, 5, 2, 2, bias=False) for i, o in pairwise((channels, *widths))]
        turned = (*reversed(widths), channels)
        up = [nn.ConvTranspose2d(i, o, 6, 2, 2, bias=False) for i, o in pairwise(turned)]
        self.layers = nn.Sequential(
            *(layer(convolution, width, dropout) for convolution, width in zip(down, widths, strict=True)),
            nn.Conv2d(widths[-1], widths[-1], 5, padding=2, bias=False),
            *(layer(convolution, width, dropout) for convolution, width in zip(up, turned[1:], strict=True)),
            OutputConv2d(channels, channels, 1, bias=False),
        )
        self.multiple = 2 ** len(widths)

    def forward(self, features: Tensor) -> Tensor:
        height, width = features.shape[-2:]
        padded = F.pad(features, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        return self.layers(padded)[..., :height, :width]


class Baseline(SliceMethod):
    """Compares the features of stem and first two stages with their reconstruction by SSIM."""

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.backbone = Backbone(params, stages=2, drift=params.drift)
        self.autoencoder = FeatureAutoencoder(sum(self.backbone.channels), params.widths, params.dropout)

    def phases(self) -> Sequence[Phase]:
        p = self.params
        optimizer = torch.optim.Adam(self.autoencoder.parameters(), lr=p.learning_rate)
        return [Phase(p.steps, p.batch, p.patch, [Update(self.loss, optimizer)])]

    def features(self, images: Tensor) -> Tensor:
        """All features resized to those of the stem, a quarter of the image: (N, C, H / 4, W / 4)."""
        levels = [level.float() for level in self.backbone(images)]
        size = levels[0].shape[-2:]
        return torch.cat([F.interpolate(f, size, mode="bilinear", align_corners=True) for f in levels], 1)

    def dissimilarity(self, images: Tensor) -> Tensor:
        """1 - SSIM of features and their reconstruction, mean over channels: (N, 1, H / 4, W / 4)."""
        features = self.features(images)
        return dissimilarity_map(features, self.autoencoder(features), self.params.window)

    def loss(self, batch: Batch) -> Tensor:
        """Mean 1 - SSIM; UPD_study omits the constant 1."""
        return self.dissimilarity(batch.images).mean()

    def score_slices(self, images: Tensor, rng: Streams) -> Tensor:
        scores = self.dissimilarity(images).clamp_min(0)
        return F.interpolate(scores, images.shape[-2:], mode="bilinear", align_corners=True)
