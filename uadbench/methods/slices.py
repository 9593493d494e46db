"""Axial slices of volumes: sizes in training and scoring, and maps by sliding windows or whole slices."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from uadbench.methods.params import Windows

Maps = dict[str, Tensor]  # maps by name, of images (N, 1, h, w) each of their shape, of volumes (D, H, W)

STRIDE = 8  # sides of patches are multiples of this, so that networks can halve them three times
OVERLAP = 0.5  # minimum fraction of a window that the next one covers
EVEN: Windows = "even"  # places of windows
SIGMA = 0.125  # standard deviation of a window's weights, as a fraction of its side: 16 voxels of 128
LOWEST = 1e-3  # lower bound of the weights: of a side's for even windows, of their product for fixed ones


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


def tiled(
    function: Callable[[Tensor], Maps],
    volume: Tensor,
    patch: int,
    batch: int,
    overlap: float = OVERLAP,
    windows: Windows = EVEN,
) -> Maps:
    """Maps of a volume (D, H, W) by overlapping windows of its slices, blended with Gaussian weights.

    function: maps of images (N, 1, h, w), windows of side `patch`, at most `batch` at once. Slices without brain are
    skipped; maps are 0 in them and outside the brain.
    windows: `even` spreads them evenly inside the slice, where they cover at least `overlap` of one another, and cuts
    them to a smaller slice; `fixed` pads the slice with zeros around its middle until whole windows of the stride
    (1 - overlap) x patch cover it, as the public DISYRE code does (snavalm/disyre).
    """
    height, width = volume.shape[1:]
    h, w = (patch, patch) if windows == "fixed" else patch_shape(patch, height, width)
    tops, lefts = _starts(height, h, overlap, windows), _starts(width, w, overlap, windows)
    top, left = -tops[0], -lefts[0]
    padded = F.pad(volume, (left, max(lefts[-1] + w - width, 0), top, max(tops[-1] + h - height, 0)))
    corners = [(row + top, column + left) for row in tops for column in lefts]
    weight = _gaussian(h, w, volume.device, windows) if len(corners) > 1 else torch.ones((h, w), device=volume.device)
    sums: Maps = {}
    total = torch.zeros(padded.shape[1:], device=volume.device)
    filled = _filled(volume).split(batch)
    for row, column in corners:
        rows, columns = slice(row, row + h), slice(column, column + w)
        total[rows, columns] += weight
        for part in filled:
            for name, scores in function(padded[part, None, rows, columns]).items():
                if name not in sums:
                    sums[name] = torch.zeros(padded.shape, device=volume.device)
                sums[name][part, rows, columns] += scores[:, 0].float() * weight
    inside = (slice(None), slice(top, top + height), slice(left, left + width))
    return {name: (scores / total)[inside] * (volume > 0) for name, scores in sums.items()}


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


def _starts(length: int, window: int, overlap: float, windows: Windows) -> list[int]:
    """Starts of the windows that cover a length; `fixed` ones begin before 0 and end beyond the length."""
    step = max(1, int(window * (1 - overlap)))
    count = 1 + max(0, -(-(length - window) // step))
    if windows == "fixed":
        first = -((window + (count - 1) * step - length) // 2)
        return [first + i * step for i in range(count)]
    return [round(i * (length - window) / max(1, count - 1)) for i in range(count)]


def _gaussian(height: int, width: int, device: torch.device, windows: Windows) -> Tensor:
    """Gaussian weights (height, width), highest in the middle and never 0."""
    sides = []
    for length in (height, width):
        offset = torch.arange(length, device=device) - (length - 1) / 2
        sides.append(torch.exp(-0.5 * (offset / (SIGMA * length)) ** 2))
    if windows == "fixed":
        return (sides[0][:, None] * sides[1]).clamp_min(LOWEST)
    return sides[0].clamp_min(LOWEST)[:, None] * sides[1].clamp_min(LOWEST)
