"""Synthetic corruption of DISYRE and MOOD22: a foreign patch blended in under a soft mask, and its schedule."""

import math
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
from torch import Tensor

from uadbench.methods.anomalies import augment_mood22 as mood22
from uadbench.methods.anomalies.augment import boxed, cropped, extent, recoloured, warped, window
from uadbench.methods.anomalies.draws import Draws
from uadbench.methods.anomalies.poisson import blend_gradients
from uadbench.methods.anomalies.shapes import random_masks
from uadbench.methods.base import Batch
from uadbench.methods.params import AnomalyParams
from uadbench.methods.slices import patch_shape

INSET = 32.0  # mm, half a side of the crops that the public DISYRE code (snavalm/disyre) takes foreign patches from


class Corruption(Protocol):
    """Healthy images, float32 (N, 1, H, W) in [0, 1], and where and how they are corrupted."""

    @property
    def healthy(self) -> Tensor: ...

    @property
    def mask(self) -> Tensor: ...

    def at(self, alpha: Tensor) -> Tensor:
        """The images corrupted by alpha (N,) in [0, 1]: at 0 the healthy ones, at 1 as much as may be."""


@dataclass(frozen=True)
class Anomaly:
    """Healthy images, masks and foreign patches, each float32 (N, 1, H, W) in [0, 1]."""

    healthy: Tensor
    mask: Tensor
    foreign: Tensor
    blending: Literal["linear", "poisson"] = "linear"

    def at(self, alpha: Tensor) -> Tensor:
        """x = (1 - alpha m) x0 + alpha m x_fp for alpha (N,) in [0, 1] (Naval Marimont et al. 2024, eq. 1).

        poisson: gradients are mixed by alpha m instead (`blend_gradients`); values may leave [0, 1].
        """
        weight = alpha[:, None, None, None] * self.mask
        if self.blending == "poisson":
            return blend_gradients(self.healthy, self.foreign, weight)
        return (1 - weight) * self.healthy + weight * self.foreign

    def over(self, below: "Anomaly") -> "Anomaly":
        """This anomaly blended over another of the same images, as one mask and one foreign patch.

        At alpha = 1 the result is the image blended with `below` first and with this one after it.
        """
        mask = 1 - (1 - self.mask) * (1 - below.mask)
        added = (1 - self.mask) * below.mask * below.foreign + self.mask * self.foreign
        foreign = torch.where(mask > 0, added / mask.clamp_min(1e-12), 0).clamp(0, 1)
        return replace(self, mask=mask, foreign=foreign)


def healthy_patches(batch: Batch, params: AnomalyParams, spacing: float) -> Tensor:
    """A batch of whole slices, augmented and cropped to the patch: float32 (N, 1, h, w).

    A patch lies anywhere in its slice (`place: field`) or in the bounding box of the slice's brain (`slice`), after
    the warp.
    """
    own = batch.rng["augmentation"]
    whole, bent = _warped(batch.images, own, params, spacing)
    if params.place == "slice":
        crops = boxed(whole, params.patch, own, bent)
    else:
        crops = cropped(whole, patch_shape(params.patch, *whole.shape[-2:]), own)
    return _finished(crops, own, params, spacing)


def synthesise(batch: Batch, params: AnomalyParams, spacing: float) -> Anomaly:
    """Draw `params.anomalies` anomalies for every image of a batch of whole slices, cropped to the patch.

    Foreign patches come from any position of a slice of another subject; all patches of an image from the same slice.
    With a probability of 1 - `params.p_anomaly` an image has none: its mask is 0.
    """
    healthy = healthy_patches(batch, params, spacing)
    foreign, _ = _warped(batch.foreign, batch.rng["foreign augmentation"], params, spacing)
    anomaly = _anomaly(healthy, foreign, batch, params, spacing)
    for _ in range(params.anomalies - 1):
        anomaly = _anomaly(healthy, foreign, batch, params, spacing).over(anomaly)
    if params.p_anomaly < 1:
        shown = Draws(len(healthy), batch.rng["presence"]).chance(params.p_anomaly)
        anomaly = replace(anomaly, mask=anomaly.mask * shown[:, None, None, None])
    return anomaly


def _warped(slices: Tensor, generator: torch.Generator, params: AnomalyParams, spacing: float) -> tuple[Tensor, Tensor]:
    """Whole slices, augmented in space, and which were interpolated, bool (N,)."""
    if params.augmentation == "mood22":
        return mood22.warped(slices, generator, params.mirror, params.geometry)
    return warped(slices, generator, spacing, params.mirror, params.geometry)


def _finished(crops: Tensor, generator: torch.Generator, params: AnomalyParams, spacing: float) -> Tensor:
    """Crops of these slices, augmented in what remains."""
    if params.augmentation == "mood22":
        turned = mood22.turned(crops, generator, params.geometry)
        return mood22.recoloured(turned, generator, spacing, params.p_intensity)
    return recoloured(crops, generator, spacing, params.p_intensity)


def _anomaly(healthy: Tensor, foreign: Tensor, batch: Batch, params: AnomalyParams, spacing: float) -> Anomaly:
    """One anomaly for every image: a mask at a random position in its brain, filled from a random foreign position.

    With `canvas` masks lie at any position, and what fills them at the same one of a random crop.
    """
    mask, centres = random_masks(healthy > 0, batch.rng["anomalies"], params, spacing)
    size = (healthy.shape[-2], healthy.shape[-1])
    if params.canvas:
        moved = cropped(foreign, size, batch.rng["places"])
    else:
        moved = foreign_patch(foreign, centres, size, INSET / spacing, batch.rng["places"])
    patch = _finished(moved, batch.rng["foreign augmentation"], params, spacing)
    if params.p_foreign:
        patch = mood22.disturbed(patch, batch.rng["disturbance"], params.p_foreign)
    return Anomaly(healthy, mask * (patch > 0) if params.tissue_only else mask, patch, params.blending)


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
