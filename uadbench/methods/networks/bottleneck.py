"""Helpers for networks with a dense bottleneck, which accept images of one size only, and for their latent code."""

import math

from torch import Tensor
from torch.nn import functional as F

from uadbench.methods.slices import STRIDE


def halvings(patch: int, smallest: int) -> int:
    """Number of halvings of a side of `patch` voxels that keep it at `smallest` or more; at least 1."""
    return max(1, int(math.log2(max(2, patch // smallest))))


def square_side(patch: int, count: int) -> int:
    """Side of the square that holds every slice scaled to `patch` voxels and can be halved `count` times."""
    multiple = math.lcm(STRIDE, 2**count)
    return math.ceil(patch / multiple) * multiple


def to_square(images: Tensor, side: int) -> Tensor:
    """Images (N, C, H, W), H and W at most `side`, padded with zeros below and to the right to (N, C, side, side)."""
    return F.pad(images, (0, side - images.shape[-1], 0, side - images.shape[-2]))


def from_square(square: Tensor, images: Tensor) -> Tensor:
    """The part of `square` (N, C, side, side) that `to_square` did not pad: (N, C, H, W) of the images."""
    return square[..., : images.shape[-2], : images.shape[-1]]


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of N(mean, variance) from N(0, 1), averaged over the latent dimensions: (N, L) to (N,)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean(1)
