"""Scoring of a test set with a trained run: one pass over its volumes, into histograms, findings and example slices."""

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from uadbench.compute import networks
from uadbench.compute.precision import Precision
from uadbench.core.errors import HarnessError
from uadbench.data.label_values import EVERY, LabelValues
from uadbench.data.packing.store import Store
from uadbench.evaluation.detection.findings import Calibration, Calibrator
from uadbench.evaluation.inference.collecting import Collector, HistogramCollector, ScoredSubject, collect
from uadbench.evaluation.inference.doubts import DoubtCollector
from uadbench.evaluation.inference.examples import SliceCollector, VolumeCollector, example_rows
from uadbench.evaluation.inference.findings_collector import FindingsCollector
from uadbench.evaluation.protocols.protocols import Truth
from uadbench.evaluation.protocols.upd_resize import voxel_size
from uadbench.evaluation.voxels.metrics import auroc, turned
from uadbench.methods.base import Method, final_of
from uadbench.methods.params import own_filters, unfiltered
from uadbench.methods.postprocessing import FILTERED
from uadbench.methods.registry import CONTROL
from uadbench.methods.scoring.filters import filtered
from uadbench.methods.seeds import Streams

#: raised when a change alters the counts or findings of the same maps: all runs are scored again
REVISION = 4


def ready(method: Method, device: torch.device) -> Method:
    """Optimise a trained method for scoring: on CUDA its networks are compiled, with channels last."""
    if device.type == "cuda":
        networks.arrange(method, device)
        networks.compile_calls(method.children())
    return method


def score_volume(method: Method, volume: torch.Tensor, rng: Streams, name: str) -> dict[str, torch.Tensor]:
    """All score maps of a volume (D, H, W), checked to have its shape, finite, at least 0; 0 outside the brain.

    With post-processing of the study (`method.context`) all maps are filtered; or, beside those as published, `final`
    without the method's own filters, as FILTERED. Raises HarnessError naming the method's invalid map.
    """
    maps, chosen = _checked(_computed(method.score, volume, rng), volume, name), method.context.postprocessing
    if chosen is None:
        return maps
    if not chosen.beside:
        return {key: filtered(values, volume, chosen) for key, values in maps.items()}
    # A second pass only of methods that filter by themselves; restoration, which is dear, is none of them.
    plain = maps["final"] if not own_filters(method.params) else _plain(method, volume, rng, name)
    return {**maps, FILTERED: filtered(plain, volume, chosen)}


def final_map(method: Method, volume: torch.Tensor, rng: Streams, name: str) -> torch.Tensor:
    """The map `final` of `score_volume`, without computing the others where possible; checked likewise."""
    final, chosen = _final(method, volume, rng, name), method.context.postprocessing
    return final if chosen is None or chosen.beside else filtered(final, volume, chosen)


def _final(method: Method, volume: torch.Tensor, rng: Streams, name: str) -> torch.Tensor:
    return _checked({"final": _computed(method.final, volume, rng)}, volume, name)["final"]


def _plain(method: Method, volume: torch.Tensor, rng: Streams, name: str) -> torch.Tensor:
    """The map `final` without the method's own filters."""
    params = method.params
    method.params = unfiltered(params)
    try:
        return _final(method, volume, rng, name)
    finally:
        method.params = params


def restoration(method: Method, volume: torch.Tensor, rng: Streams) -> torch.Tensor | None:
    """The method's restoration (D, H, W) float32 of a volume, 0 outside the brain; None without one."""
    restored = _restored(method, volume, rng)
    return None if restored is None else restored * (volume > 0)


def _restored(method: Method, volume: torch.Tensor, rng: Streams) -> torch.Tensor | None:
    """The same, with the method's values outside the brain."""
    restored = _computed(method.restore, volume, rng)
    return None if restored is None else restored.float()


def _computed(function: Callable[[torch.Tensor, Streams], Any], volume: torch.Tensor, rng: Streams) -> Any:
    with torch.no_grad(), Precision(volume.device).autocast():
        return function(volume, rng)


