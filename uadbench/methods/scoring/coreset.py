"""Greedy coreset of feature vectors with a small distance to every vector (Roth et al. 2022)."""

import math

import torch
from torch import Tensor


def greedy_coreset(vectors: Tensor, size: int, first: int = 0) -> tuple[Tensor, Tensor]:
    """Indices int64 (size,) of a subset of vectors (N, C), and the distance (N,) of each vector to its nearest in it.

    Starting from `first`, repeatedly adds the vector farthest from all selected ones (k-centre; Gonzalez 1985), ties to
    the lowest index. Raises ValueError if there are fewer than `size` vectors.
    """
    if size > len(vectors):
        raise ValueError(f"a coreset of {size} needs as many vectors, not {len(vectors)}")
    chosen = torch.zeros(size, dtype=torch.int64, device=vectors.device)
    nearest = torch.full((len(vectors),), torch.inf, device=vectors.device)
    place = torch.full((1,), first, device=vectors.device)
    for index in range(size):
        chosen[index : index + 1] = place
        # `vectors[place]` would read the index on the host and wait for the device.
        nearest = torch.minimum(nearest, (vectors - vectors.index_select(0, place)).square().sum(1))
        place = nearest.argmax(0, keepdim=True)
    return chosen, nearest.sqrt()


def projected(vectors: Tensor, dimensions: int, generator: torch.Generator) -> Tensor:
    """Vectors (N, C) projected to random directions, (N, dimensions); distances are approximately preserved.

    A Gaussian projection (Johnson and Lindenstrauss 1984); vectors with C ≤ `dimensions` are returned unchanged.
    """
    channels = vectors.shape[1]
    if channels <= dimensions:
        return vectors
    directions = torch.randn((channels, dimensions), generator=generator, device=vectors.device)
    with torch.autocast(vectors.device.type, enabled=False):
        return vectors.float() @ (directions / math.sqrt(dimensions))


def nearest_distance(vectors: Tensor, bank: Tensor, chunk: int = 4096) -> Tensor:
    """Euclidean distance (N,) of each vector (N, C) to the nearest of the bank (M, C), in chunks to bound memory."""
    with torch.autocast(vectors.device.type, enabled=False):
        parts = [torch.cdist(part, bank).amin(1) for part in vectors.float().split(chunk)]
    return torch.cat(parts)
