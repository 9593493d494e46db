"""Poisson blending of image patches (Pérez et al. 2003), many images at once on the device.

Inside the mask the result f solves, for every voxel i with its four neighbours j,

    sum_j (f_i - f_j) = sum_j g_ij,        f = host outside the mask,

where g is the guidance: target differences between neighbours. All images are solved in parallel: rectangles by sine
transforms, masks of any shape by conjugate gradients.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

CHECK = 10  # iterations between convergence checks, for each of which the host waits for the device
DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1))


def blend(
    host: Tensor, foreign: Tensor, mask: Tensor, alpha: Tensor, tolerance: float = 1e-6, rectangles: bool = False
) -> Tensor:
    """Host images with the foreign ones blended in where the mask is true: float32 (N, 1, H, W).

    host, foreign: float32 (N, 1, H, W); mask: bool (N, 1, H, W), voxels on the image's border are excluded;
    alpha: (N,) in [0, 1]. The guidance is mixed: alpha times the foreign difference, or (1 - alpha) times the host's
    where that is larger in magnitude (Tan et al. 2021). Values may leave the range of the host.

    rectangles: whether each mask is one, with sides along the axes: solved in some twenty operations, without a wait,
    instead of 150 iterations of 25 for squares of 50 voxels.
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
    return solve_rectangles(host, inner, right) if rectangles else solve(host, inner, right, tolerance)


def blend_gradients(host: Tensor, foreign: Tensor, weight: Tensor) -> Tensor:
    """Images whose gradients pass from the host's, where the weight is 0, to the mixed ones, where it is 1.

    host, foreign, weight: float32 (N, 1, H, W), the weight in [0, 1], as in MOOD22's public code by pie-torch (Fourier
    solution of Morel et al. 2012). The difference of two neighbours is the foreign one where that is larger in
    magnitude, else the host's; mean of the two weights. The image is the host at its border, and may differ from it
    outside of the mask. Values may leave the range of the host. float32.
    """
    host, foreign, weight = host.float(), foreign.float(), weight.float()
    inner = torch.zeros_like(host, dtype=torch.bool)
    inner[..., 1:-1, 1:-1] = True
    right = torch.zeros_like(host)
    for direction in DIRECTIONS:
        own, wanted = (image - _neighbour(image, direction) for image in (host, foreign))
        mixed = torch.where(wanted.abs() > own.abs(), wanted, own)
        share = (weight + _neighbour(weight, direction)) / 2
        right += own + share * (mixed - own)
    return solve_rectangles(host, inner, right)


def solve(host: Tensor, mask: Tensor, right: Tensor, tolerance: float = 1e-6, limit: int = 2000) -> Tensor:
    """Solve the equations above by conjugate gradients: float32 (N, 1, H, W), equal to the host outside the mask.

    mask: bool, without border voxels; right: sum_j g_ij. Stops when the residual of every image is below `tolerance`
    times its initial value, or after `limit` iterations.
    """
    inside = mask.to(host.dtype)

    def apply(x: Tensor) -> Tensor:
        return _laplacian(x) * inside

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


def solve_rectangles(host: Tensor, mask: Tensor, right: Tensor) -> Tensor:
    """Solve the same equations where each mask is a rectangle, or empty: float32 (N, 1, H, W), exact but for rounding.

    Sines are the eigenvectors of the equations there, so that each side is one matrix (Buzbee, Golub and Nielson 1970).
    """
    with torch.autocast(host.device.type, enabled=False):
        change = ((right - _laplacian(host)) * mask)[:, 0]
        rows, of_rows = _sines(mask[:, 0].any(2))
        columns, of_columns = _sines(mask[:, 0].any(1))
        change = rows.mT @ change @ columns / (of_rows[:, :, None] + of_columns[:, None, :])
        return host + (rows @ change @ columns.mT)[:, None]


def _sines(inside: Tensor) -> tuple[Tensor, Tensor]:
    """Orthonormal sines (N, L, L), sin(pi place number / (length + 1)), of an interval in each of inside, bool (N, L).

    They are 0 outside of the interval and for numbers above its length. Also their eigenvalues (N, L).
    """
    length = inside.sum(1)[:, None]
    places = inside.cumsum(1) * inside  # 1, 2, … within
    numbers = torch.arange(1, inside.shape[1] + 1, device=inside.device)
    period = 2 * (length + 1)
    # The product of integers is reduced to one period first: float32 would lose its fraction.
    angles = (places[:, :, None] * numbers).remainder(period[:, :, None]) * (2 * math.pi / period)[:, :, None]
    sines = angles.sin() * (2 / (length + 1)).sqrt()[:, :, None] * (numbers <= length)[:, None]
    return sines, 4 * (math.pi * numbers / period).sin().square().clamp_min(
        1e-12
    )  # 2 - 2 cos, without its loss of digits


def _laplacian(x: Tensor) -> Tensor:
    return 4 * x - sum(_neighbour(x, direction) for direction in DIRECTIONS)


def _neighbour(x: Tensor, direction: tuple[int, int]) -> Tensor:
    """The value of every voxel's neighbour in one direction, 0 beyond the border."""
    dy, dx = direction
    height, width = x.shape[-2:]
    padded = F.pad(x, (1, 1, 1, 1))
    return padded[..., 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
