"""Number format of networks: bfloat16 or float16 with a scaled loss where a card supports it, float32 elsewhere."""

import os
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from uadbench.core.errors import HarnessError

FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
#: environment variable naming one of FORMATS for networks on CUDA; not a run setting, so a change retrains nothing
VARIABLE = "UADBENCH_PRECISION"
#: CUDA's compute capability from which float16 is faster than float32: tensor cores
TENSOR_CORES = (7, 0)


def chosen(device: torch.device) -> torch.dtype:
    """Format of networks on a device: UADBENCH_PRECISION or the best that a CUDA card supports; float32 on a CPU.

    Raises HarnessError where UADBENCH_PRECISION names no format.
    """
    named = os.environ.get(VARIABLE, "")
    if named and named not in FORMATS:
        raise HarnessError(f"{VARIABLE}={named}: no such number format; give {', '.join(FORMATS)} or leave it unset")
    if device.type != "cuda":
        return torch.float32
    return FORMATS[named] if named else best(device)


@lru_cache(maxsize=16)
def best(device: torch.device) -> torch.dtype:
    """bfloat16 where a CUDA card computes in it (Ampere and later), else float16 (Volta, Turing), else float32."""
    with torch.cuda.device(device):
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return torch.bfloat16
    return torch.float16 if torch.cuda.get_device_capability(device) >= TENSOR_CORES else torch.float32


class Precision:
    """Losses and optimiser steps in the format of a device.

    float16 has too small a range for gradients: the loss is scaled before `backward`, gradients are unscaled before
    they are clipped, and a step with non-finite gradients is skipped and the scale halved. Only float16 makes the host
    wait for the device in every step. Methods that refuse float16 (`Method.float16`) run in float32.
    """

    def __init__(self, device: torch.device, float16: bool = True) -> None:
        dtype = chosen(device)
        self.device = device
        self.dtype = torch.float32 if dtype == torch.float16 and not float16 else dtype
        self.scaler = torch.amp.GradScaler(device.type) if self.dtype == torch.float16 else None

    @property
    def name(self) -> str:
        """One of FORMATS."""
        return str(self.dtype).removeprefix("torch.")

    def autocast(self) -> AbstractContextManager[Any]:
        """Autocast to this format; does nothing in float32."""
        enabled = self.dtype != torch.float32
        return torch.autocast(self.device.type, self.dtype if enabled else None, enabled=enabled)

    def backward(self, loss: Tensor) -> None:
        """Add the (scaled) gradients of a loss."""
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()

    def step(self, optimizer: torch.optim.Optimizer, clip: float | None = None) -> bool:
        """Step an optimiser, with gradient norm clipped to `clip`; returns False if the step was skipped."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)
        if clip is not None:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, clip)
        if self.scaler is None:
            optimizer.step()
            return True
        before = self.scaler.get_scale()
        self.scaler.step(optimizer)
        self.scaler.update()
        return self.scaler.get_scale() >= before

    def state_dict(self) -> dict[str, Any]:
        """State of the gradient scaler; empty without loss scaling."""
        return {} if self.scaler is None else self.scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state of `state_dict`; ignores a state of another format."""
        if self.scaler is not None and state:
            self.scaler.load_state_dict(state)
