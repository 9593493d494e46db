"""r-VAE: gradient steps raise a slice's likelihood under a VAE; the change of the slice is the score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import torch
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor
from uadbench.baselines.vae import Baseline as VAE

from uadbench.methods.base import Context
from uadbench.methods.networks.bottleneck import kl_divergence
from uadbench.methods.params import scoring
from uadbench.methods.reconstruction import SquareReconstruction
from uadbench.methods.seeds import Streams

REVISION = 2
TITLE = "r-VAE"
FAMILY = "IR"
PAPER = "Chen et al., MedIA 2020"
REQUIRES = "vae"
SMALL = {"iterations": 3}
VARIANTS = {
    "upd": {
        "title": "r-VAE (UPD)",
        "requires": "vae-upd",
        "params": {
            "objective": "mean",
            "step_size": 1000.0,
            "later_step_size": 1000.0,
            "tv": 1.2,
            "variation": "squares",
            "masked": False,
            "averaged": 64,
            "compare": "ssim",
        },
    }
}

REFERENCE = 128**2  # voxels of the slices that the step size of objective `mean` refers to


@dataclass(frozen=True)
class Params:
    """Defaults: the public script of Chen et al. 2020 (vae_restore.py), on images of unit deviation.

    On images in [0, 1] equivalent steps weight the variation by their `deviation` and the divergence by its square.

    UPD_study uses squared differences, no mask, and the gradient of the mean over the 64 slices of a batch. This makes
    steps 64 times shorter, and inconsistent in the last, smaller batch of a test set: the variant `upd` has those
    shorter steps for every slice.
    """

    iterations: PositiveInt = scoring(500)  # gradient steps
    objective: Literal["sum", "mean"] = scoring("sum")  # over voxels and latent dimensions; mean: the VAE's own loss
    step_size: PositiveFloat = scoring(5e-3)  # gradient step; `mean`: at 128 x 128 voxels, scaled to be equal per voxel
    later_step_size: PositiveFloat = scoring(2e-3)  # step size from iteration `later` on
    later: NonNegativeInt = scoring(100)  # first iteration with `later_step_size`
    clip: PositiveFloat = scoring(50.0)  # maximum absolute value of the gradient in a voxel
    deviation: PositiveFloat = scoring(0.2)  # standard deviation of the intensities in the brain; 1 for Chen et al.
    tv: NonNegativeFloat = scoring(2.2)  # weight of the total variation of the change
    variation: Literal["absolute", "squares"] = scoring("absolute")  # differences of neighbours in the total variation
    masked: bool = scoring(True)  # restrict changes to the brain
    averaged: PositiveInt = scoring(1)  # divisor of gradient steps: slices that a mean gradient averages over
    compare: Literal["residual", "ssim"] = scoring("residual")  # anomaly map, see methods/scoring/similarity.py
    score_batch: PositiveInt = scoring(64)  # slices at once; bounds memory, does not change results


class Baseline(SquareReconstruction):
    """Without training; the VAE of the same seed and modality is the prior."""

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.side = self.vae.side

    @property
    def patch(self) -> int:
        return self.vae.patch

    @property
    def vae(self) -> VAE:
        """The trained VAE; not a sub-module, since its weights are saved with its own run."""
        return cast(VAE, self.context.required)

    def restored(self, images: Tensor, rng: Streams) -> Tensor:
        """Images (N, 1, side, side) after gradient steps on `objective`, independent of each other."""
        p = self.params
        # The same draws for every slice: the result does not depend on the batch size.
        generator = rng.child("restoration")["latent"]
        current, brain = images, images > 0
        scale = self.side**2 / REFERENCE if p.objective == "mean" else 1.0
        with torch.enable_grad(), torch.autocast(images.device.type, enabled=False):
            for iteration in range(p.iterations):
                noise = torch.randn((1, self.vae.params.latent), generator=generator, device=images.device)
                current = current.detach().requires_grad_()
                loss = self.objective(current, images, noise).sum() / p.averaged
                (gradient,) = torch.autograd.grad(loss, current)
                step = scale * (p.step_size if iteration < p.later else p.later_step_size)
                change = step * gradient.clamp(-p.clip, p.clip)
                current = current - (change * brain if p.masked else change)
        return current.detach()

    def objective(self, current: Tensor, images: Tensor, noise: Tensor) -> Tensor:
        """Objective to minimise, (N,): the VAE's negative ELBO of `current` + tv * TV(current - images).

        `sum` adds up squared errors and the KL divergence over voxels and latent dimensions; see `Params` for
        `deviation`.
        """
        p = self.params
        variation = p.tv * total_variation(current - images, p.variation)
        if p.objective == "mean":
            return self.vae.negative_elbo(current, noise) + variation / images[0].numel()
        mean, log_variance = self.vae.encoder(current).float().chunk(2, 1)
        decoded = self.vae.decoder(mean + (0.5 * log_variance).exp() * noise)
        divergence = mean.shape[1] * kl_divergence(mean, log_variance)
        return (current - decoded).square().sum((1, 2, 3)) + p.deviation**2 * divergence + p.deviation * variation


def total_variation(images: Tensor, differences: str) -> Tensor:
    """Sum of absolute or squared (`squares`) differences of neighbours: (N, 1, H, W) to (N,)."""
    down, right = images.diff(dim=-2), images.diff(dim=-1)
    if differences == "squares":
        down, right = down.square(), right.square()
    return down.abs().sum((1, 2, 3)) + right.abs().sum((1, 2, 3))
