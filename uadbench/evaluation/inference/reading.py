"""Packed data of a task, and the reader of its subjects in sequence, which prefetches the next one in a thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from uadbench.core.errors import HarnessError
from uadbench.data.packing.store import Store
from uadbench.evaluation.protocols.labels import EVERY, LabelValues


@dataclass(frozen=True, eq=False)
class PackedTask:
    """The test subjects of a packed data set that have a modality.

    values: labels that are lesion, and labels of voxels to ignore. healthy: the packed training cohort, whose
    validation subjects set thresholds. Raises HarnessError for a store without masks or test subjects.
    """

    store: Store
    modality: str
    values: LabelValues = EVERY
    healthy: Store | None = None

    def __post_init__(self) -> None:
        if not self.store.index["has_mask"] or not self.rows:
            raise HarnessError(f"{self.store.folder}: not a test set: it needs masks and subjects with {self.modality}")

    @cached_property
    def rows(self) -> list[int]:
        """Rows of the test subjects."""
        return self.store.rows(self.modality, "test").tolist()


@dataclass(frozen=True, eq=False)
class Subject:
    """One packed subject: its row and name, image (D, H, W) float32 on the device, classes (D, H, W) or None."""

    row: int
    name: str
    volume: torch.Tensor
    classes: np.ndarray | None


def subjects(store: Store, modality: str, rows: Sequence[int], device: torch.device) -> Iterator[Subject]:
    """Iterate over the subjects of these rows, in order, with at most two in memory."""
    images, labels = store.images(modality), store.labels()

    def read(row: int) -> tuple[torch.Tensor, np.ndarray | None]:
        # Copies, not views: a memory map would defer the reading to the other thread.
        image = torch.from_numpy(np.array(images[row], np.float32))
        if device.type == "cuda":
            image = image.pin_memory()
        return image, None if labels is None else np.array(labels[row])

    with ThreadPoolExecutor(max_workers=1) as reader:
        ahead = [reader.submit(read, int(row)) for row in rows[:1]]
        for place, row in enumerate(rows):
            image, classes = ahead.pop().result()
            ahead = [reader.submit(read, int(following)) for following in rows[place + 1 : place + 2]]
            yield Subject(int(row), store.subjects[row], image.to(device, non_blocking=True), classes)
