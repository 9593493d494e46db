"""Scoring of a test set with a trained run: one pass over its volumes, into histograms, findings and example slices."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from uadbench.data.store import Store
from uadbench.errors import HarnessError
from uadbench.evaluation import example_volumes, findings
from uadbench.evaluation.archives import SLICES
from uadbench.evaluation.collecting import Collector
from uadbench.evaluation.histogram import ScoreHistogram, save
from uadbench.evaluation.labels import EVERY, LabelValues
from uadbench.evaluation.operating_points import Calibration, Calibrator
from uadbench.evaluation.protocols import Truth
from uadbench.evaluation.protocols import protocol as named
from uadbench.evaluation.reading import Subject, subjects
from uadbench.evaluation.upd_resize import voxel_size
from uadbench.methods.base import Method, final_of
from uadbench.methods.seeds import Streams
from uadbench.precision import precision
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
    with torch.no_grad(), precision(volume.device):
        restored = method.restore(volume, rng)
    return None if restored is None else restored.float() * (volume > 0)


def _checked(maps: dict[str, torch.Tensor], volume: torch.Tensor, name: str) -> dict[str, torch.Tensor]:
    final_of(maps, f"baselines.{name}")
    for key, values in maps.items():
        if values.shape != volume.shape:
            raise HarnessError(
                f"baselines/{name}.py: map {key} has shape {tuple(values.shape)}, not {tuple(volume.shape)}"
            )
        if not bool(torch.isfinite(values).all()) or bool((values < 0).any()):
            raise HarnessError(f"baselines/{name}.py: map {key} has values that are negative or not finite")
    return {key: values.float() * (volume > 0) for key, values in maps.items()}


def score_test_set(
    method: Method,
    store: Store,
    modality: str,
    meta: dict[str, Any],
    protocols: list[str],
    examples: int,
    out: Path,
    device: torch.device,
    healthy: Store | None = None,
    values: LabelValues = EVERY,
    volumes: bool = False,
) -> None:
    """Score every subject of a packed test set and write `out/PROTOCOL.npz`, `out/findings.npz` and `out/examples.npz`.

    meta: metadata of the run and the task for the tidy results. Random methods have one random stream per subject.
    healthy: the packed training cohort, whose validation subjects set the thresholds of `findings`; without validation
    subjects, findings have no thresholds. values: labels that are lesion, and labels of voxels to ignore.
    volumes: whether `out/volumes.npz`, the volumes of the first example subject, is written too.
    Raises HarnessError for a store without masks or subjects, and for final maps that are constant in every brain.
    """
    rows = store.rows(modality, "test")
    labels = store.labels()
    if labels is None or not len(rows):
        raise HarnessError(f"{store.folder}: not a test set: it needs masks and subjects with {modality}")
    chosen = [named(protocol) for protocol in protocols]
    histograms: dict[str, dict[str, ScoreHistogram]] = {protocol: {} for protocol in protocols}
    spacing = voxel_size(store.affine)
    ordered = example_rows(labels, rows, examples, values)
    shown = set(ordered)
    slices: list[dict[str, Any]] = []
    streams = Streams(meta["seed"], device)
    calibration = None if healthy is None else score_healthy(method, healthy, modality, meta, device)
    collector, ranked = Collector(spacing, calibration), False
    read = subjects(store, modality, rows.tolist(), device)
    for subject in tqdm(read, f"{meta['method']} on {meta['task']}", len(rows), unit="volume", disable=None):
        rng = streams.child(subject.name)
        labelled: Any = subject.classes
        classes = values.classes(labelled)
        truth = classes > 0
        brain = values.counted(labelled, (subject.volume > 0).cpu().numpy())
        maps = score_volume(method, subject.volume, rng, meta["method"])
        counted = {key: countable(scores) for key, scores in maps.items()}
        on = counted["final"].device if isinstance(counted["final"], torch.Tensor) else None
        known = Truth(subject.name, classes, brain, spacing, on)
        for protocol in chosen:
            region = protocol.region(known)
            for key, scores in counted.items():
                histogram = histograms[protocol.name].setdefault(key, ScoreHistogram(key))
                histogram.add(subject.name, region.scores(scores), region.labels)
        final = maps["final"].cpu().numpy()
        ranked = ranked or bool(brain.any() and np.ptp(final[brain]) > 0)
        collector.add(subject.name, np.where(brain, final, 0) if values.ignored else final, truth, brain)
        if volumes and subject.row == ordered[0]:
            arrays = (subject.volume.cpu().numpy(), final, truth)
            reached = None if calibration is None else (calibration.rates, calibration.thresholds)
            first = example_volumes.make(subject.name, store.simulated, arrays, store.affine, reached)
        if subject.row in shown:
            slices.append(_example(method, subject, rng, maps["final"], truth))
    if not ranked:
        raise HarnessError(
            f"{meta['method']} on {meta['task']}: in each subject all voxels have the same score, which ranks none; "
            "check the parameters of its scoring, such as an erosion, and the losses of its training"
        )
    out.mkdir(parents=True, exist_ok=True)
    for name, counted_maps in histograms.items():
        save(out / f"{name}.npz", counted_maps, {**meta, "protocol": name})
    findings.save(out / findings.NAME, collector.finish(), meta)
    _write_examples(out / "examples.npz", slices, store.spacing, method.restoration())
    if volumes:
        example_volumes.save(out / example_volumes.NAME, first)


def score_healthy(
    method: Method, store: Store, modality: str, meta: dict[str, Any], device: torch.device
) -> Calibration | None:
    """Score the validation subjects of the packed training cohort; without any returns None and prints a warning.

    meta: the method's name for messages and the seed of random streams, as for test subjects.
    """
    rows = store.rows(modality, "validation")
    if not len(rows):
        print(f"warning: {store.folder}: no validation subject with {modality}; no thresholds are set", file=sys.stderr)
        return None
    streams = Streams(meta["seed"], device)
    calibrator = Calibrator()
    read = subjects(store, modality, rows.tolist(), device)
    for subject in tqdm(read, f"{meta['method']} on healthy subjects", len(rows), unit="volume", disable=None):
        final = final_map(method, subject.volume, streams.child(subject.name), meta["method"])
        calibrator.add(subject.name, final.cpu().numpy(), (subject.volume > 0).cpu().numpy())
    return calibrator.finish()


def example_rows(labels: np.ndarray, rows: np.ndarray, count: int, values: LabelValues = EVERY) -> list[int]:
    """Rows of example subjects, the same for every method: evenly spaced by lesion volume from median to largest."""
    ordered = sorted(rows.tolist(), key=lambda row: (int(np.count_nonzero(values.classes(labels[row]))), row))
    upper = ordered[len(ordered) // 2 :]
    places = np.linspace(0, len(upper) - 1, min(count, len(upper))).round().astype(int)
    return [upper[place] for place in places]


def countable(values: torch.Tensor) -> torch.Tensor | np.ndarray:
    """A score map for counting: a tensor on CUDA, which avoids a transfer, else an array."""
    return values if values.is_cuda else values.cpu().numpy()


def _example(method: Method, subject: Subject, rng: Streams, final: torch.Tensor, truth: np.ndarray) -> dict[str, Any]:
    """The slice with the largest lesion of a subject."""
    z = int(truth.sum((1, 2)).argmax())
    volume = subject.volume
    with torch.no_grad(), precision(volume.device):
        restored = method.restore(volume, rng)
    example = {"image": volume[z], "score": final[z], "restoration": None if restored is None else restored[z].float()}
    arrays = {key: value.cpu().numpy() for key, value in example.items() if value is not None}
    return {**arrays, "label": truth[z].astype(np.uint8), "subject": subject.name}


def _write_examples(path: Path, slices: list[dict[str, Any]], spacing: float, how: str) -> None:
    arrays = {key: np.stack([example[key] for example in slices]) for key in slices[0]}
    SLICES.save(path, {"spacing": np.float32(spacing), "restored": np.array(how), **arrays})
