"""DAE: a U-Net learns to remove coarse Gaussian noise from healthy slices; the filtered residual is the score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from uadbench.methods.anomalies.noise import coarse_noise
from uadbench.methods.base import Batch, Context, Phase, SliceMethod, Update
from uadbench.methods.networks.output import OutputConv2d
from uadbench.methods.params import Channels, FieldOfView, GreyParams, Neighbourhood, added, own_filter
from uadbench.methods.scoring.filters import eroded, median_filter
from uadbench.methods.scoring.similarity import dissimilarity_map
from uadbench.methods.seeds import Streams

REVISION = 4
TITLE = "DAE"
FAMILY = "S-S"
PAPER = "Kascenas et al., MIDL 2022"
SMALL = {"steps": 4, "batch": 4, "patch": 32, "widths": [8, 16], "cells": 8}
VARIANTS = {
    "upd": {
        "title": "DAE (UPD)",
        "params": {
            "steps": 10_000,
            "masked": False,
            "residual": "ssim",
            "erosion": 1,
            "median": 1,
            "clip": 0.0,
            "field": 0.0,
            "foreground": 0.0,
            "grey_channels": 3,
        },
    }
}


@dataclass(frozen=True)
class Params(GreyParams):
    """Defaults: Kascenas et al. 2022 and their public code (AntanasKascenas/DenoisingAE).

    The variant `upd` is that of UPD_study (Lagogiannis et al. 2024), which DISYRE's Table 2 quotes. Kascenas et al.
    keep the weights of the best validation loss, here the last are kept. The first convolution of `upd` standardises 27
    weights over three equal channels, not 9 over one; its effective kernel initially has 1.67 times the spread.
    """

    steps: int = 67_200  # 2100 epochs of 32 steps
    batch: int = 16  # slices
    widths: Channels = (64, 128, 256, 512)  # channels per level
    noise: NonNegativeFloat = 0.2  # standard deviation of the noise
    cells: PositiveInt = 16  # grid points of the noise along the slice's longer side
    weight_decay: NonNegativeFloat = 1e-5  # of Adam
    period: PositiveInt = 3200  # steps from the maximum learning rate to 0, and again back; 100 epochs of 32 steps
    erosion: Neighbourhood = own_filter(5, off=1)  # pixels of the scaled slice, side of the brain's erosion; 1 = off
    median: Neighbourhood = own_filter(5, off=1)  # pixels of the scaled slice, side of the in-plane median; 1 = off
    masked: bool = added(True)  # the loss counts the brain only; UPD_study counts the whole slice
    residual: Literal["absolute", "ssim"] = added("absolute", scoring=True)  # ssim: 1 - SSIM, UPD_study
    clip: NonNegativeFloat = added(0.5)  # maximum norm of the gradient; 0: off, UPD_study
    data_range: PositiveFloat = added(255.0, scoring=True)  # data_range of that SSIM; UPD_study
    field: FieldOfView = added(240.0)  # mm, longer side of the slice that `cells` refers to; 0: of the current slice
    foreground: NonNegativeFloat = added(0.01)  # grey value above which noise, loss and score count a voxel

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.widths) > 4:
            raise ValueError(f"widths must be at most four: slices are padded to multiples of 8; not {self.widths}")


class StandardisedConv(nn.Conv2d):
    """A weight-standardised convolution (Qiao et al. 2019) with reflection padding."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        weight = weight / (weight.flatten(1).std(1) + 1e-5)[:, None, None, None]
        return self._conv_forward(x, weight, self.bias)


def block(inputs: int, outputs: int) -> nn.Sequential:
    """Two convolutions, each followed by Swish and group normalisation."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [StandardisedConv(channels, outputs), nn.SiLU(), nn.GroupNorm(groups(outputs), outputs)]
    return nn.Sequential(*layers)


def groups(channels: int) -> int:
    """Median divisor, the larger of two: 8, 16, 16, 32 of 64, 128, 256, 512 (AntanasKascenas/DenoisingAE)."""
    divisors = [count for count in range(1, channels + 1) if channels % count == 0]
    return divisors[len(divisors) // 2]


class DenoisingUNet(nn.Module):
    """U-Net with average pooling down, transposed convolutions up and skip connections; slices are `grey` channels."""

    def __init__(self, widths: Sequence[int], grey: int = 1) -> None:
        super().__init__()
        self.grey = grey
        self.down = nn.ModuleList(block(i, o) for i, o in zip((grey, *widths[:-1]), widths, strict=True))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(w, n, 2, 2) for n, w in pairwise(widths))
        self.up = nn.ModuleList(block(2 * width, width) for width in widths[:-1])
        self.out = OutputConv2d(widths[0], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x, skips = x.expand(-1, self.grey, -1, -1), []
        for level, down in enumerate(self.down):
            x = down(F.avg_pool2d(x, 2) if level else x)
            skips.append(x)
        for grow, up, skip in zip(reversed(self.grow), reversed(self.up), reversed(skips[:-1]), strict=True):
            x = up(torch.cat([grow(x), skip], 1))
        return self.out(x)


class Baseline(SliceMethod):
    """Denoising autoencoder; at test time no noise is added, and the filtered residual is the anomaly score."""

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.unet = DenoisingUNet(params.widths, params.grey_channels)

    def phases(self) -> Sequence[Phase]:
        p = self.params
        optimizer = torch.optim.Adam(
            self.unet.parameters(), lr=p.learning_rate, weight_decay=p.weight_decay, amsgrad=True
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * (step // 32 * 32) / p.period))
        )
        update = Update(self.loss, optimizer, scheduler, clip=p.clip or None)
        return [Phase(p.steps, p.batch, p.patch, [update])]

    def loss(self, batch: Batch) -> Tensor:
        """Squared error, in the brain if `masked`, averaged over all voxels."""
        x, brain = batch.images, batch.images > self.params.foreground
        cells = self.params.cells / self.context.share(batch, self.params.field)
        noise = coarse_noise(x.shape, cells, self.params.noise, batch.rng["noise"])
        error = self.unet(x + noise * brain) - x
        return (error * brain if self.params.masked else error).square().mean()

    def score_slices(self, images: Tensor, rng: Streams) -> Tensor:
        return self.change(images, self.unet(images))

    def change(self, images: Tensor, restored: Tensor) -> Tensor:
        """Score of images (N, 1, H, W): the residual in the eroded brain mask, median-filtered."""
        p = self.params
        if p.residual == "ssim":
            change = dissimilarity_map(images, restored, range=p.data_range).clamp(0, 1)
        else:
            change = (images - restored).abs()
        return median_filter(change * eroded(images > p.foreground, p.erosion), p.median)

    def restore_slices(self, images: Tensor, rng: Streams) -> Tensor:
        return self.unet(images)
