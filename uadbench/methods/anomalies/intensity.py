"""Intensity changes of synthetic anomalies: foreign patches matched to their host, and intensity biases."""

import torch
from torch import Tensor

from uadbench.methods.anomalies.draws import Draws, constant
from uadbench.methods.anomalies.filters import gaussian_blur


def matched(foreign: Tensor, host: Tensor, mask: Tensor) -> Tensor:
    """Foreign patches scaled linearly to the host's minimum and maximum in the mask, in [0, 1].

    All float32 (N, 1, H, W); the mask is where values are above 0. A patch without contrast becomes the minimum.
    """
    inside = mask > 0

    def extremes(images: Tensor) -> tuple[Tensor, Tensor]:
        low = torch.where(inside, images, torch.inf).amin((1, 2, 3), keepdim=True)
        high = torch.where(inside, images, -torch.inf).amax((1, 2, 3), keepdim=True)
        return low.nan_to_num(0, 0, 0), high.nan_to_num(0, 0, 0)  # an empty mask has no extremes

    (low, high), (least, most) = extremes(foreign), extremes(host)
    share = (foreign - low) / (high - low).clamp_min(1e-6)
    return (least + share * (most - least)).clamp(0, 1)


def intensity_bias(
    images: Tensor, mask: Tensor, levels: tuple[float, ...], blur: float, offset: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Fields in [0, 1] (N, 1, H, W) that are high in the selected intensity classes of an image, and signs (N,).

    Each voxel belongs to the nearest of `levels`. A class with n of the mask's voxels (values above 0) is selected with
    probability n / (voxels of the mask + offset); without any selected class all are. The selection is blurred by a
    Gaussian of `blur` voxels. The sign is +1 or -1, equally probable. After preprocessing/bias.py of snavalm/disyre.
    """
    draws = Draws(len(images), generator)
    centres = constant(levels, images.device)
    nearest = (images[:, 0, :, :, None] - centres).abs().argmin(-1).flatten(1)
    inside = (mask > 0).flatten(1).to(images.dtype)
    counts = images.new_zeros(len(images), len(levels)).scatter_add_(1, nearest, inside)
    probability = counts / (counts.sum(1, keepdim=True) + offset)
    chosen = torch.stack([draws.uniform() for _ in levels], 1) < probability
    chosen = chosen | ~chosen.any(1, keepdim=True)
    selected = torch.gather(chosen, 1, nearest).reshape(images.shape).to(images.dtype)
    sign = torch.where(draws.chance(0.5), 1.0, -1.0)
    return gaussian_blur(selected, torch.full_like(sign, blur), blur) if blur > 0 else selected, sign
