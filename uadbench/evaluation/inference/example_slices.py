"""Example subjects of a test set, and their slices with the largest lesion for Figure 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from uadbench.core.study_folder import EXAMPLES
from uadbench.evaluation.inference.collecting import ScoredSubject, array
from uadbench.evaluation.protocols.labels import EVERY, LabelValues
from uadbench.evaluation.voxels.archives import SLICES


def example_rows(labels: np.ndarray, rows: Sequence[int], count: int, values: LabelValues = EVERY) -> list[int]:
    """Rows of example subjects, the same for every method: evenly spaced by lesion volume from median to largest."""
    ordered = sorted(rows, key=lambda row: (int(np.count_nonzero(values.classes(labels[row]))), row))
    upper = ordered[len(ordered) // 2 :]
    places = np.linspace(0, len(upper) - 1, min(count, len(upper))).round().astype(int)
    return [upper[place] for place in places]


class SliceCollector:
    """Scan, final map, restoration and lesion of the example subjects, which `save` writes to examples.npz."""

    def __init__(self, names: Sequence[str], spacing: float, restoration: str) -> None:
        """names: of the subjects; spacing: mm, of a pixel; restoration: what the method's restorations are."""
        self.names = names
        self.facts = {"spacing": np.float32(spacing), "restored": np.array(restoration)}
        self.slices: list[dict[str, Any]] = []

    def add(self, subject: ScoredSubject) -> None:
        if subject.name not in self.names:
            return
        lesion = subject.lesion
        z = int(lesion.sum((1, 2)).argmax())
        volumes = {"image": subject.image, "score": subject.final, "restoration": subject.restore()}
        # Copies, not views, which would keep the whole volumes.
        arrays = {key: array(volume[z]).copy() for key, volume in volumes.items() if volume is not None}
        self.slices.append({**arrays, "label": lesion[z].astype(np.uint8), "subject": subject.name})

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        arrays = {key: np.stack([example[key] for example in self.slices]) for key in self.slices[0]}
        SLICES.save(folder / EXAMPLES, {**self.facts, **arrays}, meta=dict(about))
