"""Optimisers and learning-rate schedules, each stepped once per update."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR


def adamw_one_cycle(
    parameters: Iterable[nn.Parameter], steps: int, learning_rate: float, weight_decay: float = 0.01
) -> tuple[torch.optim.Optimizer, LRScheduler]:
    """AdamW with a one-cycle schedule that peaks at `learning_rate` (Naval Marimont et al. 2024, section 3)."""
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay, fused=True)
    return optimizer, OneCycleLR(optimizer, max_lr=learning_rate, total_steps=steps + 1)
