"""A method on a device against the CPU: losses, a resumed step, score maps in two number formats, counts, waits."""

from __future__ import annotations

import copy
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from benchmarks.on_gpu.host_numbers import host_numbers
from benchmarks.on_gpu.report import Result
from uadbench.compute import precision
from uadbench.conformance import cohort
from uadbench.data.packing.store import Store
from uadbench.evaluation.inference.collecting import HistogramCollector, ScoredSubject
from uadbench.evaluation.inference.inference import final_map, score_volume
from uadbench.evaluation.protocols.protocols import Truth
from uadbench.evaluation.voxels.histogram import ScoreHistogram
from uadbench.evaluation.voxels.metrics import average_precision
from uadbench.methods import registry
from uadbench.methods.base import Context, Method
from uadbench.methods.seeds import Streams, seed_everything
from uadbench.methods.settings import resolve
from uadbench.training import run, state
from uadbench.training.loop import prepare, step
from uadbench.training.sampler import SliceSampler

CPU = torch.device("cpu")
SEED = 1
PROTOCOLS = ("full", "official")
STEPS = 40  # of a training, unless all is tiny: maps of networks that have learnt nothing rank by their last digits
#: what must hold: of losses and maps relative to their scale, of AP as it is
LOSS, MAP, RESUMED, AP = 1e-4, 1e-4, 1e-6, 0.02
GOAL = 0.005  # of AP in bfloat16, of networks that are trained in earnest


def method(name: str, device: torch.device, out: Path, tiny: bool) -> Result:
    """Compare a method with its SMALL parameters, trained and scored on a device and on the CPU."""
    steps = 1 if tiny else STEPS
    store = packed(out)
    with host_numbers(), computing_in(torch.float32):
        host, on_host, _ = trained(name, store, CPU, steps)
        _, on_device, resumed = trained(name, store, device, steps)
        twin = moved(host, device)
        maps = [
            [score_volume(one, volume.to(where), Streams(SEED, where), name) for volume in volumes(store)]
            for one, where in ((host, CPU), (twin, device))
        ]
        with computing_in(torch.bfloat16):
            short = [final_map(twin, volume.to(device), Streams(SEED, device), name) for volume in volumes(store)]
    numbers: dict[str, Any] = {"losses": len(on_host)}
    if on_host:
        numbers |= {
            "first_loss": apart(on_device[0], on_host[0]),
            "all_losses": max(apart(one, other) for one, other in zip(on_device, on_host, strict=True)),
            "resumed_loss": apart(resumed, on_device[1]),
        }
    pairs = list(zip(*maps, strict=True))
    numbers["map"] = max(difference(ours[key], theirs[key]) for theirs, ours in pairs for key in theirs)
    counted = [counts(store, [found["final"] for found in maps[1]], where) for where in (device, None)]
    whole = average_precision(counted[0]["full"])
    numbers |= {"ap": whole, "ap_bfloat16": average_precision(counts(store, short, None)["full"])}
    if device.type == "cuda":
        numbers["waits"] = waits(name, store, device)
    must = {
        f"first loss within {LOSS}": numbers.get("first_loss", 0) <= LOSS,
        f"resumed step within {RESUMED}": numbers.get("resumed_loss", 0) <= RESUMED,
        f"score maps within {MAP}": numbers["map"] <= MAP,
        "equal histograms": all(counted[0][key] == counted[1][key] for key in PROTOCOLS),
        "equal AP": all(average_precision(counted[0][key]) == average_precision(counted[1][key]) for key in PROTOCOLS),
        f"AP in bfloat16 within {AP}": abs(numbers["ap_bfloat16"] - whole) <= AP,
    }
    goals = {f"AP in bfloat16 within {GOAL}": abs(numbers["ap_bfloat16"] - whole) <= GOAL}
    return {"numbers": numbers, "must": must, "goals": goals}


def packed(out: Path) -> Store:
    """The cohort of the conformance suite, below `out`."""
    folder = out / "cohort"
    return Store.open(folder if folder.is_dir() else cohort.write(folder))


def volumes(store: Store) -> list[Tensor]:
    images = store.images("t1")
    return [torch.from_numpy(np.array(images[row], np.float32)) for row in store.rows("t1", "test")]


