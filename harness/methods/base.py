"""The contract of a baseline: what is trained on a batch, and how slices or volumes are scored.

A baseline lies in `baselines/NAME.py` and defines (in capitals: literals, read without importing the file)

    REVISION = 1                # raise it when the method's results change: this alone retrains
    TITLE, FAMILY, PAPER        # how tables name and group it, and where it was published
    SMALL                       # hyper-parameters that train in seconds on a CPU; tests use them
    VARIANTS = {"upd": {"title": …, "params": {…}}}    # optional: other settings, run as the method NAME-upd
    class Params                # optional: a frozen dataclass of hyper-parameters, the paper's values as defaults
    class Baseline(SliceMethod) # `score_slices`, and `phases` if it is trained: below

Volumes are float32 tensors (D, H, W) in [0, 1]: D axial slices, voxels outside the brain exactly 0, inside above 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from harness.errors import HarnessError
from harness.methods.seeds import Streams
from harness.methods.slices import OVERLAP, Maps, scaled, tiled

WHOLE = 2**20  # as the patch of a phase: whole slices, for a method that crops them itself


@dataclass(frozen=True)
class Context:
    """Study context passed to every method."""

    modality: str  # one of `harness.modalities.NAMES`
    spacing: float  # mm, side of the isotropic voxels
    required: Method | None = None  # the trained method that REQUIRES names, frozen

    def share(self, batch: Batch, field: float) -> float:
        """Length of a field of view of `field` mm as a multiple of the longer side of a batch's slices; 1 for 0 mm.

        Authors state lengths as shares of their slices. Multiplied by this, they keep their length in mm on others.
        """
        return field / (max(batch.images.shape[-2:]) * batch.pixel * self.spacing) if field else 1.0


@dataclass
class Batch:
    """A batch of healthy slices on the training device.

    images: float32 (N, 1, H, W) in [0, 1], random axial slices of random subjects, cropped at random to the patch.
    subjects: int64 (N,), the subject of each.
    rng: one independent random stream per purpose, `rng["anomalies"]`.
    draw_foreign: makes `foreign`.
    pixel: side of a pixel in voxels of the volume, above 1 where slices were scaled to the patch.
    """

    images: Tensor
    subjects: Tensor
    rng: Streams
    draw_foreign: Callable[[], Tensor]
    pixel: float = 1.0

    @cached_property
    def foreign(self) -> Tensor:
        """As `images`, a random slice of another subject for each, drawn on first use."""
        return self.draw_foreign()


@dataclass
class Update:
    """One optimiser step: the loss of a batch, and what it moves. Without an optimiser the loss is only evaluated."""

    loss: Callable[[Batch], Tensor]
    optimizer: torch.optim.Optimizer | None
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None  # stepped after every update
    clip: float | None = None  # largest norm of the gradient
    name: str = "loss"
    fresh: bool = False  # on a batch of its own, drawn for this update


@dataclass
class Phase:
    """A stretch of training: each step draws a batch and makes every update in order."""

    steps: int
    batch: int  # slices
    patch: int  # voxels; crops are this size, or the slice's where that is smaller
    updates: Sequence[Update]
    name: str = "train"
    validation: Callable[[Batch], Tensor] | None = field(default=None)  # default: the loss of the last update
    adversarial: bool = False  # networks play against each other: the loss need not fall as they learn


class Method(nn.Module, ABC):
    """A method for unsupervised anomaly detection; its networks are its sub-modules, made in `__init__`."""

    #: whole slices scaled to the patch, or crops and windows of its size: in training and in scoring alike
    slices: Literal["scaled", "tiled"] = "scaled"
    #: whether it may train in float16, on cards without bfloat16; not where gradients are part of the loss
    float16 = True

    def __init__(self, params: Any, context: Context) -> None:
        super().__init__()
        self.params = params
        self.context = context

    def phases(self) -> Sequence[Phase]:
        """The phases of training, in order; none for a method without training."""
        return []

    @abstractmethod
    def score(self, volume: Tensor, rng: Streams) -> dict[str, Tensor]:
        """Anomaly maps of a volume (D, H, W), each of its shape, finite and at least 0, high where anomalous.

        `final` is the map that the comparison of methods uses; others are named `group/key=value`. Values outside the
        brain are ignored. Called without gradients; a method that optimises at test time enables them itself.
        """

    def final(self, volume: Tensor, rng: Streams) -> Tensor:
        """The map `final` of `score` alone, the very same; for a method that can make it without the others."""
        return final_of(self.score(volume, rng), type(self).__module__)

    def restore(self, volume: Tensor, rng: Streams) -> Tensor | None:
        """The healthy version of a volume (D, H, W) that the method imagines, of its kind; None if it makes none."""
        return None

    def restoration(self) -> str:
        """How `restore` works, in a few words for a caption; empty if there is nothing to say."""
        return ""


class SliceMethod(Method):
    """A method that scores axial slices; volumes are taken apart, and maps put together, as `slices` says.

    Of `params` it reads `patch` (without: slices as they are) and `score_batch`.
    """

    @property
    def patch(self) -> int:
        """Side of a window, or of the longer side of a scaled slice, in voxels."""
        return int(getattr(self.params, "patch", WHOLE))

    @property
    def overlap(self) -> float:
        """Fraction of a window that the next one covers at least."""
        return float(getattr(self.params, "overlap", OVERLAP))

    @abstractmethod
    def score_slices(self, images: Tensor, rng: Streams) -> Tensor | Maps:
        """Anomaly map of images (N, 1, h, w), of their shape and at least 0; or several by name, as `score` has them.

        A map may not depend on how many images are scored at once: `rng.child("a name")` draws the same every time.
        """

    def final_slices(self, images: Tensor, rng: Streams) -> Tensor:
        """The map `final` of `score_slices` alone, the very same; for a method that makes it without the others."""
        return final_of(_named(self.score_slices(images, rng)), type(self).__module__)

    def restore_slices(self, images: Tensor, rng: Streams) -> Tensor | None:
        """The healthy versions of images (N, 1, h, w), cut to [0, 1] afterwards; None if the method makes none."""
        return None

    def score(self, volume: Tensor, rng: Streams) -> Maps:
        return self._joined(self.score_slices, volume, rng) or {"final": torch.zeros_like(volume)}

    def final(self, volume: Tensor, rng: Streams) -> Tensor:
        return self._joined(self.final_slices, volume, rng).get("final", torch.zeros_like(volume))

    def restore(self, volume: Tensor, rng: Streams) -> Tensor | None:
        restored = self._joined(self.restore_slices, volume, rng).get("final")
        return None if restored is None else restored.clamp(0, 1)

    def _joined(
        self, function: Callable[[Tensor, Streams], Tensor | Maps | None], volume: Tensor, rng: Streams
    ) -> Maps:
        """Maps of a volume by those of its slices; a function that makes one map makes `final`."""
        batch = int(getattr(self.params, "score_batch", 64))

        def maps(images: Tensor) -> Maps:
            return _named(function(images, rng))

        if self.slices == "tiled":
            return tiled(maps, volume, self.patch, batch, self.overlap)
        return scaled(maps, volume, self.patch, batch)


def final_of(maps: Maps, module: str) -> Tensor:
    """The map `final`; `module` names the baseline in the HarnessError that is raised where there is none."""
    if "final" not in maps:
        file = module.replace(".", "/")
        raise HarnessError(f"{file}.py: score returns no map 'final', only {', '.join(maps) or 'nothing'}")
    return maps["final"]


def _named(maps: Tensor | Maps | None) -> Maps:
    if maps is None:
        return {}
    return {"final": maps} if isinstance(maps, Tensor) else maps
