"""Hyper-parameters of methods: how they are declared, the families that baselines build on, and what follows a change.

Imports no torch: the workflow checks every hyper-parameter before the first job starts.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal


def scoring(default: Any) -> Any:
    """Declare a hyper-parameter that only scoring reads: changing it rescores a trained run and never retrains it."""
    return field(default=default, metadata={"scoring": True})


def curve(default: tuple[Any, ...]) -> Any:
    """Declare what is scored for a figure's curve only: an experiment does so for its `curve_seeds` alone."""
    return field(default=default, metadata={"scoring": True, "curve": True})


def without_curves(params: Any) -> Any:
    """The same hyper-parameters, those declared with `curve` empty."""
    return dataclasses.replace(params, **{f.name: () for f in dataclasses.fields(params) if f.metadata.get("curve")})


def added(default: Any, **metadata: Any) -> Any:
    """Declare a hyper-parameter that came after runs were made: at its default it changes no settings of a run."""
    return field(default=default, metadata={"added": True, **metadata})


def check_field(field: float) -> None:
    """Refuse a field of view, in mm, that no slice has; 0 stands for the slice at hand."""
    if not (field == 0 or 50 <= field <= 1000):
        raise ValueError(f"field is the side of a slice in mm, 50 to 1000, or 0 for the slice at hand, not {field:g}")


@dataclass(frozen=True)
class NoParams:
    """The hyper-parameters of a method that declares none."""


@dataclass(frozen=True)
class TrainingParams:
    """Hyper-parameters of every trained method. Defaults: Naval Marimont et al. 2024, section 3."""

    steps: int = 100_000  # optimiser steps
    batch: int = 96  # slices per step; the paper gives none, its public code has 8 volumes x 12 slices
    patch: int = 128  # side of the square training patch, voxels
    learning_rate: float = 1e-4  # peak of the schedule
    score_batch: int = scoring(64)  # windows scored at once; bounds memory, changes no result
    accumulate: int = added(1)  # parts that a batch goes through in, their gradients averaged; 1 = all at once

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "patch", "learning_rate", "score_batch", "accumulate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        if self.accumulate > self.batch:
            raise ValueError(
                f"accumulate {self.accumulate} would leave parts of a batch of {self.batch} without a slice"
            )


@dataclass(frozen=True)
class UNetParams(TrainingParams):
    """The U-Net of DISYRE and MOOD22. Defaults: Naval Marimont et al. 2024, section 3."""

    widths: tuple[int, ...] = (32, 64, 96, 128, 256, 256)  # channels of the down-sampling blocks
    layers: int = 2  # residual blocks per level; DDPM (Ho et al. 2020)
    attention_from: int = 3  # first block with self-attention, counted from 1; above len(widths): none
    groups: int = 32  # groups of every group norm; DDPM
    unshuffle: int = 1  # fold s x s voxels into channels before the network; 1 = off, as in the paper
    residual: bool = False  # the network predicts the change of its input, starting from none; off in the paper
    attention_only: tuple[int, ...] = added(())  # blocks that alone have self-attention; none: attention_from decides

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.widths or any(width % self.groups for width in self.widths):
            raise ValueError(f"widths {self.widths} must be multiples of groups {self.groups}")
        if self.layers < 1 or self.unshuffle < 1 or self.attention_from < 1:
            raise ValueError("layers, unshuffle and attention_from must be at least 1")


