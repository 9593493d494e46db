"""Optimisers and learning-rate schedules, each stepped once per update."""

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from uadbench.methods.params import CorruptionParams

Scheduled = tuple[torch.optim.Optimizer, LRScheduler]


def adamw_one_cycle(parameters: Iterable[nn.Parameter], params: CorruptionParams) -> Scheduled:
    """AdamW with a one-cycle schedule and peak `learning_rate` (Naval Marimont et al. 2024, section 3)."""
    rate = params.learning_rate
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=params.weight_decay, fused=True)
    return optimizer, OneCycleLR(optimizer, max_lr=rate, total_steps=params.steps + 1)


def adamw_cosine(parameters: Iterable[nn.Parameter], params: CorruptionParams) -> Scheduled:
    """AdamW with linear warm-up to `learning_rate` in `warmup` steps and cosine decay to 0.

    As in the public DISYRE code (snavalm/disyre). The warm-up is limited to a tenth of the training.
    """
    steps, rate, betas = params.steps, params.learning_rate, (params.beta1, 0.999)
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=params.weight_decay, betas=betas, fused=True)
    rise = max(1, min(params.warmup, steps // 10))

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))

    return optimizer, LambdaLR(optimizer, factor)
