"""Pass over a test set: each subject with its score maps is given to collectors, one subject in memory at a time.

Scored subjects come from a trained method (`inference`) or from maps of other programs (`external_maps`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from uadbench.core.study_folder import histogram_file
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
    """

    truth: Truth
    maps: Mapping[str, Values]
    image: Values | None = None
    restore: Callable[[], Values | None] = lambda: None

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


class Collector(Protocol):
    """Collects what is kept of scored subjects, in memory that does not grow with the size of their maps."""

    def add(self, subject: ScoredSubject) -> None:
        """Add a subject, each once."""

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write a file, or several, to a folder; about: metadata of run and task, `columns.META`."""


def collect(subjects: Iterable[ScoredSubject], collectors: Sequence[Collector]) -> None:
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
                histogram.add(subject.name, region.scores(scores), region.labels)

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        for protocol, histograms in self.histograms.items():
            save(folder / histogram_file(protocol), histograms, {**about, "protocol": protocol})
