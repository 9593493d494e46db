"""VAE: a variational autoencoder learns to reconstruct healthy slices; the residual is the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor, nn

from uadbench.methods.base import Batch, Context, Phase, Update
from uadbench.methods.networks.bottleneck import halvings, kl_divergence, square_side, to_square
from uadbench.methods.networks.grey import GreyConv2d
from uadbench.methods.networks.output import OutputConv2d
from uadbench.methods.params import GreyParams, scoring
from uadbench.methods.reconstruction import SquareReconstruction
from uadbench.methods.seeds import Streams

REVISION = 1
TITLE = "VAE"
FAMILY = "IR"
PAPER = "Kingma and Welling, ICLR 2014; Baur et al., MedIA 2021"
SMALL = {"steps": 4, "batch": 4, "patch": 32, "width": 4, "bottleneck_channels": 4, "latent": 16}
VARIANTS = {"upd": {"title": "VAE (UPD)", "params": {"grey_channels": 3, "compare": "ssim", "sample": True}}}


@dataclass(frozen=True)
class Params(GreyParams):
    """Defaults: UPD_study (Lagogiannis et al. 2024), whose settings for T1 and T2 differ.

    The score is that of Baur et al. 2021, the absolute residual of the reconstruction from the latent mean; UPD_study
    samples the latent code and compares by SSIM: variant `upd`.
    """

    MODALITY: ClassVar[dict[str, dict[str, Any]]] = {"t2": {"width": 16, "bottleneck_channels": 16, "kl_weight": 1e-3}}

    steps: int = 30_000
    batch: int = 64  # slices
    width: PositiveInt = 32  # channels of the first convolution, doubled in each further one; UPD_study, T2: 16
    bottleneck_channels: PositiveInt = 64  # channels at the dense layers; T2: 16
    latent: PositiveInt = 512  # length of the latent code
    kl_weight: NonNegativeFloat = 1e-4  # weight of the KL divergence per latent dimension; T2: 1e-3
    sample: bool = scoring(False)  # score with a random latent code instead of its mean
    compare: Literal["residual", "ssim"] = scoring("residual")  # anomaly map, see methods/scoring/similarity.py


class Baseline(SquareReconstruction):
    """Encodes a slice into a normal distribution and decodes a sample of it."""

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        p, count = params, halvings(params.patch, 2)  # 128 voxels: six times, to 2 x 2
        self.side = square_side(p.patch, count)
        smallest = self.side // 2**count
        widths = [p.width * 2**level for level in range(count)]
        dense = p.bottleneck_channels * smallest**2
        first = layer(GreyConv2d(p.grey_channels, p.width, 3, 2, 1), p.width)
        down = [layer(nn.Conv2d(i, o, 3, 2, 1), o) for i, o in pairwise(widths)]
        up = [layer(nn.ConvTranspose2d(i, o, 3, 2, 1, 1), o) for i, o in pairwise([*widths[::-1], p.width])]
        self.encoder = nn.Sequential(
            first,
            *down,
            layer(nn.Conv2d(widths[-1], p.bottleneck_channels, 1), p.bottleneck_channels),
            nn.Flatten(),
            nn.Linear(dense, 2 * p.latent, bias=False),
        )
        self.decoder = nn.Sequential(
            nn.Linear(p.latent, dense, bias=False),
            nn.Unflatten(1, (p.bottleneck_channels, smallest, smallest)),
            layer(nn.Conv2d(p.bottleneck_channels, widths[-1], 1), widths[-1]),
            *up,
            OutputConv2d(p.width, 1, 1),
        )

    def phases(self) -> Sequence[Phase]:
        p = self.params
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        optimizer = torch.optim.Adam(parameters, lr=p.learning_rate, betas=(0.0, 0.9))  # UPD_study
        return [Phase(p.steps, p.batch, p.patch, [Update(self.loss, optimizer)])]

    def loss(self, batch: Batch) -> Tensor:
        images = to_square(batch.images, self.side)
        noise = torch.randn((len(images), self.params.latent), generator=batch.rng["latent"], device=images.device)
        return self.negative_elbo(images, noise).mean()

    def negative_elbo(self, images: Tensor, noise: Tensor) -> Tensor:
        """Mean squared error + weighted mean KL divergence of images (N, 1, side, side): (N,).

        noise: deviation of the latent code from its mean, in standard deviations, (N, latent) or one for all.
        """
        mean, log_variance = self.encoder(images).float().chunk(2, 1)
        restored = self.decoder(mean + (0.5 * log_variance).exp() * noise).float()
        divergence = kl_divergence(mean, log_variance)
        return (images - restored).square().mean((1, 2, 3)) + self.params.kl_weight * divergence

    def restored(self, images: Tensor, rng: Streams) -> Tensor:
        mean, log_variance = self.encoder(images).float().chunk(2, 1)
        if self.params.sample:
            # One draw for all slices of a volume: the result does not depend on the batch size.
            noise = torch.randn((1, mean.shape[1]), generator=rng.child("score")["latent"], device=mean.device)
            mean = mean + (0.5 * log_variance).exp() * noise
        return self.decoder(mean)


def layer(convolution: nn.Module, channels: int) -> nn.Sequential:
    """A convolution, batch normalisation and leaky ReLU."""
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.LeakyReLU(0.01))
