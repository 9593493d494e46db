"""DDPM with partial diffusion: a slice is noised up to a time t and denoised again; the residual is the score.

DDPMScheduler of diffusers draws Gaussian noise itself in its reverse steps; AnoDDPM needs simplex noise there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from uadbench.methods.anomalies.draws import Draws
from uadbench.methods.base import Batch, Context, Phase, SliceMethod, Update
from uadbench.methods.networks.unet import apply_unet, unet
from uadbench.methods.params import NoiseSteps, UNetParams, added, scoring
from uadbench.methods.seeds import Streams

REVISION = 1
TITLE = "DDPM"
FAMILY = "IR"
PAPER = "Ho et al., NeurIPS 2020; Wyatt et al., CVPRW 2022"
SMALL = {
    "steps": 4,
    "batch": 4,
    "patch": 32,
    "widths": [8, 16],
    "groups": 4,
    "layers": 1,
    "attention_from": 9,
    "stride": 125,
}


@dataclass(frozen=True)
class Params(UNetParams):
    """Defaults: Wyatt et al. 2022 and their public code (AnoDDPM), who compare with Gaussian noise.

    Omitted: their moving average of the weights and their clamping of x_t. As in Ho et al. x_0 is clamped.
    """

    steps: int = 300_000  # 3000 epochs of 100 slices
    batch: int = 1  # slices
    patch: int = 256  # voxels
    widths: tuple[int, ...] = (128, 128, 256, 256, 512, 512)  # 128 x (1, 1, 2, 2, 4, 4)
    attention_from: int = 4  # at 32 x 32 voxels and below
    T: NoiseSteps = 1000  # steps of the diffusion
    start: int = scoring(250)  # noise level t of test slices
    stride: PositiveInt = scoring(1)  # length of a reverse step; 1 visits every t, larger is faster and coarser
    highest: NonNegativeInt = added(0)  # largest t drawn in training, as in Wyatt's public code; 0: T, as in Ho et al.

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.start <= self.T:
            raise ValueError(f"start {self.start} is not between 1 and T = {self.T}")
        if self.highest and not self.start <= self.highest <= self.T:
            raise ValueError(f"highest {self.highest} is neither 0 nor between start = {self.start} and T = {self.T}")


class Baseline(SliceMethod):
    """Predicts the noise in x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) noise; images are scaled to [-1, 1]."""

    alpha_bar: Tensor

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.unet = unet(params)
        self.register_buffer("alpha_bar", alpha_bar_schedule(params.T), persistent=False)

    def phases(self) -> Sequence[Phase]:
        p = self.params
        optimizer = torch.optim.AdamW(self.unet.parameters(), lr=p.learning_rate, weight_decay=0.0)
        return [Phase(p.steps, p.batch, p.patch, [Update(self.loss, optimizer, clip=1.0)])]

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Noise (N, 1, H, W): standard normal."""
        return torch.randn(shape, generator=generator, device=generator.device)

    def loss(self, batch: Batch) -> Tensor:
        """Squared error of the predicted noise, t uniform in 1…`highest`."""
        x = 2 * batch.images - 1
        t = 1 + Draws(len(x), batch.rng["times"]).choice(self.params.highest or self.params.T)
        noise = self.noise(tuple(x.shape), batch.rng["noise"])
        return (self.predict(diffused(x, noise, self.alpha_bar[t]), t) - noise).square().mean()

    def predict(self, x: Tensor, t: Tensor | int) -> Tensor:
        """The noise in x_t (N, 1, H, W); the network counts t from 0."""
        return apply_unet(self.unet, x, t - 1, self.params).float()

    def restore_slices(self, images: Tensor, rng: Streams) -> Tensor:
        """Images (N, 1, H, W) in [0, 1], noised to t = `start` and denoised step by step."""
        p = self.params
        # One noise field for all slices of a volume: the result does not depend on the batch size.
        generator, shape = rng.child("diffusion")["noise"], (1, 1, *images.shape[-2:])
        x = diffused(2 * images - 1, self.noise(shape, generator), self.alpha_bar[p.start])
        for t, following in pairwise([*range(p.start, 0, -p.stride), 0]):
            mean, deviation = reverse_step(x, self.predict(x, t), self.alpha_bar[t], self.alpha_bar[following])
            x = mean + deviation * self.noise(shape, generator) if following else mean
        return ((x + 1) / 2).clamp(0, 1)

    def score_slices(self, images: Tensor, rng: Streams) -> Tensor:
        return (images - self.restore_slices(images, rng)).abs()


def alpha_bar_schedule(T: int) -> Tensor:
    """alpha_bar at t = 0…T, prod(1 - beta): betas rise linearly, from 1e-4 to 0.02 at T = 1000.

    For other T betas are scaled to about the same final alpha_bar (Ho et al. 2020; public code of Wyatt et al. 2022).
    """
    betas = torch.linspace(1e-4, 0.02, T, dtype=torch.float64) * 1000 / T
    return torch.cat([torch.ones(1), (1 - betas.clamp_max(0.999)).cumprod(0).float()])


def diffused(x: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """x_t for x_0 (N, 1, H, W) and alpha_bar_t, one or (N,)."""
    alpha_bar = alpha_bar.reshape(-1, 1, 1, 1)
    return alpha_bar.sqrt() * x + (1 - alpha_bar).sqrt() * noise


def reverse_step(x: Tensor, noise: Tensor, alpha_bar: Tensor, later: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of x_s given x_t and the noise in it, for s < t.

    alpha_bar, later: alpha_bar at t and at s. Ho et al. 2020, equations 7 and 11, with their variance
    beta_t = 1 - alpha_bar_t / alpha_bar_s; x_0 is clamped to [-1, 1].
    """
    beta = 1 - alpha_bar / later
    x0 = ((x - (1 - alpha_bar).sqrt() * noise) / alpha_bar.sqrt()).clamp(-1, 1)
    mean = (later.sqrt() * beta * x0 + (alpha_bar / later).sqrt() * (1 - later) * x) / (1 - alpha_bar)
    return mean, beta.sqrt()
