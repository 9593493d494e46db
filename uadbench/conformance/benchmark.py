"""Rates of a device, printed by `bench`: batches drawn, training steps, volumes scored, voxels counted."""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from uadbench.compute import device as devices
from uadbench.compute import networks
from uadbench.compute.precision import Precision
from uadbench.core.errors import HarnessError
from uadbench.evaluation.inference.inference import countable, final_map, ready, score_volume
from uadbench.evaluation.voxels.histogram import ScoreHistogram
from uadbench.methods.anomalies.corruption import restoration_times
from uadbench.methods.base import Context
from uadbench.methods.seeds import Streams, seed_everything
from uadbench.methods.settings import Settings
from uadbench.training import memory as memories
from uadbench.training import run
from uadbench.training.loop import prepare, step
from uadbench.training.sampler import SliceSampler

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

BRAIN_MM = (153, 189, 163)  # x, y, z: packed box of MNI152, the brain and a margin of 4 mm
COUNTED = 10_000_000  # voxels
REPEATS = 5  # of each step size, of which the fastest counts: others may have waited
PRODUCT = {"cuda": 8192, "cpu": 2048}  # side of the square matrices of `_product`


def measure(
    settings: Settings,
    spacing: float,
    subjects: int,
    steps: int,
    slices: int,
    device: torch.device,
    step_sizes: bool = False,
) -> dict[str, Any]:
    """Train and score a method on volumes of noise; returns settings, rates per second, work and memory.

    step_sizes: whether to time the final map at each of the method's `step_sizes` as well.

    Rates of scored volumes are those of `slices` slices, divided by the number of slices of a volume.
    `tflop_per_step` counts the products of a training step, forward and backward. `share_of_peak` divides the achieved
    TFLOP/s by those of one large matrix product in the same number format on the same device.
    """
    name, params = settings.method, settings.values
    volumes, generator = noise(spacing, subjects), np.random.default_rng(0)
    _, depth, height, width = volumes.shape
    seed_everything(0)
    method = run.build(name, params, Context(settings.modality, spacing))
    precise = Precision(device, method.float16)
    rates, work = _trained(method, volumes, steps, precise)
    ready(run.freeze(method), device)
    volume = torch.from_numpy(volumes[0, :slices]).float().to(device)
    streams = Streams(0, device)
    for what, score in (("all maps", score_volume), ("final map", final_map)):
        scored = partial(score, method, volume, streams, name)
        rates[f"volumes, {what}"] = _rate(f"{len(volume)} slices, {what}", scored, 1, device) * len(volume) / depth
    by_size = {"step_sizes": _by_step_size(method, volume, streams, depth, device)} if step_sizes else {}
    scores = countable(torch.from_numpy(generator.random(COUNTED, np.float32)).to(device))
    labels = generator.random(COUNTED) < 0.01
    counted = _rate("counting", lambda: ScoreHistogram().add("subject", scores, labels), 1, device)
    return {
        "method": name,
        "device": devices.describe(device),
        "number_format": precise.name,
        "volume": [depth, height, width],
        "spacing_mm": spacing,
        "parameters": sum(parameter.numel() for parameter in method.parameters()),
        "params": params,
        "per_second": {key: _rounded(value) for key, value in {**rates, "voxels_counted": COUNTED * counted}.items()},
        **work,
        "peak_memory_gib": _memory(device),
        **by_size,
    }


def noise(spacing: float, subjects: int) -> np.ndarray:
    """Volumes of noise, float16 (N, D, H, W), of the size of packed ones of `spacing` mm; every voxel is brain."""
    width, height, depth = (max(8, round(side / spacing)) for side in BRAIN_MM)
    values = np.random.default_rng(0).random((subjects, depth, height, width), np.float32)
    return (0.05 + 0.9 * values).astype(np.float16)


def _trained(
    method: Any, volumes: np.ndarray, steps: int, precise: Precision
) -> tuple[dict[str, float], dict[str, float]]:
    """Rates of drawing batches and of training steps, and the work of a step; both empty for an untrained method.

    As in a training, networks are compiled and data move to the device after the first steps, if these leave room.
    """
    device = precise.device
    streams = Streams(0, device)
    sampler = SliceSampler(volumes, np.arange(len(volumes)), device)
    phases = prepare(method, device, compile=False)
    if not phases:
        return {}, {}
    phase = phases[0]
    with FlopCounterMode(display=False) as counter:
        step(method, phase, sampler, streams, precise)
    tflop = counter.get_total_flops() / 1e12
    if device.type == "cuda":
        networks.compile_calls(method.children())
    memory = memories.of(device)
    memories.stream([sampler], memory)
    for _ in range(memories.MEASURED if memory else 0):
        step(method, phase, sampler, streams, precise)
    memories.place([sampler], memory)
    if memory:
        memory.restart()

    def batch() -> object:
        drawn = sampler.batch(phase.batch, streams, phase.patch, method.slices == "scaled")
        return method.corrupt(drawn) if hasattr(method, "corrupt") else drawn

    drawn = _rate("batches", batch, steps, device)
    trained = _rate("training steps", lambda: step(method, phase, sampler, streams, precise), steps, device)
    product = _product(device, precise.dtype)
    rates = {"batches": drawn, "training_steps": trained, "images": trained * phase.batch}
    work = {"tflop_per_step": tflop, "tflops": tflop * trained, "tflops_of_a_matrix_product": product}
    return rates, {key: _rounded(value) for key, value in {**work, "share_of_peak": tflop * trained / product}.items()}


def _by_step_size(
    method: Any, volume: torch.Tensor, streams: Streams, depth: int, device: torch.device
) -> dict[str, dict[str, float]]:
    """Passes through the network, and seconds of a volume of `depth` slices, by step size of the restoration."""
    chosen, out = method.params, dict[str, dict[str, float]]()
    if not hasattr(chosen, "step_sizes"):
        raise HarnessError(f"--step-sizes: {chosen.__class__.__module__} has none; leave the option out")
    for size in chosen.step_sizes:
        method.params = replace(chosen, step_size=size)
        scored = partial(final_map, method, volume, streams, "step size")
        rate = max(_rate(f"step size {size}", scored, 1, device) for _ in range(REPEATS))
        seconds = depth / (rate * len(volume))
        out[str(size)] = {"passes": len(restoration_times(chosen.T, size)), "seconds_per_volume": _rounded(seconds)}
    method.params = chosen
    return out


def _product(device: torch.device, dtype: torch.dtype) -> float:
    """TFLOP/s of a product of two large square matrices."""
    side = PRODUCT.get(device.type, PRODUCT["cpu"])
    a, b = torch.rand(2, side, side, device=device).to(dtype)
    return 2 * side**3 / 1e12 * _rate("matrix products", lambda: a @ b, 10, device)


def _rate(what: str, work: Callable[[], Any], count: int, device: torch.device) -> float:
    """Calls of `work` per second, after some unmeasured ones."""
    print(f"bench: {what} …", file=sys.stderr, flush=True)

    def seconds(calls: int) -> float:
        started = time.perf_counter()
        for _ in range(calls):
            work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - started

    seconds(max(1 if device.type == "cuda" else 0, count // 5))
    return count / seconds(count)


def _rounded(value: float) -> float:
    """A measured number to four digits."""
    return float(f"{value:.4g}")


def _memory(device: torch.device) -> float | None:
    """Peak memory in GiB: of the card, or else of this process; None on Windows."""
    if device.type == "cuda":
        return _rounded(torch.cuda.max_memory_allocated(device) / 2**30)
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return _rounded(peak / 2**30 if sys.platform == "darwin" else peak / 2**20)
