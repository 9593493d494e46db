"""DISYRE trained on packed real scans for the time that is left, and scored."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmarks.on_gpu.check import packed
from benchmarks.on_gpu.report import Report, Result
from uadbench.compute.precision import Precision
from uadbench.core.study_folder import HISTORY
from uadbench.data.packing.store import Store
from uadbench.evaluation.inference.inference import final_map, ready
from uadbench.evaluation.voxels.histogram import ScoreHistogram
from uadbench.evaluation.voxels.metrics import average_precision
from uadbench.methods import registry
from uadbench.methods.base import Context, Method
from uadbench.methods.seeds import Streams, seed_everything
from uadbench.methods.settings import resolve
from uadbench.training import run
from uadbench.training.loop import LoopConfig, prepare, step, train
from uadbench.training.sampler import SliceSampler

METHOD = "disyre"
SHARE = 0.75  # of the time that is left, for training; compilation and scoring need the rest
MEASURED = 10  # steps


def trained(data: Path | None, device: torch.device, out: Path, tiny: bool, report: Report) -> Result:
    """Train with as many steps as there is time for; its history goes to `out/history.csv`.

    Scores the test subjects, with AP where they have labels, and else the held-out ones.
    """
    store = packed(out) if data is None else Store.open(data)
    settings = resolve(METHOD, "t1", {METHOD: registry.describe(METHOD).small if tiny else {}})
    training, held_out = (
        SliceSampler(store.images("t1"), store.rows("t1", split), device) for split in ("train", "validation")
    )

    def built(steps: int) -> Method:
        seed_everything(0)
        return run.build(METHOD, replace(settings.params, steps=steps), Context("t1", store.spacing))

    each = 0.0 if tiny else measured(built(MEASURED), training, device)
    steps = 6 if tiny else max(2 * MEASURED, int(SHARE * report.left / each))
    method = built(steps)
    with TemporaryDirectory() as folder:
        history = train(method, training, held_out, 0, Path(folder), "real", LoopConfig(history=max(1, steps // 40)))
        shutil.copy(Path(folder) / HISTORY, out / HISTORY)
    first, last = history[0], history[-1]
    numbers: dict[str, Any] = {
        "subjects": len(training.rows),
        "spacing_mm": store.spacing,
        "steps": last["step"],
        "seconds_of_training": last["seconds"],
        "images_per_second": settings.params.batch * last["step"] / max(last["seconds"], 1e-9),
        "validation_before": first["validation"],
        "validation_after": last["validation"],
    }
    must = {"validation loss falls": last["validation"] < first["validation"] or tiny}
    return {"numbers": numbers | scored(method, store, device), "must": must}


def measured(method: Method, sampler: SliceSampler, device: torch.device) -> float:
    """Seconds of a step of the compiled method, the compilation apart."""
    sampler.hold()
    phase, streams = prepare(method, device)[0], Streams(0, device)
    precise = Precision(device, method.float16)
    for number in range(MEASURED):
        if number == MEASURED // 2:
            _wait(device)
            started = time.perf_counter()
        step(method, phase, sampler, streams, precise)
    _wait(device)
    return (time.perf_counter() - started) / (MEASURED - MEASURED // 2)


def scored(method: Method, store: Store, device: torch.device) -> dict[str, Any]:
    """Seconds of a volume, and AP of those with labels or the mean score of those without."""
    ready(run.freeze(method), device)
    split = "test" if len(store.rows("t1", "test")) else "validation"
    labels: Any = store.labels()
    histogram, means, spent = ScoreHistogram(), [], []
    for row in store.rows("t1", split):
        volume = torch.from_numpy(np.array(store.images("t1")[row], np.float32)).to(device)
        started = time.perf_counter()
        final = final_map(method, volume, Streams(0, device), METHOD)[volume > 0]
        means.append(float(final.mean()))
        spent.append(time.perf_counter() - started)
        if labels is not None:
            found = torch.from_numpy(np.array(labels[row]) > 0).to(device)[volume > 0]
            histogram.add(store.subjects[row], final, found)
    about = {"scored": split, "volumes": len(means), "mean_score": float(np.mean(means)), "volume_seconds": min(spent)}
    if labels is None or not histogram.positives:
        return about
    chance = histogram.positives / histogram.voxels
    return {**about, "ap": average_precision(histogram), "chance": chance}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
