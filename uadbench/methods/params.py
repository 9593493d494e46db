"""Hyper-parameters of methods: declarations, families that baselines build on, and effects of a change.

Imports no torch: the workflow checks every hyper-parameter before the first job starts.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal


def scoring(default: Any) -> Any:
    """Declare a hyper-parameter that only scoring reads: a change rescores a trained run and never retrains it."""
    return field(default=default, metadata={"scoring": True})


def curve(default: tuple[Any, ...]) -> Any:
    """Declare a hyper-parameter of scores for a figure's curve only, which only `curve_seeds` compute."""
    return field(default=default, metadata={"scoring": True, "curve": True})


def without_curves(params: Any) -> Any:
    """The same hyper-parameters, with those declared by `curve` empty."""
    return dataclasses.replace(params, **{f.name: () for f in dataclasses.fields(params) if f.metadata.get("curve")})


def added(default: Any, **metadata: Any) -> Any:
    """Declare a hyper-parameter introduced after existing runs: at its default it leaves a run's settings unchanged."""
    return field(default=default, metadata={"added": True, **metadata})


def check_field(field: float) -> None:
    """Refuse an implausible field of view in mm; 0 means the current slice's. Raises ValueError."""
    if not (field == 0 or 50 <= field <= 1000):
        raise ValueError(f"field is the side of a slice in mm, 50 to 1000, or 0 for the slice at hand, not {field:g}")


@dataclass(frozen=True)
class NoParams:
    """The hyper-parameters of a method that declares none."""


@dataclass(frozen=True)
class TrainingParams:
    """Hyper-parameters of every trained method. Defaults: Naval Marimont et al. 2024, section 3."""

    steps: int = 100_000  # optimiser steps
    batch: int = 96  # slices per step; not stated in the paper, 8 volumes x 12 slices in its public code
    patch: int = 128  # side of the square training patch, voxels
    learning_rate: float = 1e-4  # maximum of the schedule
    score_batch: int = scoring(64)  # windows scored at once; bounds memory, does not change results
    accumulate: int = added(1)  # parts of a batch for gradient accumulation; 1 = off

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
    residual: bool = False  # the network predicts the change of its input, zero at initialisation; off in the paper
    attention_only: tuple[int, ...] = added(())  # the only blocks with self-attention; empty: by attention_from

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.widths or any(width % self.groups for width in self.widths):
            raise ValueError(f"widths {self.widths} must be multiples of groups {self.groups}")
        if self.layers < 1 or self.unshuffle < 1 or self.attention_from < 1:
            raise ValueError("layers, unshuffle and attention_from must be at least 1")


