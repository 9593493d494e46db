"""Evaluation protocols: selection of the voxels to count from score map, label and brain mask.

A protocol is one function that selects voxels and, if it fixes thresholds, one that returns them; see `PROTOCOLS`.
Imports no numpy at the top: the workflow reads the names of protocols where it need not be installed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from harness.errors import HarnessError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from harness.evaluation.histogram import ScoreHistogram

    Values = np.ndarray | Tensor
    Pair = tuple[Values, Values]
    Thresholds = Callable[[ScoreHistogram], np.ndarray]

Value = TypeVar("Value")

OFFICIAL_VOXELS = 10_000  # drawn of each volume
OFFICIAL_THRESHOLDS = 200
UPD_THRESHOLDS = 100
UPD_LABEL = 0.4  # resized labels are anomalous above


@dataclass(frozen=True, eq=False)
class Volume:
    """One score map of one subject, with the inputs of a protocol's voxel selection.

    score: (D, H, W) float32, finite and ≥ 0 in the brain; ignored elsewhere. An array, or a tensor on any device: then
    the selected voxels are tensors on that device.
    label: (D, H, W), the data set's classes, anomalous where above 0. brain: (D, H, W) bool. Both are arrays.
    spacing: voxel size in mm along D, H and W (slice, row, column).
    shared: cache of values derived from label and brain; pass the same dict for all score maps of a subject.
    """

    subject: str
    score: Values
    label: np.ndarray
    brain: np.ndarray
    spacing: tuple[float, float, float]
    shared: dict[str, object] = field(default_factory=dict, repr=False)

    @property
    def rng(self) -> np.random.Generator:
        """A new generator seeded by the subject's name: draws are the same for all methods, seeds and score maps."""
        import numpy as np

        return np.random.default_rng(int.from_bytes(hashlib.sha256(self.subject.encode()).digest(), "big"))

    def beside(self, array: np.ndarray) -> Values:
        """An array converted to the type of the score map: an array, or a tensor on its device."""
        import numpy as np

        if isinstance(self.score, np.ndarray):
            return array
        import torch

        return torch.from_numpy(array).to(self.score.device)

    def within(self, scores: Values, inside: Values) -> Values:
        """Scores of any shape where `inside` (bool, same shape) is true, 0 elsewhere."""
        import numpy as np

        if isinstance(self.score, np.ndarray):
            return np.where(inside, scores, np.float32(0)).astype(np.float32, copy=False)
        return scores.where(inside, 0)  # type: ignore[union-attr, arg-type]

    def once(self, name: str, make: Callable[[], Value]) -> Value:
        """Cached result of `make`, which must not depend on the score; computed at the first call for this subject."""
        if name not in self.shared:
            self.shared[name] = make()
        return self.shared[name]  # type: ignore[return-value]


@dataclass(frozen=True)
class Protocol:
    """A protocol for the evaluation of score maps.

    `voxels(volume)` returns the scores (n,) float32 and labels (n,) bool to count. `thresholds(histogram)` returns the
    thresholds (n,) for ⌈Dice⌉, with scores at or above them classified as anomalous; None means all thresholds.
    """

    name: str
    description: str
    voxels: Callable[[Volume], Pair]
    thresholds: Thresholds | None = None


def brain_voxels(volume: Volume) -> Pair:
    """Scores and labels of every voxel of the brain, and of anomalous ones outside of it, with score 0 (missed)."""
    import numpy as np

    def truth() -> tuple[Values, Values, Values]:
        anomalous = volume.label.reshape(-1) > 0
        brain = volume.brain.reshape(-1).astype(bool)
        places = np.flatnonzero(brain | anomalous)
        return volume.beside(places), volume.beside(brain[places]), volume.beside(anomalous[places])

    places, brain, label = volume.once("full", truth)
    return volume.within(volume.score.reshape(-1)[places], brain), label


def upd_pixels(volume: Volume) -> Pair:
    """Every pixel, background included, of the axial slices with brain, at 128 x 128.

    After UPD_study (Lagogiannis et al., IEEE TMI 43(1), 2024, and its code). As there, classes are resized as numbers
    and anomalous above 0.4: for class 2 a fifth of a pixel suffices.
    """
    import numpy as np

    from harness.evaluation.upd_resize import resize

    def truth() -> tuple[Values, Values, Values]:
        kept = np.flatnonzero(volume.brain.any(axis=(1, 2)))
        classes = np.where(volume.label > 0, volume.label, 0)[kept]
        label = (resize(classes, volume.spacing) > UPD_LABEL).ravel()
        return volume.beside(kept), volume.beside(volume.brain[kept].astype(bool)), volume.beside(label)

    kept, brain, label = volume.once("upd", truth)
    return resize(volume.within(volume.score[kept], brain), volume.spacing).reshape(-1), label


def upd_thresholds(histogram: ScoreHistogram) -> np.ndarray:
    """Thresholds evenly spaced from the smallest to the largest pooled score; scores above them are anomalous."""
    return _just_above(*histogram.range, UPD_THRESHOLDS)


def official_voxels(volume: Volume) -> Pair:
    """10,000 random voxels of the brain's bounding box, or all if there are fewer (public code of DISYRE).

    That code draws them anew in every run and with replacement; here they are the same for every method and seed. The
    scores of a volume with any drawn score above 1 pass through a sigmoid: torchmetrics, which that code uses, treats
    them as logits. Volumes of one test set may then have two scales.
    """
    import numpy as np

    from harness.evaluation.lesions import bounding_box

    def draw() -> tuple[Values, Values, Values]:
        box = bounding_box(volume.brain)
        sides = [side.stop - side.start for side in box]
        number = int(np.prod(sides))
        chosen = volume.rng.choice(number, min(OFFICIAL_VOXELS, number), replace=False)
        places = tuple(place + side.start for place, side in zip(np.unravel_index(chosen, sides), box, strict=True))
        flat = np.ravel_multi_index(places, volume.brain.shape)
        inside, label = volume.brain[places].astype(bool), volume.label[places] > 0
        return volume.beside(flat), volume.beside(inside), volume.beside(label)

    places, inside, label = volume.once("official", draw)
    scores = volume.within(volume.score.reshape(-1)[places], inside)
    return _probabilities(scores), label


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
        raise HarnessError(f"protocol {name}: unknown; use one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
