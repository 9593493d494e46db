"""Training steps and scores of methods on a GPU that does not exist: tensors have shapes and devices, but no values.

python -m tests.fake_device [--plant FILE OLD NEW] METHOD…

prints, for each method as a line of JSON, the first `fault`, such as tensors on two devices, and by phase of training
and in scoring the places at which the host would wait for the device: a number that it reads, a copy from memory that
is not pinned, an index whose length only the device knows. `--plant` replaces text in a file before it is imported.

The device is torch's backend for others (`privateuseone`), which a build for CPUs has too; while the project is
imported, its "cuda" is read as the name of that device. Not seen: number formats, compilation, values, time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode

ROOT = Path(__file__).resolve().parent.parent
NAME = "fake"
DRAWING = "host_numbers.py"  # copies the numbers that it draws: on a GPU they are made there
ATEN = torch.ops.aten


class Hooks(torch._C._acc.PrivateUse1Hooks):
    def is_available(self) -> bool:
        return True

    def is_built(self) -> bool:
        return True

    def has_primary_context(self, index: int) -> bool:
        return True


class Guard(torch._C._acc.DeviceGuard):
    def type_(self) -> Any:
        return torch._C._autograd.DeviceType.PrivateUse1


class Backend:
    """What torch asks a device module for."""

    is_available = is_initialized = staticmethod(lambda: True)
    device_count = staticmethod(lambda: 1)
    current_device = staticmethod(lambda: 0)
    _is_in_bad_fork = staticmethod(lambda: False)
    manual_seed = manual_seed_all = staticmethod(lambda seed: None)
    get_amp_supported_dtype = staticmethod(lambda: [torch.float16, torch.bfloat16])


@contextmanager
def read_as_fake(planted: tuple[str, str, str] | None) -> Iterator[None]:
    """Modules of the project that are imported in here take "cuda" for the name of the device."""
    plain = SourceFileLoader.source_to_code
    found = []

    def source_to_code(self: Any, data: Any, path: Any, *args: Any, **kwargs: Any) -> Any:
        own = isinstance(data, bytes) and ROOT in Path(path).resolve().parents and ".venv" not in Path(path).parts
        if own:
            text = data.decode().replace('"cuda"', f'"{NAME}"').replace(".is_cuda", f".is_{NAME}")
            if planted and Path(path).resolve() == ROOT / planted[0]:
                assert planted[1] in text, planted
                text = text.replace(planted[1], planted[2])
                found.append(path)
            data = text.encode()
        return plain(self, data, path, *args, **kwargs)

    with tempfile.TemporaryDirectory() as folder:
        before, sys.pycache_prefix = sys.pycache_prefix, folder  # compiled files hold the text as it is
        SourceFileLoader.source_to_code = source_to_code  # type: ignore[method-assign]
        try:
            yield
        finally:
            SourceFileLoader.source_to_code, sys.pycache_prefix = plain, before  # type: ignore[method-assign]
    assert bool(found) == bool(planted), f"{planted}: not imported"


def place() -> tuple[str, int]:
    """File and line of the project that is running."""
    for frame in reversed(traceback.extract_stack()):
        path = Path(frame.filename)
        if ROOT in path.parents and path != Path(__file__).resolve() and ".venv" not in path.parts:
            return path.relative_to(ROOT).as_posix(), frame.lineno or 0
    return "", 0


class Watch(TorchDispatchMode):
    """Answers for the device where a value is asked for, and notes that the host would wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()

    def note(self, what: str) -> None:
        path, line = place()
        if not path.endswith(DRAWING):
            self.waits[f"{path}:{line} {what}"] += 1

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, kind = kwargs or {}, func.overloadpacket
        first = args[0] if args and isinstance(args[0], Tensor) else None
        if kind is ATEN._local_scalar_dense and there(first):
            self.note("reads a number")
            return one_of(first)
        if kind is ATEN.nonzero and there(first):
            self.note("asks for a number of places")
            return torch.zeros((first.shape[0], first.ndim), dtype=torch.int64, device=first.device)
        if kind is ATEN._pin_memory:
            return first
        if kind in (ATEN._to_copy, ATEN.copy_):
            self.copied(kind, args, kwargs)
        if kind is ATEN.index:
            args = (first, [self.indexed(index) for index in args[1]])
        if kind in (ATEN.convolution, ATEN.convolution_backward):  # tensors without values let these pass
            devices = {value.device.type for value in args if isinstance(value, Tensor)}
            if len(devices) > 1:
                raise RuntimeError(f"{func}: tensors on {' and '.join(sorted(devices))}")
        return func(*args, **kwargs)

    def copied(self, kind: Any, args: Any, kwargs: Any) -> None:
        """Copies between host and device, unless they need not be finished before the host goes on."""
        source, target = (args[1], args[0].device) if kind is ATEN.copy_ else (args[0], kwargs.get("device"))
        blocking = not (kwargs.get("non_blocking") or (kind is ATEN.copy_ and args[2:3] == (True,)))
        if target is not None and torch.device(target).type != source.device.type and blocking:
            self.note(f"copies to {torch.device(target).type}")

    def indexed(self, index: Any) -> Any:
        """An index whose length is known: that of a mask on the device counts all places."""
        if not there(index) or index.dtype != torch.bool:
            return index
        self.note("asks for a number of places")
        return torch.zeros(index.numel(), dtype=torch.int64, device=index.device)


