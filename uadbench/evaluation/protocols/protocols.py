"""Evaluation protocols: selection of the voxels to count from score map, label and brain mask.

A protocol is one function that selects voxels and, if it fixes thresholds, one that returns them; see `PROTOCOLS`.
Imports no numpy at the top: the workflow reads the names of protocols where it need not be installed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uadbench.core.errors import HarnessError, choices

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    from uadbench.evaluation.voxels.histogram import ScoreHistogram

    Values = np.ndarray | Tensor
    Thresholds = Callable[[ScoreHistogram], np.ndarray]

OFFICIAL_VOXELS = 10_000  # drawn of each volume
OFFICIAL_THRESHOLDS = 200
UPD_THRESHOLDS = 100
UPD_LABEL = 0.4  # resized labels are anomalous above


@dataclass(frozen=True, eq=False)
class Truth:
    """Label and brain of one subject, the inputs of a protocol's voxel selection.

    label: (D, H, W), the data set's classes, anomalous where above 0. brain: (D, H, W) bool. Both are arrays.
    spacing: voxel size in mm along D, H and W (slice, row, column).
    device: of score maps that are tensors, which are counted there; None for arrays.
    """

    subject: str
    label: np.ndarray
    brain: np.ndarray
    spacing: tuple[float, float, float]
    device: torch.device | None = None

    @property
    def rng(self) -> np.random.Generator:
        """A new generator seeded by the subject's name: all methods, seeds and score maps draw the same from it."""
        import numpy as np

        return np.random.default_rng(int.from_bytes(hashlib.sha256(self.subject.encode()).digest(), "big"))

    def beside(self, array: np.ndarray) -> Values:
        """An array as the score maps are: an array, or a tensor on their device."""
        if self.device is None:
            return array
        import torch

        return torch.from_numpy(array).to(self.device)


@dataclass(frozen=True, eq=False)
class Region:
    """The n voxels of a subject that a protocol counts: selected once, read from every score map.

    labels: (n,) bool. scores: maps a score map (D, H, W) float32, finite and ≥ 0 in the brain, to the scores (n,); the
    map's values outside the brain do not count.
    """

    labels: Values
    scores: Callable[[Values], Values]


@dataclass(frozen=True)
class Protocol:
    """A protocol for the evaluation of score maps.

    `region(truth)` selects the voxels to count. `thresholds(histogram)` returns the thresholds (n,) of ⌈Dice⌉; a voxel
    counts as anomalous at or above one. None stands for all thresholds.
    """

    name: str
    description: str
    region: Callable[[Truth], Region]
    thresholds: Thresholds | None = None


def brain_voxels(truth: Truth) -> Region:
    """Every voxel of the brain, and anomalous ones outside of it, with score 0 (missed)."""
    import numpy as np

    anomalous = truth.label.reshape(-1) > 0
    brain = truth.brain.reshape(-1).astype(bool)
    chosen = np.flatnonzero(brain | anomalous)
    places, inside = truth.beside(chosen), truth.beside(brain[chosen])
    return Region(truth.beside(anomalous[chosen]), lambda score: _within(score.reshape(-1)[places], inside))


def upd_pixels(truth: Truth) -> Region:
    """Every pixel, background included, of the axial slices with brain, at 128 x 128.

    After UPD_study (Lagogiannis et al., IEEE TMI 43(1), 2024, and its code). As there, classes are resized as numbers
    and anomalous above 0.4: for class 2 a fifth of a pixel suffices.
    """
    import numpy as np

    from uadbench.evaluation.protocols.upd_resize import resize

    chosen = np.flatnonzero(truth.brain.any(axis=(1, 2)))
    classes = np.where(truth.label > 0, truth.label, 0)[chosen]
    labels = (resize(classes, truth.spacing) > UPD_LABEL).ravel()
    slices, inside = truth.beside(chosen), truth.beside(truth.brain[chosen].astype(bool))
    return Region(truth.beside(labels), lambda score: resize(_within(score[slices], inside), truth.spacing).reshape(-1))


