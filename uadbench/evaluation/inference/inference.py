"""Scoring of a test set with a trained run: one pass over its volumes, into histograms, findings and example slices."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from uadbench.compute.precision import precision
from uadbench.core.errors import HarnessError
from uadbench.data.packing.store import Store
from uadbench.evaluation.detection.operating_points import Calibration, Calibrator
from uadbench.evaluation.inference.collecting import Collector, HistogramCollector, ScoredSubject, collect
from uadbench.evaluation.inference.example_slices import SliceCollector, example_rows
from uadbench.evaluation.inference.example_volumes import VolumeCollector
from uadbench.evaluation.inference.findings_collector import FindingsCollector
from uadbench.evaluation.inference.reading import PackedTask, subjects
from uadbench.evaluation.protocols.protocols import Truth
from uadbench.evaluation.protocols.upd_resize import voxel_size
from uadbench.methods.base import Method, final_of
from uadbench.methods.seeds import Streams
from uadbench.training.loop import compile_networks

#: raised when a change alters the counts or findings of the same maps: all runs are scored again
REVISION = 3


def ready(method: Method, device: torch.device) -> Method:
    """Optimise a trained method for scoring: on CUDA its networks are compiled, with channels last."""
    if device.type == "cuda":
        method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        compile_networks(method, device)
    return method


def score_volume(method: Method, volume: torch.Tensor, rng: Streams, name: str) -> dict[str, torch.Tensor]:
    """All score maps of a volume (D, H, W), checked to have its shape, finite, at least 0; 0 outside the brain.

    Raises HarnessError naming the method's invalid map.
    """
    with torch.no_grad(), precision(volume.device):
        maps = method.score(volume, rng)
    return _checked(maps, volume, name)


def final_map(method: Method, volume: torch.Tensor, rng: Streams, name: str) -> torch.Tensor:
    """The map `final` of `score_volume`, without computing the others where possible; checked likewise."""
    with torch.no_grad(), precision(volume.device):
        final = method.final(volume, rng)
    return _checked({"final": final}, volume, name)["final"]


def restoration(method: Method, volume: torch.Tensor, rng: Streams) -> torch.Tensor | None:
    """The method's restoration (D, H, W) float32 of a volume, 0 outside the brain; None without one."""
    restored = _restored(method, volume, rng)
    return None if restored is None else restored * (volume > 0)


def _restored(method: Method, volume: torch.Tensor, rng: Streams) -> torch.Tensor | None:
    """The same, with the method's values outside the brain."""
    with torch.no_grad(), precision(volume.device):
        restored = method.restore(volume, rng)
    return None if restored is None else restored.float()


def _checked(maps: dict[str, torch.Tensor], volume: torch.Tensor, name: str) -> dict[str, torch.Tensor]:
    final_of(maps, f"baselines.{name}")
    for key, values in maps.items():
        if values.shape != volume.shape:
            raise HarnessError(f"{name}: map {key} has shape {tuple(values.shape)}, not {tuple(volume.shape)}")
        if not bool(torch.isfinite(values).all()) or bool((values < 0).any()):
            raise HarnessError(f"{name}: map {key} has values that are negative or not finite")
    return {key: values.float() * (volume > 0) for key, values in maps.items()}


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained method, the metadata of its run and of the task for the tidy results, and the device of scoring.

    The seed in `about` is that of random methods, which have one random stream per subject.
    """

    method: Method
    about: dict[str, Any]
    device: torch.device

    @property
    def streams(self) -> Streams:
        return Streams(self.about["seed"], self.device)


@dataclass(frozen=True)
class Kept:
    """What is kept: counts by these protocols, findings, slices of `examples` subjects, and the volumes of one."""

    protocols: Sequence[str]
    examples: int
    volumes: bool = False


def score_test_set(trained: Trained, task: PackedTask, kept: Kept, out: Path) -> None:
    """Score every subject of a task and write `out/PROTOCOL.npz`, `findings.npz`, `examples.npz` and `volumes.npz`.

    Raises HarnessError for an unknown protocol, and for final maps that are constant in every brain.
    """
    histograms, store = HistogramCollector(kept.protocols), task.store
    labels: Any = store.labels()
    names = [store.subjects[row] for row in example_rows(labels, task.rows, kept.examples, task.values)]
    calibration = None if task.healthy is None else score_healthy(trained, task.healthy, task.modality)
    collectors: list[Collector] = [
        histograms,
        FindingsCollector(calibration),
        SliceCollector(names, store.spacing, trained.method.restoration()),
    ]
    if kept.volumes:
        collectors.append(VolumeCollector(names[0], store.affine, store.simulated, calibration))
    collect(scored_subjects(trained, task), collectors)
    for collector in collectors:
        collector.save(out, trained.about)


def scored_subjects(trained: Trained, task: PackedTask) -> Iterator[ScoredSubject]:
    """The subjects of a task with their score maps, one at a time.

    Raises HarnessError after the last one if no final map ranks a voxel of its brain.
    """
    about, streams, sides = trained.about, trained.streams, voxel_size(task.store.affine)
    ranked = False
    read = subjects(task.store, task.modality, task.rows, trained.device)
    title = f"{about['method']} on {about['task']}"
    for packed in tqdm(read, title, len(task.rows), unit="volume", disable=None):
        rng = streams.child(packed.name)
        labels: Any = packed.classes
        brain = task.values.counted(labels, (packed.volume > 0).cpu().numpy())
        maps = score_volume(trained.method, packed.volume, rng, about["method"])
        counted = {key: countable(scores) for key, scores in maps.items()}
        device = counted["final"].device if isinstance(counted["final"], torch.Tensor) else None
        truth = Truth(packed.name, task.values.classes(labels), brain, sides, device)
        restore = partial(_restored, trained.method, packed.volume, rng)
        scored = ScoredSubject(truth, counted, packed.volume, restore)
        ranked = ranked or bool(brain.any() and np.ptp(scored.final[brain]) > 0)
        yield scored
    if not ranked:
        raise HarnessError(
            f"{title}: in each subject all voxels have the same score, which ranks none; "
            "check the parameters of its scoring, such as an erosion, and the losses of its training"
        )


def score_healthy(trained: Trained, store: Store, modality: str) -> Calibration | None:
    """Score the validation subjects of the packed training cohort; without any returns None and prints a warning."""
    rows = store.rows(modality, "validation").tolist()
    if not rows:
        print(f"warning: {store.folder}: no validation subject with {modality}; no thresholds are set", file=sys.stderr)
        return None
    name, streams, calibrator = trained.about["method"], trained.streams, Calibrator()
    read = subjects(store, modality, rows, trained.device)
    for subject in tqdm(read, f"{name} on healthy subjects", len(rows), unit="volume", disable=None):
        final = final_map(trained.method, subject.volume, streams.child(subject.name), name)
        calibrator.add(subject.name, final.cpu().numpy(), (subject.volume > 0).cpu().numpy())
    return calibrator.finish()


def countable(values: torch.Tensor) -> torch.Tensor | np.ndarray:
    """A score map for counting: a tensor on CUDA, which avoids a transfer, else an array."""
    return values if values.is_cuda else values.cpu().numpy()