def there(value: Any) -> bool:
    return isinstance(value, Tensor) and value.device.type == NAME


def one_of(value: Tensor) -> bool | int | float:
    return True if value.dtype == torch.bool else 1.0 if value.is_floating_point() else 1


def tolist(self: Tensor, plain: Any = Tensor.tolist) -> Any:
    if not there(self):
        return plain(self)
    watching.note("reads numbers")
    return [one_of(self)] * self.numel()


def tensor(data: Any, *, device: Any = None, plain: Any = torch.tensor, **kwargs: Any) -> Tensor:
    """`torch.tensor`, whose copy to the device would otherwise not be seen."""
    made = plain(data, **kwargs)
    return made if device is None else made.to(device)


def attention(q: Tensor, k: Tensor, v: Tensor, *_: Any, **__: Any) -> Tensor:
    """Of a backend of others torch knows no fused attention."""
    return (q @ k.mT).softmax(-1) @ v


watching = Watch()


def examined(name: str) -> dict[str, Any]:
    """The fault and the waits of a method."""
    from benchmarks.on_gpu.check import build
    from uadbench.compute.precision import Precision
    from uadbench.evaluation.inference.inference import final_map, restoration, score_volume
    from uadbench.methods.seeds import Streams
    from uadbench.training.loop import prepare, step

    waits: dict[str, dict[str, int]] = {}
    device = torch.device(NAME, 0)

    def emptied(tensor: Tensor) -> Tensor:
        return torch.empty(tensor.shape, dtype=tensor.dtype, device=device)

    try:
        method = build(name, torch.device("cpu"), spacing=4.0)  # real weights, as in a real training
        data = sampler()
        with FakeTensorMode(allow_non_fake_inputs=True), watching:
            data.device, data.held = device, emptied(data.held)
            for module in filter(None, (method, method.context.required)):
                module._apply(emptied)
            streams, precise = Streams(1, device), Precision(device)
            for phase in prepare(method, device, compile=False):
                step(method, phase, data, streams, precise)
                watching.waits.clear()
                step(method, phase, data, streams, precise)
                waits[phase.name] = dict(watching.waits)
            method.eval().requires_grad_(False)
            volume = torch.empty((12, 36, 28), device=device)
            for what, score in (("score", score_volume), ("final", final_map)):
                watching.waits.clear()
                score(method, volume, Streams(2, device), name)
                waits[what] = dict(watching.waits)
            restoration(method, volume, Streams(2, device))
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if str(ROOT) in frame.filename]
        helpers = (Path(__file__).name, DRAWING)
        own = [frame for frame in frames if Path(frame.filename).name not in helpers] or frames
        where = f"{Path(own[-1].filename).relative_to(ROOT).as_posix()}:{own[-1].lineno}"
        reason = (str(error).splitlines() or [""])[0]
        return {"method": name, "fault": f"{where}: {type(error).__name__}: {reason[:200]}", "waits": waits}
    return {"method": name, "fault": None, "waits": waits}


def sampler() -> Any:
    """A sampler whose volumes lie on the CPU."""
    import numpy as np

    from uadbench.training.sampler import SliceSampler

    return SliceSampler(np.ones((4, 12, 36, 28), np.float16), np.arange(4), torch.device("cpu"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", help="default: all baselines")
    parser.add_argument("--plant", nargs=3, metavar=("FILE", "OLD", "NEW"))
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    backend_registration._setup_privateuseone_for_python_backend(NAME, Backend, Hooks(), Guard())
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    Tensor.tolist = FakeTensor.tolist = tolist  # type: ignore[method-assign]
    torch.tensor = tensor
    torch.nn.Module.to = lambda self, *_, **__: self  # type: ignore[method-assign] # tensors without values cannot move
    torch.nn.functional.scaled_dot_product_attention = attention
    with read_as_fake(given.plant):
        from benchmarks.on_gpu.check import computing_in
        from benchmarks.on_gpu.host_numbers import host_numbers
        from uadbench.methods import registry

        with host_numbers(), computing_in(torch.float32):
            for name in given.methods or registry.names():
                print(json.dumps(examined(name)), flush=True)
