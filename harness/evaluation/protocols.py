"""Named protocols, one entry each: how score map, label and brain become the voxels that are counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import HarnessError

if TYPE_CHECKING:  # the workflow reads the names of protocols where numpy need not be installed
    import numpy as np

    from harness.evaluation.histogram import ScoreHistogram

    Selection = Callable[[np.ndarray, np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]
    Thresholds = Callable[[ScoreHistogram], np.ndarray]


@dataclass(frozen=True)
class Protocol:
    """A way to evaluate score maps.

    `voxels(score, label, brain, rng)` takes a volume's score map (D, H, W) float32, label (D, H, W) (anomalous where
    above 0), brain mask (D, H, W) bool and a random generator, and returns the scores (n,) float32 and labels (n,) bool
    to count. `thresholds(histogram)` gives the thresholds (n,) that ⌈Dice⌉ is taken over; None means all.
    """

    name: str
    description: str
    voxels: Selection
    thresholds: Thresholds | None = None


def brain_voxels(
    score: np.ndarray, label: np.ndarray, brain: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels of every voxel of the brain."""
    inside = brain.astype(bool)
    return score[inside].astype("float32", copy=False), label[inside] > 0


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (Protocol("full", "every voxel of the brain; ⌈Dice⌉ over all thresholds", brain_voxels),)
}


def protocol(name: str) -> Protocol:
    """The protocol of that name. Raises HarnessError naming those that exist."""
    if name not in PROTOCOLS:
        raise HarnessError(f"protocol {name}: unknown; use one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
