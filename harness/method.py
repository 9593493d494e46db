"""The contract of a baseline: what is trained on a batch, and how a volume is scored. All else is not its business.

A baseline lies in `baselines/NAME.py` and defines (in capitals: literals, read without importing the file)

    REVISION = 1                # raise it when the method's results change: this alone retrains
    TITLE, FAMILY, PAPER        # how tables name and group it, and where it was published
    SMALL                       # hyper-parameters that train in seconds on a CPU; tests use them
    VARIANTS = {"upd": {"title": …, "params": {…}}}    # optional: other settings, run as the method NAME-upd
    class Params                # a frozen dataclass of hyper-parameters with the paper's values as defaults
    class Baseline(Method)      # `score`, and `phases` if it is trained: below

Volumes are float32 tensors (D, H, W) in [0, 1]: D axial slices, voxels outside the brain exactly 0, inside above 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from harness.training.seeds import Streams


WHOLE = 2**20  # as the patch of a phase: whole slices, for a method that crops them itself


@dataclass(frozen=True)
class Context:
    """What a method is told about the study it runs in."""

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
    """A stretch of training: in each of its steps a batch is drawn and every update made in order."""

    steps: int
    batch: int  # slices
    patch: int  # voxels; crops are this size, or the slice's where that is smaller
    updates: Sequence[Update]
    resize: bool = False  # scale whole slices to the patch instead of cropping
    name: str = "train"
    validation: Callable[[Batch], Tensor] | None = field(default=None)  # default: the loss of the last update
    adversarial: bool = False  # networks play against each other: the loss need not fall as they learn


class Method(nn.Module, ABC):
    """A method for unsupervised anomaly detection; its networks are its sub-modules, made in `__init__`."""

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
        return self.score(volume, rng)["final"]

    def restore(self, volume: Tensor, rng: Streams) -> Tensor | None:
        """The healthy version of a volume (D, H, W) that the method imagines, of its kind; None if it makes none."""
        return None

    def restoration(self) -> str:
        """How `restore` works, in a few words for a caption; empty if there is nothing to say."""
        return ""
