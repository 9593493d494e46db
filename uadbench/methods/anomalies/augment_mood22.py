"""Augmentation as in the public code of MOOD22 (snavalm/mood22), on axial slices; the background stays 0.

That code transforms volumes by MONAI, each transform with its own probability and interpolation. Here a slice is
interpolated once, and what moves or turns it out of its plane is omitted.
"""

import functools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from uadbench.methods.anomalies.augment import changed, noise_like, resampled, wide
from uadbench.methods.anomalies.draws import Draws
from uadbench.methods.anomalies.filters import gaussian_blur

DEGREE = 3  # of the polynomials of the bias field
COEFFICIENT = 0.3  # largest coefficient of the bias field
LARGEST_BLUR = 1.5  # mm


def warped(
    images: Tensor, generator: torch.Generator, mirror: float = 0.1, geometry: float = 0.1
) -> tuple[Tensor, Tensor]:
    """Images (N, 1, H, W) mirrored along either axis, each with probability `mirror`, zoomed and rotated.

    Zoom of .9-1.1 and rotation by at most .1 rad apply with probability `geometry` each. Values from outside are 0.
    Also returns which images were zoomed or rotated, bool (N,).
    """
    draws = Draws(len(images), generator)
    for axis in (-2, -1):
        images = torch.where(wide(draws.chance(mirror)), images.flip(axis), images)
    zero = torch.zeros(len(images), device=images.device)
    scale = torch.where(draws.chance(geometry), draws.uniform(0.9, 1.1), zero + 1)
    angle = torch.where(draws.chance(geometry), draws.uniform(-0.1, 0.1), zero)
    bent = (angle != 0) | (scale != 1)
    return changed(images, bent, lambda part, at: resampled(part, angle[at], scale[at])), bent


def turned(crops: Tensor, generator: torch.Generator, probability: float = 0.1) -> Tensor:
    """Crops (N, 1, h, w), turned with a probability by one, two or three quarters around their middle.

    Crops rather than slices, whose longer side would leave the frame.
    """
    draws = Draws(len(crops), generator)
    hit, angle = draws.chance(probability), (1 + draws.choice(3)) * (math.pi / 2)
    return changed(crops, hit, lambda part, at: resampled(part, angle[at], torch.ones_like(angle[at])))


def recoloured(images: Tensor, generator: torch.Generator, spacing: float = 1.0, probability: float = 0.1) -> Tensor:
    """Images (N, 1, H, W) in [0, 1] with augmented grey values; the background stays 0, all else above it.

    Each transform applies with `probability`: noise up to .01, a bias field, blur of .25-1.5 mm (`spacing` in mm),
    gamma .5-1.5 relative to an image's maximum.
    """
    foreground = images > 0
    draws = Draws(len(images), generator)
    hit, deviation = draws.chance(probability), wide(draws.uniform(0.0, 0.01))
    images = changed(images, hit, lambda part, at: part + deviation[at] * noise_like(part, generator))
    hit, field = draws.chance(probability), bias_field(len(images), (images.shape[-2], images.shape[-1]), generator)
    images = changed(images, hit, lambda part, at: part * field[at])
    hit, sigma = draws.chance(probability), draws.uniform(0.25, LARGEST_BLUR) / spacing
    images = changed(images, hit, lambda part, at: gaussian_blur(part, sigma[at], LARGEST_BLUR / spacing))
    hit, exponent = draws.chance(probability), wide(draws.uniform(0.5, 1.5))

    def gamma(part: Tensor, at: Any) -> Tensor:
        top = part.amax((2, 3), keepdim=True).clamp_min(1e-6)
        return top * (part / top).clamp_min(1e-6) ** exponent[at]

    images = changed(images, hit, gamma)
    return images.clamp(1e-3, 1) * foreground


def disturbed(patches: Tensor, generator: torch.Generator, probability: float = 0.2) -> Tensor:
    """Foreign patches (N, 1, h, w) in [0, 1], disturbed with their background, which may thus rise above 0.

    Each applies with `probability`: a shift of all grey values by at most .2, noise up to .2, and, after clipping to
    [0, 1], rotation by at most 1 rad, which repeats the values of the border.
    """
    draws = Draws(len(patches), generator)
    hit, shift = draws.chance(probability), wide(draws.uniform(-0.2, 0.2))
    patches = changed(patches, hit, lambda part, at: part + shift[at])
    hit, deviation = draws.chance(probability), wide(draws.uniform(0.0, 0.2))
    patches = changed(patches, hit, lambda part, at: part + deviation[at] * noise_like(part, generator)).clamp(0, 1)
    hit, angle = draws.chance(probability), draws.uniform(-1.0, 1.0)
    same = torch.ones_like(angle)
    return changed(patches, hit, lambda part, at: resampled(part, angle[at], same[at], outside="border"))


def bias_field(count: int, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Smooth positive fields (count, 1, H, W): a slice at any height of exp(sum c_ijk P_i(y) P_j(x) P_k(z)).

    P: Legendre polynomials on [-1, 1] across the image, i + j + k <= DEGREE; c uniform in [0, COEFFICIENT].
    """
    device = generator.device
    draws = torch.rand((count, DEGREE + 1, DEGREE + 1, DEGREE + 1), generator=generator, device=device)
    height = 2 * torch.rand(count, generator=generator, device=device) - 1
    powers = height[:, None] ** torch.arange(DEGREE + 1, device=device)
    total = sum(torch.meshgrid(*[torch.arange(DEGREE + 1, device=device)] * 3, indexing="ij"))
    coefficients = COEFFICIENT * draws * (total <= DEGREE)
    at_height = torch.einsum("nijk,nk->nij", coefficients, powers @ _powers(device))
    rows, columns = (_legendre(side, device) for side in size)
    return (rows @ at_height @ columns.T).exp()[:, None]


@functools.cache
def _powers(device: torch.device) -> Tensor:
    """Coefficients of the power m in the Legendre polynomial k, (m, k)."""
    rows = [np.pad(np.polynomial.legendre.leg2poly(np.eye(k + 1)[k]), (0, DEGREE - k)) for k in range(DEGREE + 1)]
    return torch.tensor(np.array(rows).T, dtype=torch.float32, device=device)


@functools.cache
def _legendre(length: int, device: torch.device) -> Tensor:
    """Legendre polynomials 0…DEGREE at even places from -1 to 1, (length, DEGREE + 1)."""
    values = np.polynomial.legendre.legvander(np.linspace(-1, 1, length), DEGREE)
    return torch.tensor(values, dtype=torch.float32, device=device)
