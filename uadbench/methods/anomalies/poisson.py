"""Poisson blending of image patches (Pérez et al. 2003), many images at once on the device.

Inside the mask the result f solves, for every voxel i with its four neighbours j,

    sum_j (f_i - f_j) = sum_j g_ij,        f = host outside the mask,

where g is the guidance: target differences between neighbours. Conjugate gradients solve all images in parallel.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

CHECK = 10  # iterations between convergence checks, each of which waits for the device
DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1))


def blend(host: Tensor, foreign: Tensor, mask: Tensor, alpha: Tensor, tolerance: float = 1e-6) -> Tensor:
    """Host images with the foreign ones blended in where the mask is true: float32 (N, 1, H, W).

    host, foreign: float32 (N, 1, H, W); mask: bool (N, 1, H, W), voxels on the image's border are excluded;
    alpha: (N,) in [0, 1]. The guidance is mixed: alpha times the foreign difference, or (1 - alpha) times the host's
    where that is larger in magnitude (Tan et al. 2021). Values may leave the range of the host.
    """
    # At least float32, and never bfloat16 under autocast: differences of neighbours would be lost.
    host, foreign = host.float(), foreign.float()
    inner = torch.zeros_like(mask)
    inner[..., 1:-1, 1:-1] = mask[..., 1:-1, 1:-1]
    weight = alpha.float()[:, None, None, None]
    right = torch.zeros_like(host)
    for direction in DIRECTIONS:
        wanted = weight * (foreign - _neighbour(foreign, direction))
        own = (1 - weight) * (host - _neighbour(host, direction))
        right += torch.where(own.abs() > wanted.abs(), own, wanted)
    return solve(host, inner, right, tolerance)


def solve(host: Tensor, mask: Tensor, right: Tensor, tolerance: float = 1e-6, limit: int = 2000) -> Tensor:
    """Solve the equations above by conjugate gradients: float32 (N, 1, H, W), equal to the host outside the mask.

    mask: bool, without border voxels; right: sum_j g_ij. Stops when the residual of every image is below `tolerance`
    times its initial value, or after `limit` iterations.
    """
    inside = mask.to(host.dtype)

    def apply(x: Tensor) -> Tensor:
        return (4 * x - sum(_neighbour(x, direction) for direction in DIRECTIONS)) * inside

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum((1, 2, 3), keepdim=True)

    # Solve for the change of the host: its boundary values are 0, and the host's Laplacian moves to the right side.
    change = torch.zeros_like(host)
    residual = right * inside - apply(host)
    direction = residual
    squared = dot(residual, residual)
    goal = squared * tolerance**2
    for iteration in range(limit):
        if iteration % CHECK == 0 and bool((squared <= goal).all()):
            break
        applied = apply(direction)
        step = squared / dot(direction, applied).clamp_min(1e-30)
        change = change + step * direction
        residual = residual - step * applied
        following = dot(residual, residual)
        direction = residual + following / squared.clamp_min(1e-30) * direction
        squared = following
    return host + change


def _neighbour(x: Tensor, direction: tuple[int, int]) -> Tensor:
    """The value of every voxel's neighbour in one direction, 0 beyond the border."""
    dy, dx = direction
    height, width = x.shape[-2:]
    padded = F.pad(x, (1, 1, 1, 1))
    return padded[..., 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
