"""Synthetic corruption of DISYRE and MOOD22: a foreign patch blended in under a soft mask, and its schedule."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from uadbench.methods.anomalies.augment import boxed, cropped, extent, recoloured, warped, window
from uadbench.methods.anomalies.draws import Draws
from uadbench.methods.anomalies.shapes import random_masks
from uadbench.methods.base import Batch
from uadbench.methods.params import AnomalyParams
from uadbench.methods.slices import patch_shape

INSET = 32.0  # mm, half a side of the crops that the public DISYRE code (snavalm/disyre) takes foreign patches from


@dataclass(frozen=True)
class Anomaly:
    """Healthy images, masks and foreign patches, each float32 (N, 1, H, W) in [0, 1]."""

    healthy: Tensor
    mask: Tensor
    foreign: Tensor

    def at(self, alpha: Tensor) -> Tensor:
        """x = (1 - alpha m) x0 + alpha m x_fp for alpha (N,) in [0, 1] (Naval Marimont et al. 2024, eq. 1)."""
        weight = alpha[:, None, None, None] * self.mask
        return (1 - weight) * self.healthy + weight * self.foreign

    def over(self, below: "Anomaly") -> "Anomaly":
        """This anomaly blended over another of the same images, as one mask and one foreign patch.

        At alpha = 1 the result is the image blended with `below` first and with this one after it.
        """
        mask = 1 - (1 - self.mask) * (1 - below.mask)
        added = (1 - self.mask) * below.mask * below.foreign + self.mask * self.foreign
        return Anomaly(self.healthy, mask, torch.where(mask > 0, added / mask.clamp_min(1e-12), 0).clamp(0, 1))


def synthesise(batch: Batch, params: AnomalyParams, spacing: float) -> Anomaly:
    """Draw `params.anomalies` anomalies for every image of a batch of whole slices, cropped to the patch.

    A patch lies anywhere in its slice (`place: field`) or in the bounding box of the slice's brain (`slice`), after
    the warp.
    Foreign patches come from any position of a slice of another subject; all patches of an image from the same slice.
    """
    own, others = batch.rng["augmentation"], batch.rng["foreign augmentation"]
    whole, bent = warped(batch.images, own, spacing, params.mirror, params.geometry)
    if params.place == "slice":
        patch = boxed(whole, params.patch, own, bent)
    else:
        patch = cropped(whole, patch_shape(params.patch, *whole.shape[-2:]), own)
    healthy = recoloured(patch, own, spacing, params.p_intensity)
    foreign, _ = warped(batch.foreign, others, spacing, params.mirror, params.geometry)
    anomaly = _anomaly(healthy, foreign, batch, params, spacing)
    for _ in range(params.anomalies - 1):
        anomaly = _anomaly(healthy, foreign, batch, params, spacing).over(anomaly)
    return anomaly


def _anomaly(healthy: Tensor, foreign: Tensor, batch: Batch, params: AnomalyParams, spacing: float) -> Anomaly:
    """One anomaly for every image: a mask at a random position in its brain, filled from a random foreign position."""
    mask, centres = random_masks(healthy > 0, batch.rng["anomalies"], params, spacing)
    size = (healthy.shape[-2], healthy.shape[-1])
    moved = foreign_patch(foreign, centres, size, INSET / spacing, batch.rng["places"])
    patch = recoloured(moved, batch.rng["foreign augmentation"], spacing, params.p_intensity)
    return Anomaly(healthy, mask * (patch > 0) if params.tissue_only else mask, patch)


def foreign_patch(
    foreign: Tensor, centres: Tensor, size: tuple[int, int], inset: float, generator: torch.Generator
) -> Tensor:
    """Images (N, 1, *size) with a random position of each foreign image (N, 1, H, W) shifted to `centres`.

    centres: int64 (N, 2), row and column in the new images; inset: margin in voxels, along the border of the foreign
    brain's bounding box, from which no position is drawn, so that patches show more brain than background (the public
    DISYRE code draws crops of 64 x 64 mm within that box). The shift is by whole voxels, without interpolation. Beyond
    the foreign image's border values are 0.
    """
    draws = Draws(len(foreign), generator)
    row, column = (_within((foreign[:, 0] > 0).any(axis), inset, draws) for axis in (2, 1))
    return window(foreign, row - centres[:, 0], column - centres[:, 1], size)


def _within(filled: Tensor, inset: float, draws: Draws) -> Tensor:
    """Random positions (N,) at least `inset` inside the first and last of filled (N, L); their middle if too narrow."""
    first, last = extent(filled)
    low, high = first + inset, last - inset
    middle = (first + last) / 2
    low, high = torch.where(low > high, middle, low), torch.where(low > high, middle, high)
    return (low + draws.uniform() * (high - low)).round().long()


def alpha_schedule(steps: int, curve: Literal["rising", "falling", "flipped"] = "rising") -> Tensor:
    """Interpolation factors alpha_t, float32 (steps + 1,), alpha_0 = 0.

    rising: alpha_t = 1 - k_t, nearly 1 at last, with k_t = sqrt(prod_{s <= t} (1 - beta_s)) and beta linear from
    .001 to .2: DDPM's schedule (Ho et al. 2020) shortened to 100 steps, for which its betas grow tenfold (Naval
    Marimont et al. 2024, section 2). The public code (snavalm/disyre) has two other curves: falling, alpha_t = k_t, by
    which it trains, so that a large t means little corruption; and flipped, k_{steps + 1 - t}, by which it restores.
    """
    beta = torch.linspace(1e-3, 0.2, steps, dtype=torch.float64)
    kept = torch.cumprod(1 - beta, 0).sqrt()
    values = {"rising": 1 - kept, "falling": kept, "flipped": kept.flip(0)}[curve]
    return torch.cat([torch.zeros(1, dtype=torch.float64), values]).float()


def restoration_times(total: int, step: int) -> list[int]:
    """Times at which a multi-step restoration evaluates its network: total, total - step, … while above 0.

    The intended reading of Algorithm 1 of Naval Marimont et al. 2024: its line 7 tests a variable that line 9 sets. A
    step of 33 thus ends at t = 1; the public code (snavalm/disyre) makes three even steps, to t = 100, 67 and 33.
    """
    return [total - step * i for i in range(math.ceil(total / step))]
