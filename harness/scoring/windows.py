"""Scoring volumes slice by slice: overlapping windows blended with Gaussian weights, or whole slices scaled to fit."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.training.sampler import fit, patch_shape

OVERLAP = 0.5  # share of a window that the next one covers at least
SIGMA = 0.125  # standard deviation of the weights as a share of the window: 16 voxels of 128


def by_windows(
    function: Callable[[Tensor], Tensor], volume: Tensor, patch: int, batch: int, overlap: float = OVERLAP
) -> Tensor:
    """Apply `function` to windows of every slice of a volume (D, H, W) and blend: (C, D, H, W).

    function: maps (N, 1, h, w) to (N, C, h, w). Slices without brain are skipped and 0; so is all outside the brain.
    """
    height, width = volume.shape[1:]
    h, w = patch_shape(patch, height, width)
    padded = F.pad(volume, (0, max(w - width, 0), 0, max(h - height, 0)))
    filled = torch.nonzero((volume > 0).flatten(1).any(1)).flatten()
    tops, lefts = _starts(padded.shape[1], h, overlap), _starts(padded.shape[2], w, overlap)
    corners = [(top, left) for top in tops for left in lefts]
    weight = _gaussian(h, w, volume.device) if len(corners) > 1 else torch.ones((h, w), device=volume.device)
    result, total = None, torch.zeros(padded.shape[1:], device=volume.device)
    for top, left in corners:
        total[top : top + h, left : left + w] += weight
        for part in filled.split(batch):
            scores = function(padded[part, None, top : top + h, left : left + w])
            if result is None:
                result = torch.zeros((scores.shape[1], *padded.shape), device=volume.device)
            result[:, part, top : top + h, left : left + w] += scores.float().transpose(0, 1) * weight
    if result is None:
        return torch.zeros((1, *volume.shape), device=volume.device)
    return (result / total)[..., :height, :width] * (volume > 0)


def by_slices(function: Callable[[Tensor], Tensor], volume: Tensor, patch: int, batch: int) -> Tensor:
    """Apply `function` to whole slices of a volume (D, H, W), scaled so that their longer side is at most `patch`.

    function: maps (N, 1, h, w) to (N, C, h, w); its maps are scaled back linearly: (C, D, H, W), 0 outside the brain.
    """
    filled = torch.nonzero((volume > 0).flatten(1).any(1)).flatten()
    result = None
    for part in filled.split(batch):
        slices, (h, w) = fit(volume[part, None], patch)
        scores = function(slices).float()[..., :h, :w]
        if (h, w) != volume.shape[1:]:
            scores = F.interpolate(scores, size=volume.shape[1:], mode="bilinear", align_corners=False)
        if result is None:
            result = torch.zeros((scores.shape[1], *volume.shape), device=volume.device)
        result[:, part] = scores.transpose(0, 1)
    if result is None:
        return torch.zeros((1, *volume.shape), device=volume.device)
    return result * (volume > 0)


def _starts(length: int, window: int, overlap: float = OVERLAP) -> list[int]:
    """Evenly spread starts of windows that cover a length with the wanted overlap."""
    count = 1 if length <= window else 1 + -(-(length - window) // max(1, int(window * (1 - overlap))))
    return [round(i * (length - window) / max(1, count - 1)) for i in range(count)]


def _gaussian(height: int, width: int, device: torch.device) -> Tensor:
    """Weights (height, width), highest in the middle and never 0."""
    sides = []
    for length in (height, width):
        offset = torch.arange(length, device=device) - (length - 1) / 2
        sides.append(torch.exp(-0.5 * (offset / (SIGMA * length)) ** 2).clamp_min(1e-3))
    return sides[0][:, None] * sides[1]
