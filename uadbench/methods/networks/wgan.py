"""Residual networks of WGAN-GP (Gulrajani et al. 2017) for grey images, and its gradient penalty."""

from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from uadbench.methods.networks.grey import GreyConv2d
from uadbench.methods.networks.output import OutputConv2d

Network = TypeVar("Network", bound=nn.Module)

MULTIPLES = (1, 2, 4, 4, 8, 8)  # of the width, from the image's resolution to the coarsest


class ResidualBlock(nn.Module):
    """Two convolutions after normalisation and ReLU, with a 1 x 1 shortcut; doubles or halves the resolution.

    enlarge: upsampling function, `nearest` or `shuffled`; None halves the resolution after a second convolution with
    this `kernel`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        norms: tuple[nn.Module, nn.Module],
        enlarge: Callable[[Tensor], Tensor] | None = None,
        kernel: int = 3,
    ) -> None:
        super().__init__()
        self.enlarge = enlarge
        middle, kernel = (outputs, 3) if enlarge else (inputs, kernel)
        self.norm_in, self.norm_out = norms
        self.conv_in = nn.Conv2d(inputs, middle, 3, padding=1, bias=False)
        self.conv_out = nn.Conv2d(middle, outputs, kernel, padding=kernel // 2)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.norm_in(x))
        if self.enlarge:
            h = self.conv_in(self.enlarge(h))
            return self.conv_out(F.relu(self.norm_out(h))) + self.shortcut(self.enlarge(x))
        h = self.conv_out(F.relu(self.norm_out(self.conv_in(h))))
        return F.avg_pool2d(h, 2) + self.shortcut(F.avg_pool2d(x, 2))


def nearest(x: Tensor) -> Tensor:
    """Nearest-neighbour upsampling, (N, C, H, W) to (N, C, 2 H, 2 W). Gulrajani et al. and Schlegl et al."""
    return F.interpolate(x, scale_factor=2.0)


def shuffled(x: Tensor) -> Tensor:
    """Pixel shuffle of four copies of maps (N, C, H, W): (N, C, 2 H, 2 W).

    UPD_study's translation of `nearest` to PyTorch: squares of channel c hold four channels from 4 c on, modulo C.
    """
    return F.pixel_shuffle(x.repeat(1, 4, 1, 1), 2)


ENLARGING = {"nearest": nearest, "shuffled": shuffled}


def generator(latent: int, width: int, side: int, halvings: int, enlarging: str, symmetric: bool) -> nn.Sequential:
    """A network from noise (N, latent) to images (N, 1, side, side) in [0, 1], or in [-1, 1] if `symmetric`."""
    channels, base = _channels(width, halvings)[::-1], side // 2**halvings
    enlarge = ENLARGING[enlarging]
    blocks = [ResidualBlock(i, o, (nn.BatchNorm2d(i), nn.BatchNorm2d(o)), enlarge) for i, o in pairwise(channels)]
    last = nn.Tanh() if symmetric else nn.Sigmoid()
    head = [nn.BatchNorm2d(width), nn.ReLU(), OutputConv2d(width, 1, 3, padding=1), last]
    start = [nn.Linear(latent, channels[0] * base**2), nn.Unflatten(1, (channels[0], base, base))]
    return initialised(nn.Sequential(*start, *blocks, *head))


def encoder(latent: int, width: int, side: int, halvings: int, kernel: int, grey: int = 1) -> nn.Sequential:
    """A network from images (N, 1, side, side), in `grey` channels, to latent codes (N, latent) in [-1, 1]."""
    channels, base = _channels(width, halvings), side // 2**halvings
    blocks = [ResidualBlock(i, o, (nn.BatchNorm2d(i), nn.BatchNorm2d(i)), None, kernel) for i, o in pairwise(channels)]
    head = [nn.Flatten(), nn.Linear(channels[-1] * base**2, latent), nn.Tanh()]
    return initialised(nn.Sequential(GreyConv2d(grey, width, 3, padding=1), *blocks, *head))


class Critic(nn.Module):
    """A network from images (N, 1, side, side) to a real number each, with layer normalisation."""

    def __init__(self, width: int, side: int, halvings: int, kernel: int) -> None:
        super().__init__()
        channels = _channels(width, halvings)
        shapes = [(count, side // 2**level, side // 2**level) for level, count in enumerate(channels)]
        blocks = [
            ResidualBlock(shape[0], after[0], (nn.LayerNorm(shape), nn.LayerNorm(shape)), None, kernel)
            for shape, after in pairwise(shapes)
        ]
        self.features = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), *blocks, nn.Flatten())
        self.out = nn.Linear(channels[-1] * (side // 2**halvings) ** 2, 1)
        initialised(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The output (N,) and the features (N, F) before its last layer."""
        features = self.features(x)
        return self.out(features)[:, 0], features


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """Mean (|gradient| - 1)^2 of a critic's output (N,) at interpolated images: fraction `share` (N,) of the fake."""
    share = share.reshape(-1, *[1] * (real.ndim - 1))
    mixed = (real + share * (fake - real)).detach().requires_grad_()
    with torch.enable_grad(), torch.autocast(real.device.type, enabled=False):
        (gradient,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()


def initialised(network: Network) -> Network:
    """He initialisation of convolutions, Glorot initialisation of dense layers, zero biases."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
        if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
            nn.init.zeros_(module.bias)
    return network


def _channels(width: int, halvings: int) -> list[int]:
    multiples = [*MULTIPLES, *[MULTIPLES[-1]] * halvings]
    return [width * multiple for multiple in multiples[: halvings + 1]]
