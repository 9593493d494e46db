"""Speed at the paper's size: training steps eager and compiled, corruption alone, a volume, and a naive loop."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.on_gpu.report import Result
from uadbench.compute import device as devices
from uadbench.compute import networks
from uadbench.compute.precision import Precision, chosen
from uadbench.evaluation.inference.inference import final_map
from uadbench.methods import registry
from uadbench.methods.base import Context, Method, Phase
from uadbench.methods.seeds import Streams, seed_everything
from uadbench.methods.settings import resolve
from uadbench.training import run
from uadbench.training.loop import step
from uadbench.training.sampler import SliceSampler

METHODS = ("disyre", "mood22", "dae")
#: whether networks are compiled, and whether their channels are last; the first is how trainings run on CUDA
MODES = {
    "compiled": (True, True),
    "eager": (False, True),
    "eager, channels first": (False, False),
    "compiled, channels first": (True, False),
}
PAPER = {"batch": 96, "patch": 128}
COHORT, BRAIN = 602, (163, 189, 153)  # volumes of CamCAN, voxels of 1 mm
BUDGET = 8.0  # seconds that a rate is measured for
GOALS = {"share of peak": 0.4, "naive": 5.0, "corruption": 0.05, "volume": 0.3}


def environment(device: torch.device, tiny: bool) -> Result:
    """What the numbers depend on."""
    smi = shutil.which("nvidia-smi")
    query = ["--query-gpu=name,driver_version,clocks.sm,power.limit", "--format=csv,noheader"]
    numbers = {
        "device": devices.describe(device),
        "python": platform.python_version(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "nvidia-smi": subprocess.run([smi, *query], capture_output=True, text=True).stdout.strip() if smi else None,
        "compiler": shutil.which("cc"),
        "Python.h": (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file(),
        "number_format": str(chosen(device)),
        "tflops_of_a_matrix_product": product(device, chosen(device), tiny),
        "tflops_in_float32": product(device, torch.float32, tiny),
    }
    exact = not (torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32)
    return {"numbers": numbers, "must": {"TF32 is off": exact or device.type != "cuda"}}


@lru_cache
def product(device: torch.device, dtype: torch.dtype, tiny: bool) -> float:
    """TFLOP/s of a product of two large square matrices of random numbers."""
    side = 256 if tiny else 8192
    a, b = torch.rand(2, side, side, device=device).to(dtype)
    return 2 * side**3 / 1e12 / seconds(lambda: a @ b, device, 1.0, most=20)


def seconds(work: Callable[[], Any], device: torch.device, budget: float, most: int = 200) -> float:
    """Mean seconds of calls that the device has finished, as many as fit into `budget` seconds; two go before."""
    for _ in range(2):
        timed(work, device, 1)
    single = timed(work, device, 1)
    count = max(1, min(most, int(budget / max(single, 1e-6))))
    return timed(work, device, count) / count


def timed(work: Callable[[], Any], device: torch.device, count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def head(depth: int, height: int, width: int) -> np.ndarray:
    """A volume (depth, height, width) float16: noise in an ellipsoid, which fills about half of it, as a brain does."""
    sides = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32) for side in (depth, height, width)), indexing="ij")
    noise = 0.05 + 0.9 * np.random.default_rng(0).random((depth, height, width), np.float32)
    return (noise * (sum(side**2 for side in sides) < 1)).astype(np.float16)


class Setting:
    """A method in training on a device, with its batches."""

    def __init__(self, name: str, sampler: SliceSampler, device: torch.device, tiny: bool) -> None:
        seed_everything(0)
        torch.compiler.reset()
        small = {**registry.describe(name).small, "steps": 100_000}
        settings = resolve(name, "t1", {name: small if tiny else PAPER})
        self.name, self.device, self.sampler = name, device, sampler
        self.method: Method = run.build(name, settings.params, Context("t1", 4.0 if tiny else 1.0))
        self.streams, self.precise = Streams(0, device), Precision(device, self.method.float16)

    def begin(self, compiled: bool, last: bool) -> None:
        """Move the networks to the device, compiled or not, channels last or not."""
        self.method.to(self.device)
        if last:
            self.method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if compiled:
            # A CPU of a test has no time for the compiler of kernels.
            networks.compile_calls(self.method.children(), "inductor" if self.device.type == "cuda" else "aot_eager")

    @cached_property
    def phase(self) -> Phase:
        return self.method.phases()[0]

    def step(self) -> Any:
        return step(self.method, self.phase, self.sampler, self.streams, self.precise)

    def batch(self) -> Any:
        """A batch as the network gets it, without the network."""
        drawn = self.sampler.batch(self.phase.batch, self.streams, self.phase.patch, self.method.slices == "scaled")
        if hasattr(self.method, "corrupt"):
            return self.method.corrupt(drawn)
        network, self.method.unet = (
            self.method.unet,
            torch.nn.Identity(),
        )  # DAE: its loss with a network that does nothing
        try:
            return self.method.loss(drawn)
        finally:
            self.method.unet = network


class Paper:
    """The measurements of steps paper/…; later ones use numbers of earlier ones where these were reached."""

    def __init__(self, device: torch.device, tiny: bool) -> None:
        self.device, self.tiny = device, tiny
        self.budget = 0.1 if tiny else BUDGET
        self.images: dict[str, float] = {}  # images/s by METHOD/MODE

    @cached_property
    def volume_array(self) -> np.ndarray:
        return head(*((10, 36, 28) if self.tiny else BRAIN))

    @cached_property
    def sampler(self) -> SliceSampler:
        """All volumes of the cohort on the device; they are one and the same, which no step can notice."""
        count = 4 if self.tiny else COHORT
        array = np.broadcast_to(self.volume_array, (count, *self.volume_array.shape))
        sampler = SliceSampler(array, np.arange(count), self.device)
        sampler.hold()
        return sampler

    def setting(self, name: str, mode: str = "compiled") -> Setting:
        made = Setting(name, self.sampler, self.device, self.tiny)
        made.begin(*MODES[mode])
        return made

    def trained(self, name: str, mode: str) -> Result:
        """Rate, share of the peak and memory of training steps."""
        made = self.setting(name, mode)
        first = timed(made.step, self.device, 1)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        each = seconds(made.step, self.device, self.budget)
        self.images[f"{name}/{mode}"] = made.phase.batch / each
        peak = product(self.device, made.precise.dtype, self.tiny)
        numbers = {
            "number_format": made.precise.name,
            "batch": made.phase.batch,
            "first_step_seconds": first,
            "step_seconds": each,
            "images_per_second": made.phase.batch / each,
            "tflop_per_step": self.work(name),
            "share_of_peak": self.work(name) / each / peak,
            "data_gib": self.sampler.nbytes / 2**30,
        }
        if self.device.type == "cuda":
            numbers["peak_memory_gib"] = torch.cuda.max_memory_allocated(self.device) / 2**30
            numbers["reserved_gib"] = torch.cuda.max_memory_reserved(self.device) / 2**30
        goal = {f"share of peak at least {GOALS['share of peak']}": numbers["share_of_peak"] >= GOALS["share of peak"]}
        return {"numbers": numbers, "goals": goal if mode == "compiled" else {}}

    @lru_cache  # noqa: B019 - one object, which lives as long as the program
    def work(self, name: str) -> float:
        """TFLOP of a training step."""
        made = self.setting(name, "eager")
        with FlopCounterMode(display=False) as counter:
            made.step()
        return counter.get_total_flops() / 1e12

    def corruption(self, name: str) -> Result:
        """Time of a batch without the network, and of launching it: the same where the device waits for the host."""
        made = self.setting(name, "eager")
        with torch.no_grad():
            each = seconds(made.batch, self.device, self.budget)
            started = time.perf_counter()
            made.batch()
            launched = time.perf_counter() - started
        numbers: dict[str, Any] = {"batch_seconds": each, "launch_seconds": launched}
        goals = {}
        if rate := self.images.get(f"{name}/compiled"):
            numbers["share_of_a_step"] = each * rate / made.phase.batch
            goals[f"at most {GOALS['corruption']} of a step"] = numbers["share_of_a_step"] <= GOALS["corruption"]
        return {"numbers": numbers, "goals": goals}

    def volume(self, name: str) -> Result:
        """Time of the final map of a volume, which Table 2 takes."""
        made = self.setting(name)
        run.freeze(made.method)
        volume = torch.from_numpy(self.volume_array).float().to(self.device)

        def score() -> Any:
            return final_map(made.method, volume, made.streams, name)

        first = timed(score, self.device, 1)
        each = timed(score, self.device, 2) / 2
        goal = {f"at most {GOALS['volume']} s": each <= GOALS["volume"]}
        return {"numbers": {"first_seconds": first, "volume_seconds": each, "shape": volume.shape}, "goals": goal}

    def naive(self, name: str) -> Result:
        """A training step as a plain loop makes it, with this project's functions: batches image by image on the host,
        then an eager network in float32, with TF32 as torch has it by default.

        No processes prepare batches beside it: with n of them `host_seconds` would be divided by n at best.
        """
        made = self.setting(name, "eager, channels first")
        host = Setting(name, SliceSampler(self.sampler.source.numpy(), np.arange(4)), torch.device("cpu"), self.tiny)
        update, spent = made.phase.updates[0], 0.0

        def loop() -> None:
            nonlocal spent
            started = time.perf_counter()
            with torch.no_grad():
                drawn = [host.batch() for _ in range(made.phase.batch)]
            spent += time.perf_counter() - started
            seen = [
                torch.cat([getattr(one, key) for one in drawn]).to(self.device) for key in ("images", "healthy", "t")
            ]
            update.optimizer.zero_grad(set_to_none=True)
            loss = torch.nn.functional.mse_loss(made.method.predict(seen[0], seen[2]), seen[1])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(made.method.parameters(), 1.0)
            update.optimizer.step()
            update.scheduler.step()

        host.phase.batch = 1
        before = torch.backends.cudnn.allow_tf32
        torch.backends.cudnn.allow_tf32 = True
        try:
            timed(loop, self.device, 1)
            spent, count = 0.0, 1 if self.tiny else 3
            each = timed(loop, self.device, count) / count
        finally:
            torch.backends.cudnn.allow_tf32 = before
        numbers = {"step_seconds": each, "host_seconds": spent / count, "images_per_second": made.phase.batch / each}
        goals = {}
        if rate := self.images.get(f"{name}/compiled"):
            numbers["times_as_fast"] = rate / numbers["images_per_second"]
            goals[f"at least {GOALS['naive']} times as fast"] = numbers["times_as_fast"] >= GOALS["naive"]
        return {"numbers": numbers, "goals": goals}

    def profile(self, name: str, count: int = 5) -> Result:
        """What bounds a compiled step: its longest operations, and the share of the time in which the device works."""
        made = self.setting(name)
        for _ in range(2):
            timed(made.step, self.device, 1)
        cuda = self.device.type == "cuda"
        with profile(activities=[ProfilerActivity.CUDA if cuda else ProfilerActivity.CPU]) as seen:
            whole = timed(made.step, self.device, count)
        key = "self_device_time_total" if cuda else "self_cpu_time_total"
        found = sorted(
            ((event.key, getattr(event, key) / 1e6) for event in seen.key_averages()), key=lambda pair: -pair[1]
        )
        busy = sum(time for _, time in found)
        longest = [{"name": name[:100], "seconds": time / count, "share": time / busy} for name, time in found[:12]]
        return {"numbers": {"step_seconds": whole / count, "busy": busy / whole, "longest": longest}}
