"""r-VAE: a slice is changed step by step until a VAE finds it likely; how much it had to change is the score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor

from baselines.vae import Baseline as VAE
from harness.method import Context
from harness.scoring.reconstruction import SquareReconstruction
from harness.settings import scoring
from harness.training.seeds import Streams

REVISION = 1
TITLE = "r-VAE"
FAMILY = "IR"
PAPER = "Chen et al., MedIA 2020"
REQUIRES = "vae"
SMALL = {"iterations": 3}
VARIANTS = {"upd": {"title": "r-VAE (UPD)", "params": {"compare": "ssim", "averaged": 64}}}

REFERENCE = 128**2  # voxels of the slices that `step` is meant for


@dataclass(frozen=True)
class Params:
    """Defaults: UPD_study (Lagogiannis et al. 2024), but every slice is restored by itself.

    UPD_study takes the gradient of the mean over the 64 slices of a batch, which makes its steps 64 times shorter and
    the last, smaller batch of a test set another experiment: the variant `upd` has those shorter steps for every slice.
    """

    iterations: int = scoring(500)
    step: float = scoring(1000.0)  # of the gradient at 128 x 128 voxels; scaled so that it is the same per voxel
    clip: float = scoring(50.0)  # largest absolute value of the gradient in a voxel
    tv: float = scoring(1.2)  # weight of the total variation of the change; with this step size 2 and more diverge
    averaged: int = scoring(1)  # slices that share a gradient step: it is divided by this
    compare: Literal["residual", "ssim"] = scoring("residual")  # the map, see harness/scoring/similarity.py
    score_batch: int = scoring(64)  # slices at once; bounds memory, changes no result


class Baseline(SquareReconstruction):
    """Nothing is trained; the VAE of the same seed and modality is the prior."""

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.side = self.vae.side

    @property
    def patch(self) -> int:
        return self.vae.patch

    @property
    def vae(self) -> VAE:
        """The trained VAE, not a sub-module: its weights are saved with its own run."""
        return cast(VAE, self.context.required)

    def restored(self, images: Tensor, rng: Streams) -> Tensor:
        """Images (N, 1, side, side) after gradient steps on negative ELBO + tv * TV(x - images), each by itself."""
        p = self.params
        step = p.step * self.side**2 / REFERENCE
        # The same draws for every slice: the result does not depend on how many are restored at once.
        generator = rng.child("restoration")["latent"]
        current = images
        with torch.enable_grad(), torch.autocast(images.device.type, enabled=False):
            for _ in range(p.iterations):
                noise = torch.randn((1, self.vae.params.latent), generator=generator, device=images.device)
                current = current.detach().requires_grad_()
                loss = self.vae.negative_elbo(current, noise) + p.tv * total_variation(current - images)
                (gradient,) = torch.autograd.grad(loss.sum() / p.averaged, current)
                current = current - step * gradient.clamp(-p.clip, p.clip)
        return current.detach()


def total_variation(images: Tensor) -> Tensor:
    """Sum of squared differences of neighbours per voxel: (N, 1, H, W) to (N,)."""
    down, right = images.diff(dim=-2), images.diff(dim=-1)
    return (down.square().sum((1, 2, 3)) + right.square().sum((1, 2, 3))) / images[0].numel()
