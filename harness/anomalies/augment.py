"""Augmentation of healthy slices, batched on the device; the background stays 0.

Kinds, ranges and probabilities are those of the public DISYRE code (snavalm/disyre), which applies them before the
corruption, so that the network's target is the augmented image.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.anomalies.draws import Draws
from harness.anomalies.filters import gaussian_blur, smooth_field


def augment(
    images: Tensor,
    generator: torch.Generator,
    spacing: float = 1.0,
    mirror: float = 0.5,
    geometry: float = 0.1,
    intensity: float = 0.15,
) -> Tensor:
    """Augment images (N, 1, H, W) in [0, 1]; `spacing` in mm gives the lengths of elastic shifts and blur.

    Each kind hits an image with its probability: mirroring of either axis (`mirror`); rotation up to 15 degrees,
    scaling .75-1.25, elastic shifts of some mm (`geometry`); brightness x .9-1.1, gamma .5-2, plain and inverted, noise
    up to .05, blur of .5-1.5 mm (`intensity`).
    """
    images = _mirror(images, generator, mirror)
    images = _geometry(images, generator, spacing, geometry)
    foreground = images > 0
    draws = Draws(len(images), generator)

    def pick(values: Tensor, otherwise: float) -> Tensor:
        chosen = torch.where(draws.chance(intensity), values, torch.full_like(values, otherwise))
        return chosen[:, None, None, None]

    images = (images * pick(draws.uniform(0.9, 1.1), 1.0)).clamp(0, 1)
    images = images.clamp_min(1e-6) ** pick(_gamma(draws), 1.0)
    images = 1 - (1 - images).clamp_min(1e-6) ** pick(_gamma(draws), 1.0)
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    images = images + noise * pick(draws.uniform(0.0, 0.05), 0.0)
    sigma = pick(draws.uniform(0.5, 1.5) / spacing, 0.0).flatten()
    images = gaussian_blur(images, sigma, 1.5 / spacing)
    return images.clamp(1e-3, 1) * foreground


def _gamma(draws: Draws) -> Tensor:
    """Exponents between .5 and 2, as often below 1 as above."""
    return torch.where(draws.chance(0.5), draws.uniform(0.5, 1.0), draws.uniform(1.0, 2.0))


def _mirror(images: Tensor, generator: torch.Generator, probability: float) -> Tensor:
    draws = Draws(len(images), generator)
    for axis in (-2, -1):
        images = torch.where(draws.chance(probability)[:, None, None, None], images.flip(axis), images)
    return images


def _geometry(images: Tensor, generator: torch.Generator, spacing: float, probability: float) -> Tensor:
    """Rotation, scaling and elastic shifts in one interpolation, for the images that any of them hits."""
    draws = Draws(len(images), generator)
    zero = torch.zeros(len(images), device=images.device)
    angle = torch.where(draws.chance(probability), draws.uniform(-math.pi / 12, math.pi / 12), zero)
    scale = torch.where(draws.chance(probability), draws.uniform(0.75, 1.25), zero + 1)
    shift = torch.where(draws.chance(probability), draws.uniform(1.0, 4.0) / spacing, zero)
    height, width = images.shape[-2:]
    field = torch.cat([smooth_field(len(images), (height, width), 5, generator) for _ in range(2)], 1)
    hit = torch.nonzero((angle != 0) | (scale != 1) | (shift != 0)).flatten()
    if not len(hit):
        return images
    y = torch.arange(height, device=images.device, dtype=images.dtype)[None, :, None] - (height - 1) / 2
    x = torch.arange(width, device=images.device, dtype=images.dtype)[None, None, :] - (width - 1) / 2
    cosine, sine = (angle.cos() / scale)[hit, None, None], (angle.sin() / scale)[hit, None, None]
    moved = field[hit] * shift[hit, None, None, None]
    rows, columns = cosine * y + sine * x + moved[:, 0], cosine * x - sine * y + moved[:, 1]
    grid = torch.stack([columns * 2 / max(width - 1, 1), rows * 2 / max(height - 1, 1)], -1)
    images = images.clone()
    images[hit] = F.grid_sample(images[hit], grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    return images