@dataclass(frozen=True)
class AnomalyParams(UNetParams):
    """Synthetic anomalies and augmentation of DISYRE and MOOD22.

    Lengths are in millimetres so that they mean the same at every voxel size. Values: the public DISYRE code
    (snavalm/disyre, 1 mm voxels); the softening is a true Gaussian of continuous width there cast to whole numbers.
    """

    RENAMED: ClassVar[dict[str, str]] = {
        "intensity": "p_intensity",
        "step": "step_size",
        "steps_compared": "step_sizes",
    }

    shapes: tuple[str, ...] = ("square", "sphere", "blob")  # drawn with equal probability
    size: tuple[float, float] = (10.0, 44.0)  # mm, sides of squares and diameters of spheres
    blob: tuple[float, float] = (36.0, 72.0)  # mm, diameter of the disc that has a blob's area
    soften: float = 0.7  # probability that a mask is smoothed towards its edge
    softness: tuple[float, float] = (0.0, 5.0)  # mm, standard deviation of that smoothing
    tissue_only: bool = False  # keep anomalies where the foreign patch shows brain, too, not what lies around it
    mirror: float = 0.5  # probability of each mirroring of a healthy slice
    geometry: float = 0.1  # probability of each of: rotation, scaling, elastic shifts
    p_intensity: float = 0.15  # probability of each of: brightness, gamma, inverted gamma, noise; half of it: blur
    whole_softness: bool = added(False)  # cast the smoothing to whole mm, as the public code does
    margin: float = added(0.0)  # mm from the border of the patch within which no anomaly has its centre
    anomalies: int = added(1)  # in every slice; more give short trainings more to learn from a step

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = set(self.shapes) - {"square", "sphere", "blob"}
        if unknown or not self.shapes:
            raise ValueError(f"shapes must be of square, sphere, blob, not {sorted(unknown) or 'empty'}")
        for name in ("size", "blob", "softness"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"{name} must be two rising numbers, not {(low, high)}")
        for name in ("soften", "mirror", "geometry", "p_intensity"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability, not {getattr(self, name)}")
        if self.anomalies < 1:
            raise ValueError(f"anomalies must be at least 1, not {self.anomalies}")


@dataclass(frozen=True)
class CorruptionParams(AnomalyParams):
    """The gradual corruption and the optimiser of DISYRE, MOOD22 and DISYRE v2.

    Defaults: Naval Marimont et al. 2024. What differs in the public code (snavalm/disyre) is a parameter of its own;
    docs/disyre-public-code.md lists them.
    """

    T: int = 100  # steps of the corruption
    alpha: Literal["rising", "falling", "flipped"] = added("rising")  # interpolation factor of t; `alpha_schedule`
    drawn: Literal["t", "alpha"] = added("t")  # what is uniform; with alpha, t is the one whose factor is nearest
    relabel: bool = added(False)  # alpha is set to 0 where the corruption left the image unchanged
    schedule: Literal["one_cycle", "cosine"] = added("one_cycle")  # of the learning rate
    warmup: int = added(500)  # steps of linear rise before the cosine; public code
    beta1: float = added(0.9)  # AdamW's, with the cosine; one_cycle moves it itself
    weight_decay: float = added(0.01)  # AdamW's
    overlap: float = added(0.5, scoring=True)  # share of a window that the next one covers at least

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.T < 1 or self.warmup < 0:
            raise ValueError("T must be at least 1 and warmup not negative")
        for name in ("beta1", "overlap"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, not {getattr(self, name)}")


@dataclass(frozen=True)
class InterpolationParams(TrainingParams):
    """Foreign squares of FPI and PII, and their network. Defaults: Tan et al. 2020 and 2021 for brains."""

    steps: int = 10_000  # UPD_study; the papers train for 50 epochs, whose length depends on the data
    batch: int = 32  # slices
    learning_rate: float = 1e-3
    widths: tuple[int, ...] = (16, 64, 128, 256, 256)  # channels; wide ResNet of depth 16, factor 4
    size: tuple[float, float] = (0.1, 0.4)  # side of the square as a share of the slice's longer side
    central: float = 0.5  # share of either axis, around the middle, in which the square has its centre
    factor: tuple[float, float] = (0.05, 0.95)  # weight of the foreign image
    tolerance: float = 0.0  # a voxel that changed by no more is labelled 0; jemtan/FPI has none for brains
    he: bool = added(True)  # convolutions start as in He et al. 2015, else torch's own way
    field: float = added(240.0)  # mm, longer side of the slice that `size` refers to; 0: of the slice at hand

    def __post_init__(self) -> None:
        super().__post_init__()
        check_field(self.field)
        if len(self.widths) < 3 or min(self.widths) < 1:
            raise ValueError(f"widths must be three or more channel numbers, not {self.widths}")
        if len(self.widths) > 5:
            raise ValueError("widths may be five at most: slices are padded to multiples of 8")
        for name in ("size", "factor"):
            low, high = getattr(self, name)
            if not 0 <= low <= high <= 1:
                raise ValueError(f"{name} must be two rising shares, not {(low, high)}")
        if not 0 < self.central <= 1 or self.tolerance < 0:
            raise ValueError("central is a share above 0, tolerance not negative")


@dataclass(frozen=True)
class BackboneParams(TrainingParams):
    """A frozen network pre-trained on ImageNet; harness/methods/networks/backbones.py."""

    backbone: Literal["resnet18", "wide_resnet50_2", "efficientnet_lite0"] = "wide_resnet50_2"  # the network
    weights: str = "imagenet"  # of the backbone: imagenet, random, or the path of a file in the published format
    width: int = 64  # channels of its first layer; less than 64 only with random weights
    inputs: Literal["unit", "symmetric", "imagenet"] = "imagenet"  # grey values in [0, 1], in [-1, 1], or standardised
    zoom: int = 1  # images are enlarged by this before the backbone, for coarse voxels

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1 or self.zoom < 1:
            raise ValueError("width and zoom must be at least 1")
        if self.width != 64 and self.weights != "random":
            raise ValueError(f"width {self.width}: published weights have width 64; other widths need weights: random")


def mark(values: dict[str, Any]) -> str:
    """What is added to a method's title in tables for hyper-parameters that change what it is."""
    notes = ["EfficientNet-Lite0"] if values.get("backbone") == "efficientnet_lite0" else []
    notes += ["random weights"] if values.get("weights") == "random" else []
    return f" ({', '.join(notes)})" if notes else ""


def training_key(params: Any) -> dict[str, Any]:
    """The hyper-parameters that decide the weights: all of `scoring_key` but those declared with `scoring`."""
    scored = {f.name for f in dataclasses.fields(params) if f.metadata.get("scoring")}
    return {name: value for name, value in scoring_key(params).items() if name not in scored}


def scoring_key(params: Any) -> dict[str, Any]:
    """The hyper-parameters that decide scores: all but those declared with `added` that have their default."""
    given = {f.name: getattr(params, f.name) for f in dataclasses.fields(params)}
    kept = {f.name for f in dataclasses.fields(params) if f.metadata.get("added") and given[f.name] == f.default}
    return {name: value for name, value in given.items() if name not in kept}