def _checked(maps: dict[str, torch.Tensor], volume: torch.Tensor, name: str) -> dict[str, torch.Tensor]:
    final_of(maps, name)
    for key, values in maps.items():
        if values.shape != volume.shape:
            raise HarnessError(f"{name}: map {key} has shape {tuple(values.shape)}, not {tuple(volume.shape)}")
    valid = torch.stack([((values >= 0) & torch.isfinite(values)).all() for values in maps.values()])
    for key, fine in zip(maps, valid.tolist(), strict=True):  # the one time that the host waits for the device
        if not fine:
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


@dataclass(frozen=True, eq=False)
class PackedTask:
    """The test subjects of a packed data set that have a modality.

    values: labels that are lesion, and labels of voxels to ignore. healthy: the packed training cohort, whose
    validation subjects set thresholds. Raises HarnessError for a store without masks or test subjects, and for values
    that no label holds.
    """

    store: Store
    modality: str
    values: LabelValues = EVERY
    healthy: Store | None = None

    def __post_init__(self) -> None:
        if not self.store.index["has_mask"] or not self.rows:
            raise HarnessError(f"{self.store.folder}: not a test set: it needs masks and subjects with {self.modality}")
        if note := self.values.left_over(self.store.label_voxels, str(self.store.folder)):
            print(f"warning: {note}", file=sys.stderr)

    @cached_property
    def rows(self) -> list[int]:
        """Rows of the test subjects."""
        return self.store.rows(self.modality, "test").tolist()


def score_test_set(
    trained: Trained, task: PackedTask, protocols: Sequence[str], examples: int, out: Path, volumes: bool = False
) -> None:
    """Score every subject of a task and write `out/PROTOCOL.npz`, `findings.npz`, `examples.npz` and `volumes.npz`.

    protocols: by which voxels are counted; examples: number of subjects of which slices are kept; volumes: whether to
    keep those of one. Raises HarnessError for an unknown protocol, and for final maps constant in every brain.
    """
    histograms, store = HistogramCollector(protocols), task.store
    labels: Any = store.labels()
    names = [store.subjects[row] for row in example_rows(labels, task.rows, examples, task.values)]
    calibration = None if task.healthy is None else score_healthy(trained, task.healthy, task.modality)
    collectors: list[Collector] = [
        histograms,
        FindingsCollector(calibration),
        SliceCollector(names, store.spacing, trained.method.restoration()),
    ]
    if volumes:
        collectors.append(VolumeCollector(names[0], store.affine, store.simulated, calibration))
    doubts = DoubtCollector()
    collect(scored_subjects(trained, task), [*collectors, doubts])
    if trained.about.get("family") != CONTROL:
        final = histograms.histograms[protocols[0]]["final"]
        for note in [*doubts.notes(), *filter(None, [turned(auroc(final))])]:
            print(f"warning: {trained.about['method']} on {trained.about['task']}: {note}", file=sys.stderr)
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
        brain = task.values.counted(packed.labels, (packed.volume > 0).cpu().numpy())
        maps = score_volume(trained.method, packed.volume, rng, about["method"])
        counted = {key: countable(scores) for key, scores in maps.items()}
        device = counted["final"].device if isinstance(counted["final"], torch.Tensor) else None
        truth = Truth(packed.name, task.values.classes(packed.labels), brain, sides, device)
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


class PackedSubject(NamedTuple):
    """A packed subject: its name, image (D, H, W) float32 on the device, labels (D, H, W), None without."""

    name: str
    volume: torch.Tensor
    labels: Any


def subjects(store: Store, modality: str, rows: Sequence[int], device: torch.device) -> Iterator[PackedSubject]:
    """Iterate over the subjects of these rows, in order, with at most two in memory: a thread reads the next one."""
    images, labels = store.images(modality), store.labels()

    def read(row: int) -> tuple[torch.Tensor, np.ndarray | None]:
        # Copies, not views: a memory map would defer the reading to the other thread.
        image = torch.from_numpy(np.array(images[row], np.float32))
        if device.type == "cuda":
            image = image.pin_memory()
        return image, None if labels is None else np.array(labels[row])

    with ThreadPoolExecutor(max_workers=1) as reader:
        ahead = [reader.submit(read, row) for row in rows[:1]]
        for place, row in enumerate(rows):
            image, drawn = ahead.pop().result()
            ahead = [reader.submit(read, following) for following in rows[place + 1 : place + 2]]
            yield PackedSubject(store.subjects[row], image.to(device, non_blocking=True), drawn)
