"""Networks on a device: memory format and compilation."""

import itertools
import sys
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

NUMBERS = itertools.count()


def arrange(module: nn.Module, device: torch.device) -> None:
    """Move a module to a device, with channels last where convolutions gain from it.

    Not on a CPU with batch normalisation: its kernel for channels last adds up in plain float32, so that outputs for
    96 x 32 x 128 x 128 uniform numbers are wrong by 6e-4 instead of 1e-7 (torch 2.13).
    """
    module.to(device)
    if device.type == "cuda" or not any(isinstance(layer, _BatchNorm) for layer in module.modules()):
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def compile_calls(networks: Iterable[nn.Module], backend: str | Callable[..., Any] = "inductor") -> None:
    """Compile the calls of networks, each at its first; from the first failure of the compiler on they run eagerly."""
    compiler = Compiler(backend)
    for network in networks:
        network._compiled_call_impl = compiler.compiled(network._call_impl)


class Compiler:
    """Compiles calls of several networks, until one fails: the reason, such as no C compiler, is that of all."""

    def __init__(self, backend: str | Callable[..., Any]) -> None:
        self.backend, self.works = backend, True

    def compiled(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, compiled where possible. Compilation precedes any computation: none is made twice."""

        # Around torch's own code, which its compiler skips if a call begins there: `nn.Sequential` would stay eager.
        def traced(*args: Any, **kwargs: Any) -> Any:
            return call(*args, **kwargs)

        # Code of its own for each network: torch compiles the same code at most eight times, then runs it eagerly.
        traced.__code__ = traced.__code__.replace(co_name=f"traced_{next(NUMBERS)}")
        fast = torch.compile(traced, backend=self.backend)

        def called(*args: Any, **kwargs: Any) -> Any:
            if self.works:
                try:
                    return fast(*args, **kwargs)
                except torch._dynamo.exc.TorchDynamoException as error:
                    self.works = False
                    _warn(error)
            return call(*args, **kwargs)

        return called


def _warn(error: Exception) -> None:
    cause = getattr(error, "inner_exception", error)
    reason = f"{type(cause).__name__}: {(str(cause).splitlines() or [''])[0][:200]}"
    print(
        f"warning: networks run without compilation, more slowly ({reason}); it needs a C compiler and Python's "
        "headers (gcc, python3-dev); TORCHDYNAMO_DISABLE=1 turns it off",
        file=sys.stderr,
        flush=True,
    )
