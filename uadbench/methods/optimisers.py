"""Optimisers and learning-rate schedules, each stepped once per update."""

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR


def adamw_one_cycle(
    parameters: Iterable[nn.Parameter], steps: int, learning_rate: float, weight_decay: float = 0.01
) -> tuple[torch.optim.Optimizer, LRScheduler]:
    """AdamW with a one-cycle schedule and peak `learning_rate` (Naval Marimont et al. 2024, section 3)."""
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay, fused=True)
    return optimizer, OneCycleLR(optimizer, max_lr=learning_rate, total_steps=steps + 1)


def adamw_cosine(
    parameters: Iterable[nn.Parameter],
    steps: int,
    learning_rate: float,
    weight_decay: float = 0.01,
    beta1: float = 0.9,
    warmup: int = 500,
) -> tuple[torch.optim.Optimizer, LRScheduler]:
    """AdamW with linear warm-up to `learning_rate` in `warmup` steps and cosine decay to 0.

    As in the public DISYRE code (snavalm/disyre). The warm-up is limited to a tenth of the training.
    """
    optimizer = torch.optim.AdamW(
        parameters, lr=learning_rate, weight_decay=weight_decay, betas=(beta1, 0.999), fused=True
    )
    rise = max(1, min(warmup, steps // 10))

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))

    return optimizer, LambdaLR(optimizer, factor)
