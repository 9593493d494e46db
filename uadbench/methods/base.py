"""Interface of a baseline: training on batches, and scoring of slices or volumes.

A baseline lies in `baselines/NAME.py` and defines (in capitals: literals, read without importing the file)

    REVISION = 1                # raise it when the method's results change: only this retrains
    TITLE, FAMILY, PAPER        # name and group in tables, and publication
    SMALL                       # hyper-parameters that train in seconds on a CPU; tests use them
    VARIANTS = {"upd": {"title": …, "params": {…}}}    # optional: other settings, run as the method NAME-upd
    class Params                # optional: a frozen dataclass of hyper-parameters, the paper's values as defaults
    class Baseline(SliceMethod) # `score_slices`, and `phases` if it is trained: below

Volumes are float32 tensors (D, H, W) in [0, 1]: D axial slices, voxels outside the brain exactly 0, inside above 0.
D runs from inferior to superior, H from posterior to anterior, W from the subject's left to right.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from uadbench.core.errors import HarnessError
from uadbench.methods.postprocessing import Postprocessing
from uadbench.methods.seeds import Streams
from uadbench.methods.slices import EVEN, OVERLAP, Maps, scaled, tiled

WHOLE = 2**20  # patch of a phase that draws whole slices, for a method that crops them itself


@dataclass(frozen=True)
class Context:
    """Study context passed to every method."""

    modality: str  # one of `uadbench.core.modalities.NAMES`
    spacing: float  # mm, side of the isotropic voxels
    required: Method | None = None  # the trained method that REQUIRES names, frozen
    postprocessing: Postprocessing | None = None  # of the study, applied to the method's maps; None: as published

    def share(self, batch: Batch, field: float) -> float:
        """Length of a field of view of `field` mm as a multiple of the longer side of a batch's slices; 1 for 0 mm.

        Authors state lengths as fractions of their slices. This factor preserves their length in mm on other slices.
        """
        return field / (max(batch.images.shape[-2:]) * batch.pixel * self.spacing) if field else 1.0


@dataclass
class Batch:
    """A batch of healthy slices on the training device.

    images: float32 (N, 1, H, W) in [0, 1], random axial slices of random subjects, cropped at random to the patch.
    subjects: int64 (N,), the subject of each.
    rng: one independent random stream per purpose, `rng["anomalies"]`.
    draw_foreign: draws `foreign`.
    pixel: side of a pixel in voxels of the volume, above 1 where slices were scaled to the patch.
    """

    images: Tensor
    subjects: Tensor
    rng: Streams
    draw_foreign: Callable[[], Tensor]
    pixel: float = 1.0

    @cached_property
    def foreign(self) -> Tensor:
        """Like `images`, a random slice of another subject for each, drawn on first use."""
        return self.draw_foreign()


@dataclass
class Update:
    """One optimiser step on the loss of a batch. Without an optimiser the loss is only evaluated."""

    loss: Callable[[Batch], Tensor]
    optimizer: torch.optim.Optimizer | None
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None  # stepped after every update
    clip: float | None = None  # largest norm of the gradient
    name: str = "loss"
    fresh: bool = False  # draw a new batch for this update


@dataclass
class Phase:
    """A phase of training: each step draws a batch and makes every update in order."""

    steps: int
    batch: int  # slices
    patch: int  # voxels; crops are this size, or the slice's where that is smaller
    updates: Sequence[Update]
    name: str = "train"
    validation: Callable[[Batch], Tensor] | None = field(default=None)  # default: the loss of the last update
    adversarial: bool = False  # adversarial training: the loss need not decrease


class Method(nn.Module, ABC):
    """A method for unsupervised anomaly detection; its networks are its sub-modules, made in `__init__`."""

    #: whole slices scaled to the patch, or crops and windows of its size, both in training and in scoring
    slices: Literal["scaled", "tiled"] = "scaled"
    #: whether it may train in float16, on cards without bfloat16; False where gradients are part of the loss
    float16 = True

    def __init__(self, params: Any, context: Context) -> None:
        super().__init__()
        self.params = params
        self.context = context

    def phases(self) -> Sequence[Phase]:
        """The phases of training, in order; an empty list for a method without training."""
        return []

    @abstractmethod
    def score(self, volume: Tensor, rng: Streams) -> dict[str, Tensor]:
        """Anomaly maps of a volume (D, H, W), each of its shape, finite and at least 0, high where anomalous.

        `final` is the map used to compare methods; others are named `group/key=value`. Values outside the brain are
        ignored. Called without gradients; a method that optimises at test time enables them itself.
        """

    def final(self, volume: Tensor, rng: Streams) -> Tensor:
        """The map `final` of `score`, identical; overridden by methods that compute it without the others."""
        return final_of(self.score(volume, rng), inspect.getfile(type(self)))

    def restore(self, volume: Tensor, rng: Streams) -> Tensor | None:
        """The method's pseudo-healthy restoration of a volume (D, H, W), of the same shape; None without one."""
        return None

    def restoration(self) -> str:
        """Short description of `restore` for a caption; may be empty."""
        return ""