def build(name: str, device: torch.device, spacing: float, steps: int = 1) -> Method:
    """A method with its SMALL parameters and `steps` or more; weights are those of a seed, made on the CPU."""
    about = registry.describe(name)
    required = None
    if about.requires:
        required = run.freeze(build(about.requires, device, spacing)).to(device)
    seed_everything(SEED)
    longer = {key: max(value, steps) for key, value in about.small.items() if key.endswith("steps")}
    params = resolve(name, "t1", {name: {**about.small, **longer}}).params
    return run.build(name, params, Context("t1", spacing, required))


def trained(name: str, store: Store, device: torch.device, steps: int) -> tuple[Method, list[float], float]:
    """A method after all its steps, their losses, and the loss of the second step of a training that was resumed."""
    sampler = SliceSampler(store.images("t1"), store.rows("t1", "train"), device)

    def prepared() -> state.Training:
        made = build(name, device, store.spacing, steps)
        streams, precise = Streams(SEED, device), precision.Precision(device, made.float16)
        return state.Training(made, prepare(made, device, compile=False), streams, precise)

    going, losses, resumed = prepared(), [], 0.0
    with TemporaryDirectory() as folder:
        path = Path(folder) / "state.pt"
        for phase in going.phases:
            for _ in range(phase.steps):
                losses.append(float(step(going.method, phase, sampler, going.streams, going.precision)))
                if len(losses) == 1:
                    state.save(path, going, "check")
        if losses:
            again = prepared()
            state.resume(path, again, "check")
            resumed = float(step(again.method, again.phases[0], sampler, again.streams, again.precision))
    return run.freeze(going.method), losses, resumed


def moved(method: Method, device: torch.device) -> Method:
    """A copy of a method on a device, with the one that it builds on."""
    twin = copy.deepcopy(method).to(device)
    if twin.context.required is not None:
        twin.context.required.to(device)
    return twin


@contextmanager
def computing_in(dtype: torch.dtype) -> Iterator[None]:
    """Networks compute in a number format in here, on any device."""
    with patch.object(precision, "chosen", lambda device: dtype):
        yield


def apart(one: float, other: float) -> float:
    """Relative difference of two losses."""
    return abs(one - other) / max(abs(other), 1e-12)


def difference(one: Tensor, other: Tensor) -> float:
    """Largest difference of two maps, by the largest score."""
    one, other = one.cpu().double(), other.cpu().double()
    return float((one - other).abs().max() / other.abs().max().clamp_min(1e-12))


def counts(store: Store, maps: list[Tensor], device: torch.device | None) -> dict[str, ScoreHistogram]:
    """Histograms of final maps by protocol, counted on a device, or as arrays where it is None."""
    collector = HistogramCollector(PROTOCOLS)
    labels: Any = store.labels()
    for row, volume, scored in zip(store.rows("t1", "test"), volumes(store), maps, strict=True):
        label, brain = np.array(labels[row]), (volume > 0).numpy()
        truth = Truth(store.subjects[row], label, brain, (store.spacing,) * 3, device)
        found = scored.cpu().numpy() if device is None else scored.to(device)
        collector.add(ScoredSubject(truth, {"final": found}))
    return {key: found["final"] for key, found in collector.histograms.items()}


def waits(name: str, store: Store, device: torch.device) -> dict[str, int]:
    """Places at which the host waits for CUDA in the third step of each phase, with their number."""
    sampler = SliceSampler(store.images("t1"), store.rows("t1", "train"), device)
    sampler.hold()
    method, found = build(name, device, store.spacing), Counter[str]()
    precise, streams = precision.Precision(device, method.float16), Streams(SEED, device)
    for phase in prepare(method, device, compile=False):
        for number in range(min(3, phase.steps)):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                torch.cuda.set_sync_debug_mode("warn" if number == 2 else "default")
                step(method, phase, sampler, streams, precise)
                torch.cuda.set_sync_debug_mode("default")
            found.update(f"{Path(one.filename).name}:{one.lineno}" for one in caught if number == 2)
    return dict(found)