@dataclass(frozen=True)
class AnomalyParams(UNetParams):
    """Synthetic anomalies and augmentation of DISYRE and MOOD22.

    Lengths are in millimetres, independent of voxel size. Values: the public DISYRE code (snavalm/disyre, 1 mm voxels);
    the softening is a Gaussian of continuous width, which that code casts to whole numbers.
    """

    RENAMED: ClassVar[dict[str, str]] = {"intensity": "p_intensity"}

    shapes: tuple[str, ...] = ("square", "sphere", "blob")  # drawn with equal probability
    size: tuple[float, float] = (10.0, 44.0)  # mm, sides of squares and diameters of spheres
    blob: tuple[float, float] = (36.0, 72.0)  # mm, diameter of the disc that has a blob's area
    soften: float = 0.7  # probability that a mask is smoothed towards its edge
    softness: tuple[float, float] = (0.0, 5.0)  # mm, standard deviation of that smoothing
    tissue_only: bool = False  # restrict anomalies to voxels where the foreign patch shows brain
    mirror: float = 0.5  # probability of mirroring a slice along each axis
    geometry: float = 0.1  # probability of each of: rotation, scaling, elastic shifts
    p_intensity: float = 0.15  # probability of each of: brightness, gamma, inverted gamma, noise; half of it: blur
    whole_softness: bool = added(False)  # cast the smoothing to whole mm, as the public code does
    margin: float = added(0.0)  # mm, minimum distance of anomaly centres from the border of the patch
    anomalies: int = added(1)  # number in every slice; more increase the training signal per step

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

    Defaults: Naval Marimont et al. 2024. Each difference of the public code (snavalm/disyre) is a parameter;
    docs/disyre-public-code.md lists them.
    """

    T: int = 100  # steps of the corruption
    alpha: Literal["rising", "falling", "flipped"] = added("rising")  # interpolation factor of t; `alpha_schedule`
    drawn: Literal["t", "alpha"] = added("t")  # variable drawn uniformly; with alpha, t is that of the nearest factor
    relabel: bool = added(False)  # set alpha to 0 where the corruption left the image unchanged
    schedule: Literal["one_cycle", "cosine"] = added("one_cycle")  # of the learning rate
    warmup: int = added(500)  # steps of linear rise before the cosine; public code
    beta1: float = added(0.9)  # of AdamW, with the cosine; one_cycle schedules its own
    weight_decay: float = added(0.01)  # of AdamW
    overlap: float = added(0.5, scoring=True)  # minimum fraction of a window that the next one covers

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

    steps: int = 10_000  # UPD_study; the papers train for 50 epochs, of data-dependent length
    batch: int = 32  # slices
    learning_rate: float = 1e-3
    widths: tuple[int, ...] = (16, 64, 128, 256, 256)  # channels; wide ResNet of depth 16, factor 4
    size: tuple[float, float] = (0.1, 0.4)  # side of the square as a fraction of the slice's longer side
    central: float = 0.5  # central fraction of either axis that contains the square's centre
    factor: tuple[float, float] = (0.05, 0.95)  # weight of the foreign image
    tolerance: float = 0.0  # changes up to this are labelled 0; jemtan/FPI uses 0 for brains
    he: bool = added(True)  # He initialisation of convolutions (He et al. 2015), else torch's default
    field: float = added(240.0)  # mm, longer side of the slice that `size` refers to; 0: of the current slice

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
    """A frozen network pre-trained on ImageNet; uadbench/methods/networks/backbones.py."""

    backbone: Literal["resnet18", "wide_resnet50_2", "efficientnet_lite0"] = "wide_resnet50_2"  # the network
    weights: str = "imagenet"  # of the backbone: imagenet, random, or the path of a file in the published format
    width: int = 64  # channels of its first layer; less than 64 only with random weights
    inputs: Literal["unit", "symmetric", "imagenet"] = "imagenet"  # grey values in [0, 1], in [-1, 1], or standardised
    zoom: int = 1  # upsampling factor of images before the backbone, for coarse voxels

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1 or self.zoom < 1:
            raise ValueError("width and zoom must be at least 1")
        if self.width != 64 and self.weights != "random":
            raise ValueError(f"width {self.width}: published weights have width 64; other widths need weights: random")


def mark(values: dict[str, Any]) -> str:
    """Suffix of a method's title in tables, for hyper-parameters that make it a different method."""
    notes = ["EfficientNet-Lite0"] if values.get("backbone") == "efficientnet_lite0" else []
    notes += ["random weights"] if values.get("weights") == "random" else []
    return f" ({', '.join(notes)})" if notes else ""


def training_key(params: Any) -> dict[str, Any]:
    """Hyper-parameters that determine the weights: all of `scoring_key` except those declared with `scoring`."""
    scored = {f.name for f in dataclasses.fields(params) if f.metadata.get("scoring")}
    return {name: value for name, value in scoring_key(params).items() if name not in scored}


def scoring_key(params: Any) -> dict[str, Any]:
    """Hyper-parameters that determine scores: all except those declared with `added` at their default."""
    given = {f.name: getattr(params, f.name) for f in dataclasses.fields(params)}
    kept = {f.name for f in dataclasses.fields(params) if f.metadata.get("added") and given[f.name] == f.default}
    return {name: value for name, value in given.items() if name not in kept}
