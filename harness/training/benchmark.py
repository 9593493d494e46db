"""Rates of a device: batches drawn, training steps, volumes scored, voxels counted. What the verb `bench` prints."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from harness import device as devices
from harness import registry
from harness.evaluation.histogram import ScoreHistogram
from harness.evaluation.testing import score_volume
from harness.method import Context
from harness.training import run
from harness.training.loop import Precision, prepare, step
from harness.training.sampler import SliceSampler
from harness.training.seeds import Streams, seed_everything

BRAIN_MM = (152, 184, 148)  # x, y, z: the box around the brain in MNI152
COUNTED = 10_000_000  # voxels


def measure(
    name: str, overrides: dict[str, Any], spacing: float, subjects: int, steps: int, device: torch.device
) -> dict[str, Any]:
    """Train and score `name` on volumes of noise; returns settings and rates per second."""
    params = asdict(registry.params(name, overrides, "t1"))
    width, height, depth = (max(8, round(side / spacing)) for side in BRAIN_MM)
    generator = np.random.default_rng(0)
    volumes = (0.05 + 0.9 * generator.random((subjects, depth, height, width), np.float32)).astype(np.float16)
    seed_everything(0)
    method = run.build(name, params, Context("t1", spacing))
    sampler, streams = SliceSampler(volumes, np.arange(subjects), device), Streams(0, device)
    phases = prepare(method, device)
    rates: dict[str, Any] = {}
    if phases:
        phase = phases[0]
        draw = _rate(lambda: sampler.batch(phase.batch, streams, phase.patch, phase.resize), steps, device)
        trained = _rate(lambda: step(method, phase, sampler, streams, Precision(device, method.float16)), steps, device)
        rates = {"batches": draw, "training_steps": trained, "images": trained * phase.batch}
        if device.type == "cuda":
            rates["peak_memory_gib"] = torch.cuda.max_memory_allocated(device) / 2**30
    run.freeze(method)
    volume = torch.from_numpy(volumes[0]).float().to(device)
    rates["scored_volumes"] = _rate(lambda: score_volume(method, volume, streams, name), 1, device, warm_up=0)
    scores, labels = generator.random(COUNTED, np.float32), generator.random(COUNTED) < 0.01
    rates["metric_voxels"] = COUNTED * _rate(lambda: ScoreHistogram().add("subject", scores, labels), 1, device)
    return {
        "method": name,
        "device": devices.describe(device),
        "volume": [depth, height, width],
        "spacing_mm": spacing,
        "parameters": sum(parameter.numel() for parameter in method.parameters()),
        "params": params,
        "per_second": {key: round(value, 3) for key, value in rates.items()},
    }


def _rate(work: Callable[[], Any], count: int, device: torch.device, warm_up: int | None = None) -> float:
    """How often per second `work` can be done, after some unmeasured times."""
    for _ in range(max(1, count // 5) if warm_up is None else warm_up):
        work()
    _wait(device)
    started = time.perf_counter()
    for _ in range(count):
        work()
    _wait(device)
    return count / (time.perf_counter() - started)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
