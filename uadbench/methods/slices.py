"""Axial slices of volumes: sizes in training and scoring, and maps by sliding windows or whole slices."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Maps = dict[str, Tensor]  # maps by name, of images (N, 1, h, w) each of their shape, of volumes (D, H, W)

STRIDE = 8  # sides of patches are multiples of this, so that networks can halve them three times
OVERLAP = 0.5  # minimum fraction of a window that the next one covers
SIGMA = 0.125  # standard deviation of a window's weights, as a fraction of its side: 16 voxels of 128


def patch_shape(patch: int, height: int, width: int) -> tuple[int, int]:
    """Crop shape for a patch size on slices of (height, width): at most the slice, rounded up to the stride."""
    return tuple(min(patch, math.ceil(side / STRIDE) * STRIDE) for side in (height, width))  # type: ignore[return-value]


def pixel_side(patch: int, height: int, width: int) -> float:
    """Side of a pixel, in voxels, of a slice of (height, width) voxels that `fit` scales to a patch: 1 or more."""
    return max(1.0, max(height, width) / patch)


def fit(slices: Tensor, patch: int) -> tuple[Tensor, tuple[int, int]]:
    """Scale slices (N, C, H, W) so that the longer side is at most `patch`, and pad to the stride with zeros.

    Returns the padded slices and the (height, width) of their content, which starts at the upper left corner.
    """
    height, width = slices.shape[-2:]
    factor = min(1.0, patch / max(height, width))
    if factor < 1:
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        slices = F.interpolate(slices, size=size, mode="bilinear", antialias=True, align_corners=False)
    filled = (slices.shape[-2], slices.shape[-1])
    pad = [-side % STRIDE for side in filled]
    return F.pad(slices, (0, pad[1], 0, pad[0])), filled


def tiled(function: Callable[[Tensor], Maps], volume: Tensor, patch: int, batch: int, overlap: float = OVERLAP) -> Maps:
    """Maps of a volume (D, H, W) by overlapping windows of its slices, blended with Gaussian weights.

    function: maps of images (N, 1, h, w), windows of side `patch`, at most `batch` at once. Slices without brain are
    skipped; maps are 0 in them and outside the brain.
    """
    height, width = volume.shape[1:]
    h, w = patch_shape(patch, height, width)
    padded = F.pad(volume, (0, max(w - width, 0), 0, max(h - height, 0)))
    tops, lefts = _starts(padded.shape[1], h, overlap), _starts(padded.shape[2], w, overlap)
    corners = [(top, left) for top in tops for left in lefts]
    weight = _gaussian(h, w, volume.device) if len(corners) > 1 else torch.ones((h, w), device=volume.device)
    sums: Maps = {}
    total = torch.zeros(padded.shape[1:], device=volume.device)
    filled = _filled(volume).split(batch)
    for top, left in corners:
        rows, columns = slice(top, top + h), slice(left, left + w)
        total[rows, columns] += weight
        for part in filled:
            for name, scores in function(padded[part, None, rows, columns]).items():
                if name not in sums:
                    sums[name] = torch.zeros(padded.shape, device=volume.device)
                sums[name][part, rows, columns] += scores[:, 0].float() * weight
    return {name: (scores / total)[:, :height, :width] * (volume > 0) for name, scores in sums.items()}


def scaled(function: Callable[[Tensor], Maps], volume: Tensor, patch: int, batch: int) -> Maps:
    """Maps of a volume (D, H, W) by whole slices, scaled so that their longer side is at most `patch`.

    function: maps of images (N, 1, h, w), at most `batch` at once; maps are resized back bilinearly. Slices without
    brain are skipped; maps are 0 in them and outside the brain.
    """
    maps: Maps = {}
    for part in _filled(volume).split(batch):
        slices, (h, w) = fit(volume[part, None], patch)
        for name, scores in function(slices).items():
            scores = scores.float()[..., :h, :w]
            if (h, w) != volume.shape[1:]:
                scores = F.interpolate(scores, size=volume.shape[1:], mode="bilinear", align_corners=False)
            if name not in maps:
                maps[name] = torch.zeros(volume.shape, device=volume.device)
            maps[name][part] = scores[:, 0]
    return {name: scores * (volume > 0) for name, scores in maps.items()}


def _filled(volume: Tensor) -> Tensor:
    """Indices of the slices with brain."""
    return torch.nonzero((volume > 0).flatten(1).any(1)).flatten()


def _starts(length: int, window: int, overlap: float = OVERLAP) -> list[int]:
    """Evenly spaced starts of windows that cover a length with an overlap of at least `overlap`."""
    count = 1 if length <= window else 1 + -(-(length - window) // max(1, int(window * (1 - overlap))))
    return [round(i * (length - window) / max(1, count - 1)) for i in range(count)]


def _gaussian(height: int, width: int, device: torch.device) -> Tensor:
    """Gaussian weights (height, width), highest in the middle and never 0."""
    sides = []
    for length in (height, width):
        offset = torch.arange(length, device=device) - (length - 1) / 2
        sides.append(torch.exp(-0.5 * (offset / (SIGMA * length)) ** 2).clamp_min(1e-3))
    return sides[0][:, None] * sides[1]
