"""f-AnoGAN: a GAN learns to make healthy slices, then an encoder to find a slice's latent code; what is left is odd."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.method import Batch, Context, Phase, Update
from harness.networks.bottleneck import halvings, square_side, to_square
from harness.networks.wgan import Critic, encoder, generator, gradient_penalty
from harness.scoring.reconstruction import SquareReconstruction
from harness.settings import TrainingParams, scoring
from harness.training.seeds import Streams

REVISION = 1
TITLE = "f-AnoGAN"
FAMILY = "IR"
PAPER = "Schlegl et al., MedIA 2019"
SMALL = {"steps": 4, "encoder_steps": 4, "batch": 4, "patch": 32, "width": 4, "latent": 8}
VARIANTS = {"upd": {"title": "f-AnoGAN (UPD)", "params": {"compare": "ssim"}}}


@dataclass(frozen=True)
class Params(TrainingParams):
    """Defaults: UPD_study (Lagogiannis et al. 2024), but the score is the absolute residual, as published.

    Generator and encoder are always of the same seed; UPD_study's scripts score every seed with the first one's
    generator. Gulrajani et al. 2017 make five updates of the critic for one of the generator, on batches of their own.
    """

    steps: int = 30_000  # of critic and generator
    encoder_steps: int = 10_000
    batch: int = 64  # slices
    learning_rate: float = 2e-4  # of critic and generator
    encoder_learning_rate: float = 5e-5
    width: int = 64  # channels at the image's resolution
    latent: int = 128  # length of the latent code
    critic_updates: int = 1  # per update of the generator, on the same slices
    penalty: float = 10.0  # weight of the gradient penalty; Gulrajani et al. 2017
    kappa: float = 1.0  # weight of the difference of the critic's features; Schlegl et al. 2019
    compare: Literal["residual", "ssim"] = scoring("residual")  # the map, see harness/scoring/similarity.py


class Baseline(SquareReconstruction):
    """WGAN-GP with residual networks, then the encoder by izi_f: image to latent code to image, and features."""

    float16 = False  # the gradient penalty's own gradients would not be scaled

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        p, count = params, halvings(params.patch, 4)  # 128 voxels: five times, to 4 x 4
        self.side = square_side(p.patch, count)
        self.generator = generator(p.latent, p.width, self.side, count)
        self.critic = Critic(p.width, self.side, count)
        self.encoder = encoder(p.latent, p.width, self.side, count)

    def phases(self) -> Sequence[Phase]:
        p = self.params

        def adam(network: nn.Module) -> torch.optim.Optimizer:
            return torch.optim.Adam(network.parameters(), lr=p.learning_rate, betas=(0.0, 0.9))

        critic = Update(self.critic_loss, adam(self.critic), name="critic")
        made = Update(self.generator_loss, adam(self.generator), name="generator")
        found = Update(self.encoder_loss, torch.optim.RMSprop(self.encoder.parameters(), lr=p.encoder_learning_rate))
        updates = [critic] * p.critic_updates + [made]
        return [
            Phase(p.steps, p.batch, p.patch, updates, True, "gan", validation=self.distance, adversarial=True),
            Phase(p.encoder_steps, p.batch, p.patch, [found], resize=True, name="encoder"),
        ]

    def fake(self, batch: Batch) -> Tensor:
        """As many images (N, 1, side, side) as the batch has slices, from standard normal codes."""
        shape = (len(batch.images), self.params.latent)
        return self.generator(torch.randn(shape, generator=batch.rng["latent"], device=batch.images.device)).float()

    def distance(self, batch: Batch) -> Tensor:
        """The critic's estimate of the Wasserstein distance of real and generated slices."""
        real = to_square(batch.images, self.side)
        return (self.critic(real)[0] - self.critic(self.fake(batch))[0]).mean()

    def critic_loss(self, batch: Batch) -> Tensor:
        real = to_square(batch.images, self.side)
        with torch.no_grad():
            fake = self.fake(batch)
        share = torch.rand(len(real), generator=batch.rng["penalty"], device=real.device)
        # By `forward`: a compiled network could not be differentiated twice.
        penalty = gradient_penalty(lambda images: self.critic.forward(images)[0], real, fake, share)
        return (self.critic(fake)[0] - self.critic(real)[0]).mean() + self.params.penalty * penalty

    def generator_loss(self, batch: Batch) -> Tensor:
        with frozen(self.critic):
            return -self.critic(self.fake(batch))[0].mean()

    def encoder_loss(self, batch: Batch) -> Tensor:
        """izi_f: squared error of the image, and of the critic's features."""
        real = to_square(batch.images, self.side)
        self.generator.eval()  # keeps its batch statistics
        with frozen(self.generator, self.critic):
            restored = self.generator(self.encoder(real)).float()
            features = [self.critic(images)[1].float() for images in (real, restored)]
        return F.mse_loss(restored, real) + self.params.kappa * F.mse_loss(*features)

    def restored(self, images: Tensor, rng: Streams) -> Tensor:
        """G(E(x))."""
        return self.generator(self.encoder(images))


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Networks that gradients pass through without being counted for their own weights."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)