def upd_thresholds(histogram: ScoreHistogram) -> np.ndarray:
    """Thresholds evenly spaced from the smallest to the largest pooled score; scores above them are anomalous."""
    return _just_above(*histogram.range, UPD_THRESHOLDS)


def official_voxels(truth: Truth) -> Region:
    """10,000 random voxels of the brain's bounding box, or all if there are fewer (public code of DISYRE).

    That code draws them anew in every run and with replacement; here they are the same for every method and seed. The
    scores of a volume with any drawn score above 1 pass through a sigmoid: torchmetrics, which that code uses, treats
    them as logits. Volumes of one test set may then have two scales.
    """
    import numpy as np

    from uadbench.evaluation.detection.lesions import bounding_box

    box = bounding_box(truth.brain)
    sides = [side.stop - side.start for side in box]
    number = int(np.prod(sides))
    drawn = truth.rng.choice(number, min(OFFICIAL_VOXELS, number), replace=False)
    at = tuple(place + side.start for place, side in zip(np.unravel_index(drawn, sides), box, strict=True))
    places = truth.beside(np.ravel_multi_index(at, truth.brain.shape))
    inside = truth.beside(truth.brain[at].astype(bool))
    return Region(
        truth.beside(truth.label[at] > 0),
        lambda score: _probabilities(_within(score.reshape(-1)[places], inside)),
    )


def _within(scores: Values, inside: Values) -> Values:
    """Scores of any shape where `inside` (bool, same shape) is true, 0 elsewhere."""
    import numpy as np

    if isinstance(scores, np.ndarray):
        return np.where(inside, scores, np.float32(0)).astype(np.float32, copy=False)
    return scores.where(inside, 0)  # type: ignore[arg-type]


def _probabilities(scores: Values) -> Values:
    """Scores (n,), or their sigmoid if any of them is above 1; by the same code for arrays and tensors."""
    import numpy as np
    from scipy.special import expit

    if not len(scores) or float(scores.max()) <= 1:
        return scores
    if isinstance(scores, np.ndarray):
        return expit(scores)
    import torch

    return torch.from_numpy(expit(scores.cpu().numpy())).to(scores.device)


def official_thresholds(histogram: ScoreHistogram) -> np.ndarray:
    """Thresholds evenly spaced from the smallest pooled score to 1, the largest label, even for larger scores."""
    return _just_above(histogram.range[0], 1.0, OFFICIAL_THRESHOLDS)


def _just_above(first: float, last: float, number: int) -> np.ndarray:
    """Evenly spaced thresholds (number,) float64, each raised to the next float, so that ≥ is equivalent to >.

    This matters for the first, the score of all background: all voxels are at or above it, but not all above it.
    """
    import numpy as np

    return np.nextafter(np.linspace(first, last, number), np.inf)


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "full",
            "every voxel of the brain, and anomalous ones outside of it as missed; ⌈Dice⌉ over all thresholds",
            brain_voxels,
        ),
        Protocol(
            "upd",
            "every pixel of the axial slices with brain at 128 × 128, background included; ⌈Dice⌉ over "
            f"{UPD_THRESHOLDS} even thresholds from the smallest to the largest score",
            upd_pixels,
            upd_thresholds,
        ),
        Protocol(
            "official",
            f"{OFFICIAL_VOXELS:,} random voxels of each brain's bounding box, the same for every method, through a "
            f"sigmoid where scores of the volume exceed 1; ⌈Dice⌉ over {OFFICIAL_THRESHOLDS} even thresholds from the "
            "smallest score to 1",
            official_voxels,
            official_thresholds,
        ),
    )
}


def protocol(name: str) -> Protocol:
    """The protocol of that name. Raises HarnessError naming those that exist."""
    if name not in PROTOCOLS:
        raise HarnessError(f"protocol {name}: unknown; {choices(name, PROTOCOLS)}")
    return PROTOCOLS[name]
