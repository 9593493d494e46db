"""Filters of score maps in axial slices: erosion of the brain and median, of a method's own or of the study for all."""

import torch
from torch import Tensor
from torch.nn import functional as F

from uadbench.methods.postprocessing import Postprocessing

SLICES = 16  # filtered at once: a median of 31 x 31 gathers 961 copies of them


def eroded(mask: Tensor, side: int) -> Tensor:
    """Voxels of a mask (N, 1, H, W) with more than 95 % of their square neighbourhood in it.

    Up to 3 x 3 that is erosion by the square; 5 x 5 lets one voxel be outside (AntanasKascenas/DenoisingAE).
    """
    return F.avg_pool2d(mask.float(), side, stride=1, padding=side // 2) > 0.95


def median_filter(images: Tensor, side: int) -> Tensor:
    """Median of each voxel's square neighbourhood; images (N, 1, H, W), mirrored at their border; side odd."""
    if side == 1:
        return images
    padded = F.pad(images, [side // 2] * 4, mode="reflect")
    return padded.unfold(2, side, 1).unfold(3, side, 1).flatten(-2).median(-1).values


def filtered(scores: Tensor, volume: Tensor, chosen: Postprocessing) -> Tensor:
    """A score map (D, H, W) with the post-processing of a study: 0 outside of the eroded brain, then the median."""
    slices = (scores * eroded((volume > 0)[:, None], chosen.erosion)[:, 0])[:, None]
    median = torch.cat([median_filter(part, chosen.median) for part in slices.split(SLICES)])[:, 0]
    return median * (volume > 0)
