"""f-AnoGAN: a GAN generates healthy slices, an encoder maps a slice to its latent code; the residual is the score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from uadbench.methods.base import Batch, Context, Phase, Update
from uadbench.methods.networks.bottleneck import halvings, square_side, to_square
from uadbench.methods.networks.wgan import Critic, encoder, generator, gradient_penalty
from uadbench.methods.params import GreyParams, added, scoring
from uadbench.methods.reconstruction import SquareReconstruction
from uadbench.methods.seeds import Streams

REVISION = 2
TITLE = "f-AnoGAN"
FAMILY = "IR"
PAPER = "Schlegl et al., MedIA 2019"
SMALL = {"steps": 4, "encoder_steps": 4, "batch": 4, "patch": 32, "width": 4, "latent": 8}
VARIANTS = {
    "upd": {
        "title": "f-AnoGAN (UPD)",
        "params": {
            "encoder_steps": 10_000,
            "learning_rate": 2e-4,
            "critic_updates": 1,
            "kernel": 1,
            "enlarging": "shuffled",
            "symmetric": False,
            "generator_frozen": False,
            "own_statistics": True,
            "grey_channels": 3,
            "compare": "ssim",
        },
    }
}


@dataclass(frozen=True)
class Params(GreyParams):
    """Defaults: the public code of Schlegl et al. 2019 (wgangp_64x64.py, z_encoding_izif.py).

    `steps` is UPD_study's: the public code makes seven passes over its own retinal images. The channels at 128 voxels
    are UPD_study's as well; the published network is for 64. Generator and encoder always have the same seed;
    UPD_study's scripts score every seed with the generator of the first.
    """

    steps: int = 30_000  # updates of the generator
    encoder_steps: PositiveInt = 50_000  # updates of the encoder, after the generator's
    batch: int = 64  # slices
    learning_rate: float = 1e-4  # of critic and generator
    encoder_learning_rate: PositiveFloat = 5e-5  # of the encoder
    width: PositiveInt = 64  # channels at the image's resolution
    latent: PositiveInt = 128  # length of the latent code
    critic_updates: PositiveInt = 5  # per generator update; the first shares its batch, each further one draws its own
    kernel: PositiveInt = 3  # voxels, side of the second convolution of down-sampling blocks
    enlarging: Literal["nearest", "shuffled"] = "nearest"  # generator upsampling; uadbench/methods/networks/wgan.py
    symmetric: bool = True  # images in [-1, 1] with tanh output; else in [0, 1] with sigmoid output
    generator_frozen: bool = True  # evaluation mode while the encoder trains; else batch statistics are used
    own_statistics: bool = added(
        False
    )  # score with running statistics of phase gan; else the encoder's batches move them
    penalty: NonNegativeFloat = 10.0  # weight of the gradient penalty; Gulrajani et al. 2017
    kappa: NonNegativeFloat = 1.0  # weight of the difference of the critic's features; Schlegl et al. 2019
    compare: Literal["residual", "ssim"] = scoring("residual")  # anomaly map, see methods/scoring/similarity.py

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, not {self.kernel}")


class Baseline(SquareReconstruction):
    """WGAN-GP with residual networks, then the encoder by izi_f: image to latent code to image, and features."""

    float16 = False  # the gradients inside the gradient penalty would not be scaled

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        p, count = params, halvings(params.patch, 4)  # 128 voxels: five times, to 4 x 4
        self.side = square_side(p.patch, count)
        self.generator = generator(p.latent, p.width, self.side, count, p.enlarging, p.symmetric)
        self.critic = Critic(p.width, self.side, count, p.kernel)
        self.encoder = encoder(p.latent, p.width, self.side, count, p.kernel, p.grey_channels)

    def phases(self) -> Sequence[Phase]:
        p = self.params

        def adam(network: nn.Module) -> torch.optim.Optimizer:
            return torch.optim.Adam(network.parameters(), lr=p.learning_rate, betas=(0.0, 0.9))

        optimizer = adam(self.critic)
        critic = [Update(self.critic_loss, optimizer, name="critic", fresh=n > 0) for n in range(p.critic_updates)]
        made = Update(self.generator_loss, adam(self.generator), name="generator")
        found = Update(self.encoder_loss, torch.optim.RMSprop(self.encoder.parameters(), lr=p.encoder_learning_rate))
        updates = [*critic, made]
        return [
            Phase(p.steps, p.batch, p.patch, updates, "gan", validation=self.distance, adversarial=True),
            Phase(p.encoder_steps, p.batch, p.patch, [found], name="encoder"),
        ]

    def real(self, images: Tensor) -> Tensor:
        """Slices as network inputs: padded to squares, in [-1, 1] if `symmetric`."""
        square = to_square(images, self.side)
        return 2 * square - 1 if self.params.symmetric else square

    def fake(self, batch: Batch) -> Tensor:
        """As many images (N, 1, side, side) as the batch has slices, from standard normal codes."""
        shape = (len(batch.images), self.params.latent)
        return self.generator(torch.randn(shape, generator=batch.rng["latent"], device=batch.images.device)).float()

    def distance(self, batch: Batch) -> Tensor:
        """The critic's estimate of the Wasserstein distance of real and generated slices."""
        real = self.real(batch.images)
        return (self.critic(real)[0] - self.critic(self.fake(batch))[0]).mean()

    def critic_loss(self, batch: Batch) -> Tensor:
        real = self.real(batch.images)
        with torch.no_grad():
            fake = self.fake(batch)
        share = torch.rand(len(real), generator=batch.rng["penalty"], device=real.device)
        # Call `forward`: a compiled network cannot be differentiated twice.
        penalty = gradient_penalty(lambda images: self.critic.forward(images)[0], real, fake, share)
        return (self.critic(fake)[0] - self.critic(real)[0]).mean() + self.params.penalty * penalty

    def generator_loss(self, batch: Batch) -> Tensor:
        with frozen(self.critic):
            return -self.critic(self.fake(batch))[0].mean()

    def encoder_loss(self, batch: Batch) -> Tensor:
        """izi_f: squared error of the image, and of the critic's features."""
        real = self.real(batch.images)
        self.generator.train(self.training and not self.params.generator_frozen)
        for norm in self.generator.modules():
            if isinstance(norm, nn.BatchNorm2d):  # normalises as before, but leaves its running statistics
                norm.track_running_stats = not self.params.own_statistics
        with frozen(self.generator, self.critic):
            restored = self.generator(self.encoder(real)).float()
            features = [self.critic(images)[1].float() for images in (real, restored)]
        return F.mse_loss(restored, real) + self.params.kappa * F.mse_loss(*features)

    def restored(self, images: Tensor, rng: Streams) -> Tensor:
        """G(E(x)), in [0, 1]."""
        made = self.generator(self.encoder(self.real(images)))
        return (made + 1) / 2 if self.params.symmetric else made


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Disable gradients of networks' weights; gradients still pass through the networks."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)
