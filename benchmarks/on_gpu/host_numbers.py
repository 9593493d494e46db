"""Random numbers that are drawn on the CPU and used on another device: the same on every device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional as F

DRAWS = ("rand", "randn", "randint", "randperm")
PLAIN = torch.Generator


class HostGenerator:
    """A generator of a device that draws on the CPU."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device, self.held = torch.device(device), PLAIN("cpu")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.held, name)


@contextmanager
def host_numbers() -> Iterator[None]:
    """Draws and dropout in here take their numbers from generators of the CPU, and copy them to the device."""

    def drawing(draw: Any) -> Any:
        def drawn(*args: Any, generator: Any = None, device: Any = None, **kwargs: Any) -> Tensor:
            if generator is not None and generator.device.type != torch.device(device or "cpu").type:
                raise RuntimeError(f"a generator on {generator.device} for numbers on {device or 'cpu'}")
            held = generator.held if isinstance(generator, HostGenerator) else generator
            return draw(*args, generator=held, **kwargs).to(device or "cpu")

        return drawn

    def dropping(channels: bool) -> Any:
        def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
            if not training or p == 0:
                return input
            shape = (*input.shape[:2], *[1] * (input.ndim - 2)) if channels else input.shape
            return input * (torch.rand(shape, device=input.device) >= p) / (1 - p)

        return dropout

    with ExitStack() as stack:
        for name in DRAWS:
            stack.enter_context(patch.object(torch, name, drawing(getattr(torch, name))))
        stack.enter_context(patch.object(torch, "Generator", HostGenerator))
        stack.enter_context(patch.object(F, "dropout", dropping(False)))
        stack.enter_context(patch.object(F, "dropout2d", dropping(True)))
        yield
