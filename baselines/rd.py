"""RD: a student decoder learns to reproduce a frozen teacher's features from a bottleneck; its error is the score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from uadbench.methods.anomalies.filters import smoothed
from uadbench.methods.base import Batch, Context, Phase, SliceMethod, Update
from uadbench.methods.networks.backbones import Backbone
from uadbench.methods.networks.resnet import ARCHITECTURES, BasicBlock, Block, initialise, stage
from uadbench.methods.params import BackboneParams, Smoothing, own_filter
from uadbench.methods.seeds import Streams

REVISION = 2
TITLE = "RD"
FAMILY = "FM"
PAPER = "Deng and Li, CVPR 2022"
SMALL = {"steps": 4, "batch": 4, "patch": 64, "weights": "random", "backbone": "resnet18", "width": 8}
VARIANTS = {"upd": {"title": "RD (UPD)", "params": {"batch": 4, "inputs": "unit", "smoothing": 0.0}}}
HALVED = 32  # total down-sampling factor: padded sides are multiples of this


@dataclass(frozen=True)
class Params(BackboneParams):
    """Defaults: Deng and Li 2022; steps and size of UPD_study (Lagogiannis et al. 2024).

    UPD_study uses batches of 4, no standardisation of the input and no smoothing: variant `upd`.
    """

    steps: int = 10_000  # UPD_study; 200 epochs in the paper
    batch: int = 16  # slices
    learning_rate: float = 5e-3
    smoothing: Smoothing = own_filter(4.0, off=0.0)  # voxels of the scaled slice, standard deviation; 0 = off


class Student(nn.Module):
    """One-class bottleneck and decoder: reconstruction of three stages' features from half the last one's size."""

    def __init__(self, name: str, channels: Sequence[int]) -> None:
        super().__init__()
        # For a teacher other than a ResNet the student uses ResNet-18's blocks.
        block, blocks, base = ARCHITECTURES.get(name, ARCHITECTURES["resnet18"])
        one, two, three = channels
        self.first = nn.Sequential(halving(one, two), halving(two, three))
        self.second = halving(two, three)
        self.bottleneck = stage(block, 3 * three, 2 * three // block.expansion, blocks[3], 2, base)
        inputs = 2 * three
        self.steps = nn.ModuleList()
        for outputs, count in zip((three, two, one), blocks, strict=False):
            self.steps.append(growing(block, inputs, outputs // block.expansion, count, base))
            inputs = outputs
        initialise(self)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        one, two, three = features
        x = self.bottleneck(torch.cat([self.first(one), self.second(two), three], 1))
        copies = []
        for step in self.steps:
            x = step(x)
            copies.append(x)
        return copies[::-1]


def growing(block: Block, inputs: int, planes: int, count: int, base: int) -> nn.Sequential:
    """A stage that doubles the size: transposed convolutions replace those with a stride of 2."""
    blocks = stage(block, inputs, planes, count, 2, base)
    first: Any = blocks[0]
    for owner, name in ((first, "conv1" if block is BasicBlock else "conv2"), (first.downsample, "0")):
        old = getattr(owner, name)
        setattr(owner, name, nn.ConvTranspose2d(old.in_channels, old.out_channels, 2, 2, bias=False))
    return blocks


def halving(inputs: int, outputs: int) -> nn.Sequential:
    """A 3 x 3 convolution that halves the size."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


class Baseline(SliceMethod):
    """Reverse distillation: 1 - cosine similarity of teacher and student, summed over three stages."""

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.teacher = Backbone(params, stages=3)
        self.student = Student(params.backbone, self.teacher.channels[1:])
        self.multiple = HALVED // math.gcd(HALVED, params.zoom)

    def phases(self) -> Sequence[Phase]:
        p = self.params
        optimizer = torch.optim.Adam(self.student.parameters(), lr=p.learning_rate, betas=(0.5, 0.999))
        return [Phase(p.steps, p.batch, p.patch, [Update(self.loss, optimizer)])]

    def pairs(self, images: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Features of teacher and student, stage by stage, of images zero-padded to the down-sampling factor."""
        height, width = images.shape[-2:]
        padded = F.pad(images, (0, -width % self.multiple, 0, -height % self.multiple))
        features = [level.float() for level in self.teacher(padded)[1:]]
        return list(zip(features, [copy.float() for copy in self.student(features)], strict=True))

    def loss(self, batch: Batch) -> Tensor:
        """Sum over stages of 1 - cosine similarity of all features of an image as one vector, mean over images."""
        losses = [1 - F.cosine_similarity(a.flatten(1), b.flatten(1)).mean() for a, b in self.pairs(batch.images)]
        return torch.stack(losses).sum()

    def distance(self, images: Tensor) -> Tensor:
        """Sum over stages of 1 - cosine similarity at every position, resized to the image: (N, 1, H, W) in [0, 6]."""
        height, width = images.shape[-2:]
        size = (height + -height % self.multiple, width + -width % self.multiple)
        return distance_map(self.pairs(images), size)[..., :height, :width]

    def score_slices(self, images: Tensor, rng: Streams) -> Tensor:
        return smoothed(self.distance(images), self.params.smoothing)


def distance_map(pairs: Sequence[tuple[Tensor, Tensor]], size: tuple[int, int]) -> Tensor:
    """Sum over stages of 1 - cosine similarity of teacher and student per position, resized to `size`: (N, 1, H, W)."""
    total = torch.zeros((), device=pairs[0][0].device)
    for teacher, student in pairs:
        apart = (1 - F.cosine_similarity(teacher, student)).clamp_min(0)[:, None]
        total = total + F.interpolate(apart, size, mode="bilinear", align_corners=True)
    return total