class SliceMethod(Method):
    """A method that scores axial slices; `slices` determines how volumes are split and maps reassembled.

    Reads `patch` (if missing, slices keep their size) and `score_batch` of `params`.
    """

    @property
    def patch(self) -> int:
        """Side of a window, or of the longer side of a scaled slice, in voxels."""
        return int(getattr(self.params, "patch", WHOLE))

    @abstractmethod
    def score_slices(self, images: Tensor, rng: Streams) -> Tensor | Maps:
        """Anomaly map of images (N, 1, h, w), of their shape and at least 0; or several by name, as in `score`.

        A map must not depend on the number of images scored at once: `rng.child("a name")` draws the same every time.
        """

    def final_slices(self, images: Tensor, rng: Streams) -> Tensor:
        """The map `final` of `score_slices`, identical; overridden by methods that compute it without the others."""
        return final_of(_named(self.score_slices(images, rng)), inspect.getfile(type(self)))

    def restore_slices(self, images: Tensor, rng: Streams) -> Tensor | None:
        """Pseudo-healthy restorations of images (N, 1, h, w), clipped to [0, 1] by the caller; None without one."""
        return None

    def score(self, volume: Tensor, rng: Streams) -> Maps:
        return self._joined(self.score_slices, volume, rng)

    def final(self, volume: Tensor, rng: Streams) -> Tensor:
        return self._joined(self.final_slices, volume, rng)["final"]

    def restore(self, volume: Tensor, rng: Streams) -> Tensor | None:
        restored = self._joined(self.restore_slices, volume, rng).get("final")
        return None if restored is None else restored.clamp(0, 1)

    def _joined(
        self, function: Callable[[Tensor, Streams], Tensor | Maps | None], volume: Tensor, rng: Streams
    ) -> Maps:
        """Maps of a volume from those of its slices; a single returned map is `final`."""
        batch = int(getattr(self.params, "score_batch", 64))

        def maps(images: Tensor) -> Maps:
            found = _named(function(images, rng))
            for name, values in found.items():
                if values.shape != images.shape:
                    got, wanted = tuple(values.shape), tuple(images.shape)
                    where = f"{inspect.getfile(type(self))}, {function.__name__}"
                    raise HarnessError(f"{where}: {name} has shape {got}, not that of its images, {wanted}")
            return found

        if self.slices == "tiled":
            overlap, windows = getattr(self.params, "overlap", OVERLAP), getattr(self.params, "windows", EVEN)
            return tiled(maps, volume, self.patch, batch, overlap, windows)
        return scaled(maps, volume, self.patch, batch)


def final_of(maps: Maps, where: str) -> Tensor:
    """The map `final`. Raises HarnessError, naming the baseline or its file by `where`, if it is missing."""
    if "final" not in maps:
        raise HarnessError(f"{where}: score returns no map 'final', only {', '.join(maps) or 'nothing'}")
    return maps["final"]


def _named(maps: Tensor | Maps | None) -> Maps:
    if maps is None:
        return {}
    return {"final": maps} if isinstance(maps, Tensor) else maps
