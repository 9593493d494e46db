"""Pass over a test set: each subject with its score maps is given to collectors, one subject in memory at a time.

Scored subjects come from a trained method (`inference`) or from maps of other programs (`external_maps`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from uadbench.core.study_folder import histogram_file
from uadbench.data.label_values import LabelValues
from uadbench.data.packing.store import Store
from uadbench.evaluation.protocols.protocols import Truth
from uadbench.evaluation.protocols.protocols import protocol as named
from uadbench.evaluation.voxels.histogram import ScoreHistogram, save

if TYPE_CHECKING:
    from uadbench.evaluation.protocols.protocols import Values


@dataclass(frozen=True, eq=False)
class ScoredSubject:
    """A subject with its score maps.

    truth: its name, label classes, evaluated part of the brain and voxel sides.
    maps: score maps (D, H, W) float32 by name, "final" among them, finite and ≥ 0 in the brain; arrays, or tensors on
    the device of `truth`, where they are counted.
    image: scan (D, H, W) float32 in [0, 1]; restore: makes its restoration (D, H, W); None without one.
    drawn: voxels by label value, of lesion or not.
    merged: voxels (D, H, W) bool whose final scores rounding to float32 made equal to others; None for none.
    """

    truth: Truth
    maps: Mapping[str, Values]
    image: Values | None = None
    restore: Callable[[], Values | None] = lambda: None
    drawn: Mapping[int, int] = field(default_factory=dict)
    merged: np.ndarray | None = None

    @property
    def name(self) -> str:
        return self.truth.subject

    @property
    def lesion(self) -> np.ndarray:
        """Anomalous voxels (D, H, W) bool."""
        return self.truth.label > 0

    @cached_property
    def final(self) -> np.ndarray:
        """The map "final" as an array."""
        return array(self.maps["final"])


def array(values: Values) -> np.ndarray:
    """Values as an array, copied from the device of a tensor."""
    return values if isinstance(values, np.ndarray) else values.cpu().numpy()


class Adding(Protocol):
    """Sees scored subjects pass, in memory that does not grow with the size of their maps."""

    def add(self, subject: ScoredSubject) -> None:
        """Add a subject, each once."""


class Collector(Adding, Protocol):
    """Collects what is kept of scored subjects."""

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write a file, or several, to a folder; about: metadata of run and task, `columns.META`."""


def collect(subjects: Iterable[ScoredSubject], collectors: Sequence[Adding]) -> None:
    for subject in subjects:
        for collector in collectors:
            collector.add(subject)


class HistogramCollector:
    """Histograms of every score map by protocol, which `save` writes to PROTOCOL.npz."""

    def __init__(self, protocols: Iterable[str]) -> None:
        """Raises HarnessError for an unknown protocol."""
        self.protocols = [named(protocol) for protocol in protocols]
        self.histograms: dict[str, dict[str, ScoreHistogram]] = {protocol.name: {} for protocol in self.protocols}

    def add(self, subject: ScoredSubject) -> None:
        for protocol in self.protocols:
            region = protocol.region(subject.truth)
            for key, scores in subject.maps.items():
                histogram = self.histograms[protocol.name].setdefault(key, ScoreHistogram(key))
                merged = None
                if subject.merged is not None and key == "final":
                    merged = array(region.scores(subject.merged.astype(np.float32))) > 0
                histogram.add(subject.name, region.scores(scores), region.labels, merged)

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        for protocol, histograms in self.histograms.items():
            save(folder / histogram_file(protocol), histograms, {**about, "protocol": protocol})


DIGITS = 12  # hexadecimal, of the SHA-256


def digest_of_test_set(store: Store, modality: str, values: LabelValues) -> str:
    """Digest of a packed test set in one modality, from its index; empty where that lacks the arrays' checksums.

    It depends on the subjects, the images, the labels and what `values` makes of them, the grid, and the settings of
    preprocessing. It does not depend on folders, the path of a template, the name of the data set, and exclusions.
    """
    arrays = store.index.get("arrays", {})
    if modality not in arrays or "mask" not in arrays:
        return ""
    subjects = store.subjects
    content = {
        "arrays": [arrays[modality], arrays["mask"]],
        "subjects": [subjects[row] for row in store.rows(modality, "test")],
        "labels": [values.lesion, values.ignored],
        "affine": store.affine.tolist(),
        "preprocessing": {
            key: value for key, value in store.index.get("preprocessing", {}).items() if key != "template"
        },
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:DIGITS]


class LabelDigest:
    """Digest of the labels that score maps of another program are evaluated against."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def passed(self, subjects: Iterable[ScoredSubject]) -> Iterator[ScoredSubject]:
        """The same subjects, each added as it passes: its labels, 0 where not lesion, and the voxels that count."""
        for subject in subjects:
            truth = subject.truth
            self.hash.update(json.dumps([truth.subject, truth.label.shape]).encode())
            self.hash.update(truth.label.astype(np.uint8).tobytes() + np.packbits(truth.brain).tobytes())
            yield subject

    @property
    def text(self) -> str:
        """The digest of all subjects that have passed."""
        return self.hash.hexdigest()[:DIGITS]
