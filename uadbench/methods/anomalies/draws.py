"""Random numbers for a batch from one generator."""

import functools
import math
from typing import Any

import torch
from torch import Tensor


class Draws:
    """Draws `count` numbers at a time from a generator, on its device."""

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.count, self.generator, self.device = count, generator, generator.device

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform numbers (count,) in [low, high)."""
        return low + (high - low) * torch.rand(self.count, generator=self.generator, device=self.device)

    def chance(self, probability: float) -> Tensor:
        """True with a probability, (count,)."""
        return self.uniform() < probability

    def choice(self, options: int) -> Tensor:
        """Whole numbers below `options`, (count,)."""
        return torch.randint(options, (self.count,), generator=self.generator, device=self.device)

    def among(self, values: tuple[float, ...]) -> Tensor:
        """Numbers of `values`, equally probable, (count,)."""
        return constant(values, self.device)[self.choice(len(values))]

    def angle(self) -> Tensor:
        """Angles in radians, uniform over the circle."""
        return self.uniform(0.0, 2 * math.pi)

    def pixel(self, allowed: Tensor) -> tuple[Tensor, Tensor]:
        """Row and column of a uniformly drawn allowed pixel of each mask (N, 1, H, W); of any pixel if it is empty."""
        weights = allowed.flatten(1).to(torch.float32)
        weights = torch.where(weights.sum(1, keepdim=True) > 0, weights, torch.ones_like(weights))
        # Inverse transform sampling from the cumulative sum: one draw per image on any device.
        running = weights.cumsum(1)
        target = self.uniform()[:, None] * running[:, -1:]
        place = torch.searchsorted(running, target, right=True).squeeze(1).clamp_max(weights.shape[1] - 1)
        return place // allowed.shape[-1], place % allowed.shape[-1]


@functools.cache
def constant(values: tuple[Any, ...], device: torch.device) -> Tensor:
    """Numbers, or rows of them, as a tensor that is copied to a device once: for every copy the host waits."""
    return torch.tensor(values, device=device)
