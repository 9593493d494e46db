"""AMCons: a VAE with a penalty for uneven early activations in healthy brain; these activations are the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from uadbench.methods.base import Batch, Context, Phase, SliceMethod, Update
from uadbench.methods.networks.bottleneck import from_square, kl_divergence, square_side, to_square
from uadbench.methods.networks.grey import GreyConv2d
from uadbench.methods.networks.output import OutputConv2d
from uadbench.methods.params import GreyParams, own_filter
from uadbench.methods.seeds import Streams

REVISION = 2
TITLE = "AMCons"
FAMILY = "AB"
PAPER = "Silva-Rodríguez et al., MedIA 2022"
SMALL = {"steps": 4, "batch": 4, "patch": 32, "width": 4, "latent": 4, "erosion": 2, "score_erosion": 1}
VARIANTS = {
    "upd": {
        "title": "AMCons (UPD)",
        "params": {"maximise": False, "erosion": 0, "score_erosion": 0, "grey_channels": 3},
    }
}

HALVINGS = 4  # of the encoder: 128 voxels to 8


@dataclass(frozen=True)
class Params(GreyParams):
    """Defaults: UPD_study (Lagogiannis et al. 2024), except sign and mask of the entropy, which are as published.

    Silva-Rodríguez et al. maximise the entropy of the attention in the eroded union of a batch's brains, from the
    second epoch on (here from the first step), and score only in the eroded brain; their slices have 224 voxels.
    UPD_study minimises it over the whole image, and scores the whole brain: variant `upd`.
    """

    steps: int = 10_000
    batch: int = 8  # slices
    width: PositiveInt = 64  # channels of the first residual stage, doubled in each further one; ResNet-18
    latent: PositiveInt = 32  # length of the latent code
    kl_weight: NonNegativeFloat = 10.0  # weight of the KL divergence
    entropy_weight: NonNegativeFloat = 0.1  # weight of the entropy of the attention
    maximise: bool = True  # maximise the entropy of the attention; False: minimise it
    erosion: NonNegativeInt = 6  # voxels, side of the square that erodes the brain for the entropy; 0: the whole image
    score_erosion: NonNegativeInt = own_filter(6, off=1)  # voxels, likewise for the score; 0 or 1: the whole brain


class Block(nn.Module):
    """Residual block of ResNet-18 (He et al. 2016); `grow` doubles the size between convolution and norm."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, grow: bool = False) -> None:
        super().__init__()
        larger = [nn.Upsample(scale_factor=2.0)] if grow else []
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            *larger,
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or grow or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), *larger, nn.BatchNorm2d(outputs))
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        # Equal to a strided 1 x 1 convolution, which with few channels crashes some CPU builds of torch.
        return F.relu(self.body(x) + self.shortcut(x[..., :: self.stride, :: self.stride]))


class Encoder(nn.Module):
    """ResNet-18 without pooling: images (N, 1, side, side) to mean and log variance (N, 2 latent), and attention."""

    def __init__(self, width: int, latent: int, smallest: int, grey: int = 1) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(HALVINGS)]
        first = nn.Sequential(Block(width, width), Block(width, width))
        self.attended = nn.Sequential(GreyConv2d(grey, width, 7, 2, 3, bias=False), first)
        self.rest = nn.Sequential(*(nn.Sequential(Block(i, o, 2), Block(o, o)) for i, o in pairwise(widths)))
        self.out = nn.Linear(widths[-1] * smallest**2, 2 * latent)
        # As torchvision's ResNet; the input layer keeps torch's default initialisation, as in the public code.
        for module in [*self.attended[1].modules(), *self.rest.modules()]:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance, and the first stage's activations averaged over channels and resized to x."""
        activations = self.attended(x)
        mean = activations.float().mean(1, keepdim=True)
        attention = F.interpolate(mean, x.shape[-2:], mode="bilinear", align_corners=True)
        return self.out(self.rest(activations).flatten(1)), attention


class Baseline(SliceMethod):
    """A VAE with a penalty on its attention map, which is also the score."""

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        p = params
        self.side = square_side(p.patch, HALVINGS)
        smallest = self.side // 2**HALVINGS
        widths = [max(1, 4 * p.width // 2**level) for level in range(HALVINGS + 1)]
        up = [nn.Sequential(Block(i, o, grow=True), Block(o, o)) for i, o in pairwise(widths)]
        self.encoder = Encoder(p.width, p.latent, smallest, p.grey_channels)
        self.decoder = nn.Sequential(
            nn.Linear(p.latent, widths[0] * smallest**2),
            nn.Unflatten(1, (widths[0], smallest, smallest)),
            *up,
            OutputConv2d(widths[-1], 1, 3, padding=1),
        )

    def phases(self) -> Sequence[Phase]:
        p = self.params
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        optimizer = torch.optim.Adam(parameters, lr=p.learning_rate)
        return [Phase(p.steps, p.batch, p.patch, [Update(self.loss, optimizer)])]

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of the image + weighted KL divergence, both summed, ± weighted entropy of the attention."""
        p, images = self.params, to_square(batch.images, self.side)
        code, attention = self.encoder(images)
        mean, log_variance = code.float().chunk(2, 1)
        noise = torch.randn(mean.shape, generator=batch.rng["latent"], device=mean.device)
        logits = self.decoder(mean + (0.5 * log_variance).exp() * noise).float()
        error = F.binary_cross_entropy_with_logits(logits, images, reduction="sum") / len(images)
        divergence = p.latent * kl_divergence(mean, log_variance).mean()
        # The union of the batch's brains, as in the public code: one mask for all its slices.
        union = (images > 0).any(0, keepdim=True).expand_as(images)
        mask = eroded(union, p.erosion) if p.erosion else torch.ones_like(union)
        sign = -1 if p.maximise else 1
        return error + p.kl_weight * divergence + sign * p.entropy_weight * entropy(attention.float(), mask).mean()

    def score_slices(self, images: Tensor, rng: Streams) -> Tensor:
        square = to_square(images, self.side)
        attention = self.encoder(square)[1] * eroded(square > 0, max(1, self.params.score_erosion))
        return from_square(attention, images)

    def restore_slices(self, images: Tensor, rng: Streams) -> Tensor:
        mean, _ = self.encoder(to_square(images, self.side))[0].chunk(2, 1)
        return from_square(self.decoder(mean).sigmoid(), images)


def entropy(attention: Tensor, mask: Tensor) -> Tensor:
    """Entropy in nats of the softmax of a map over its mask, both (N, 1, H, W): (N,); 0 for an empty mask."""
    mask = mask.flatten(1)
    some = mask.any(1)
    logits = attention.flatten(1).masked_fill(~mask & some[:, None], float("-inf"))
    log_share = logits.log_softmax(1)
    return -(log_share.exp() * log_share.masked_fill(~mask, 0)).sum(1)


def eroded(mask: Tensor, side: int) -> Tensor:
    """Erosion of a mask (N, 1, H, W) by a side x side square; voxels outside of the image are not in the mask."""
    outside = F.pad((~mask).float(), (side // 2, (side - 1) // 2) * 2, value=1.0)
    return F.max_pool2d(outside, side, 1) == 0
