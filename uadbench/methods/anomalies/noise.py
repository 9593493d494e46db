"""Noise fields for a batch of images, on their device: coarse Gaussian noise, and planes of three-dimensional
OpenSimplex noise (Spencer 2014)."""

import itertools

import torch
from torch import Tensor
from torch.nn import functional as F

from uadbench.methods.anomalies.draws import constant

TABLE = 256  # length of the random permutation that gives every lattice point its gradient
STRETCH = -1 / 6  # of the sum of coordinates: maps space to the integer lattice
SQUISH = 1 / 3  # inverse map
REACH = 2.0  # squared distance from which a lattice point does not contribute
SCALE = 1 / 103  # normalises values to [-1, 1]

#: the 24 gradients: 11 along one axis and 4 along the others, with every sign; in the order of OpenSimplex
GRADIENTS = tuple(
    tuple(float(sign * (11 if axis == long else 4)) for axis, sign in enumerate((right, down, deep)))
    for deep, down, right in itertools.product((1, -1), (1, -1), (-1, 1))
    for long in range(3)
)


def _neighbours() -> list[tuple[int, ...]]:
    """Lattice points, relative to the corner of a cell, that contribute anywhere in the cell."""
    place = torch.linspace(0, 1, 21)
    inside = torch.cartesian_prod(place, place, place)
    found = []
    for corner in itertools.product((-2, -1, 0, 1, 2, 3), repeat=3):
        away = inside - torch.tensor(corner)
        away = away + SQUISH * away.sum(1, keepdim=True)
        if (away.square().sum(1) < REACH).any():
            found.append(corner)
    return found


NEIGHBOURS = _neighbours()


def simplex_noise(
    shape: tuple[int, ...],
    generator: torch.Generator,
    frequency: float = 64.0,
    octaves: int = 6,
    persistence: float = 0.8,
) -> Tensor:
    """Fractal noise (N, C, H, W), each image and channel its own, with mean 0.

    frequency: voxels per unit of the first octave, halved by each further one, which has `persistence` times the weight
    of the one before. The sum is not scaled: its standard deviation is about 0.5, its values lie within
    ±(1 - persistence^octaves) / (1 - persistence). Defaults: AnoDDPM (Wyatt et al. 2022), which also uses planes of
    three-dimensional noise. Every octave has an offset of its own; AnoDDPM starts all at the same lattice point.
    """
    count, channels, height, width = shape
    device = generator.device
    images = count * channels
    ranks = torch.rand((images, TABLE), generator=generator, device=device)
    table = ranks.argsort(1)
    offsets = TABLE * torch.rand((octaves, 3, images, 1, 1), generator=generator, device=device)
    rows = torch.arange(height, device=device, dtype=torch.float32)[:, None]
    columns = torch.arange(width, device=device, dtype=torch.float32)
    total = torch.zeros((images, height, width), device=device)
    for octave, (deep, down, right) in enumerate(offsets):
        cell = frequency / 2**octave
        total += persistence**octave * simplex(deep, rows / cell + down, columns / cell + right, table)
    return total.reshape(shape)


def simplex(z: Tensor, y: Tensor, x: Tensor, table: Tensor) -> Tensor:
    """One octave at the coordinates z, y and x, which broadcast to (N, H, W): the sum over all lattice points p

        (2 - |d|²)⁴ g(p) · d / 103,   d = (x, y, z) - p,   where 2 - |d|² is above 0.

    table: a permutation of 0…TABLE - 1 for each image, (N, TABLE), which selects g(p) from GRADIENTS.
    """
    stretch = STRETCH * (x + y + z)
    places = [torch.floor(side + stretch) for side in (x, y, z)]
    away = [side + stretch - place for side, place in zip((x, y, z), places, strict=True)]
    shape, corners = away[0].shape, [place.long().flatten(1) for place in places]
    directions = constant(GRADIENTS, table.device).T
    numbers = table.remainder(len(GRADIENTS))
    total = torch.zeros(shape, device=table.device)
    for right, group in itertools.groupby(NEIGHBOURS, key=lambda corner: corner[0]):
        first = _entry(table, corners[0] + right)
        for down, line in itertools.groupby(group, key=lambda corner: corner[1]):
            second = _entry(table, first + corners[1] + down)
            for *_, deep in line:
                gradient = _entry(numbers, second + corners[2] + deep).view(shape)
                ex, ey, ez = away[0] - right, away[1] - down, away[2] - deep
                squish = SQUISH * (ex + ey + ez)
                dx, dy, dz = ex + squish, ey + squish, ez + squish
                fade = (REACH - dx.square() - dy.square() - dz.square()).clamp_min(0).square().square()
                gx, gy, gz = (direction[gradient] for direction in directions)
                total = total + fade * (gx * dx + gy * dy + gz * dz)
    return SCALE * total


def _entry(table: Tensor, place: Tensor) -> Tensor:
    """Entries of each image's table at indices (N, P), modulo TABLE."""
    return table.gather(1, place & (TABLE - 1))


def coarse_noise(shape: torch.Size, cells: float, deviation: float, generator: torch.Generator) -> Tensor:
    """Noise (N, C, H, W): N(0, deviation^2) on a grid of points, upsampled bilinearly, rolled at random.

    The grid has `cells` points along the longer side of the image, rounded, and in proportion along the shorter one, so
    that its cells are square; at least two each, and at most one per pixel. Coarse noise hides structures rather than
    texture (Kascenas et al. 2022). One roll serves the whole batch; since the field is not periodic it leaves a seam,
    as in the original.
    """
    count, channels, height, width = shape
    points = [max(2, min(side, round(cells * side / max(height, width)))) for side in (height, width)]
    grid = torch.randn((count, channels, *points), generator=generator, device=generator.device)
    field = F.interpolate(grid * deviation, size=(height, width), mode="bilinear", align_corners=True)
    rolls = torch.rand(2, generator=generator, device=generator.device)
    # `torch.roll` needs the numbers on the host, which would wait for the device.
    for axis, side, roll in zip((-2, -1), (height, width), rolls.unbind(), strict=True):
        places = (torch.arange(side, device=field.device) - (roll * side).long()) % side
        field = field.index_select(axis, places)
    return field
