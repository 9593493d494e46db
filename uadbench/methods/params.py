"""Hyper-parameters of methods: declarations, families that baselines build on, and effects of a change.

Imports no torch: the workflow checks every hyper-parameter before the first job starts.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt


def scoring(default: Any) -> Any:
    """Declare a hyper-parameter that only scoring reads: a change rescores a trained run and never retrains it."""
    return field(default=default, metadata={"scoring": True})


def own_filter(default: Any, off: Any) -> Any:
    """Declare a hyper-parameter of `scoring` that filters the map; `off` is the value with which it does not.

    A study that post-processes all maps alike sets it to `off` (`uadbench.methods.postprocessing`).
    """
    return field(default=default, metadata={"scoring": True, "off": off})


def own_filters(params: Any) -> dict[str, Any]:
    """The hyper-parameters declared by `own_filter` that filter the map."""
    declared = {f.name: f.metadata["off"] for f in dataclasses.fields(params) if "off" in f.metadata}
    values = {name: getattr(params, name) for name in declared}
    return {name: value for name, value in values.items() if value not in (declared[name], 0)}


def unfiltered(params: Any) -> Any:
    """The same hyper-parameters, with those declared by `own_filter` off."""
    off = {f.name: f.metadata["off"] for f in dataclasses.fields(params) if "off" in f.metadata}
    return dataclasses.replace(params, **off) if off else params


def curve(default: tuple[Any, ...]) -> Any:
    """Declare a hyper-parameter of scores for a figure's curve only, which only `curve_seeds` compute."""
    return field(default=default, metadata={"scoring": True, "curve": True})


def without_curves(params: Any) -> Any:
    """The same hyper-parameters, with those declared by `curve` empty."""
    return dataclasses.replace(params, **{f.name: () for f in dataclasses.fields(params) if f.metadata.get("curve")})


def added(default: Any, **metadata: Any) -> Any:
    """Declare a hyper-parameter introduced after existing runs: at its default it leaves a run's settings unchanged."""
    return field(default=default, metadata={"added": True, **metadata})


def _field_of_view(side: float) -> float:
    if not (side == 0 or 50 <= side <= 1000):
        raise ValueError("must be the side of a slice in mm, 50 to 1000, or 0 for the slice at hand")
    return side


def _odd(side: int) -> int:
    if side % 2 == 0:
        raise ValueError("must be odd, the side of a square around a pixel")
    return side


def _rising(interval: tuple[float, float]) -> tuple[float, float]:
    if interval[0] > interval[1]:
        raise ValueError("must be two rising numbers")
    return interval


# Ranges of hyper-parameters, beside those that pydantic has: a value outside is refused before the first job starts.
Fraction = Annotated[float, Field(ge=0, le=1)]  # also a probability
BelowOne = Annotated[float, Field(ge=0, lt=1)]
AboveZero = Annotated[float, Field(gt=0, le=1)]
# Minimum and maximum. Anomalies of no size, or of no weight, would train a method on healthy slices alone.
Fractions = Annotated[tuple[AboveZero, AboveZero], AfterValidator(_rising)]
Sizes = Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(_rising)]
Widths = Annotated[tuple[NonNegativeFloat, NonNegativeFloat], AfterValidator(_rising)]
Factors = Annotated[tuple[Fraction, AboveZero], AfterValidator(_rising)]
FieldOfView = Annotated[float, AfterValidator(_field_of_view)]  # mm
Smoothing = Annotated[float, Field(ge=0, le=100)]  # standard deviation of a Gaussian, pixels; 0 = off
Neighbourhood = Annotated[int, Field(ge=1, le=31), AfterValidator(_odd)]  # side of a square around each pixel, pixels
NoiseSteps = Annotated[int, Field(ge=1, le=10_000)]
Channels = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]  # of the levels of a network
Windows = Literal["even", "fixed"]  # places of windows in a slice; `slices.tiled`
Shapes = Annotated[tuple[Literal["square", "sphere", "blob"], ...], Field(min_length=1)]  # of anomalies


@dataclass(frozen=True)
class NoParams:
    """The hyper-parameters of a method that declares none."""


@dataclass(frozen=True)
class TrainingParams:
    """Hyper-parameters of every trained method. Defaults: Naval Marimont et al. 2024, section 3."""

    steps: PositiveInt = 100_000  # optimiser steps
    batch: PositiveInt = 96  # slices per step; not stated in the paper, 8 volumes x 12 slices in its public code
    patch: PositiveInt = 128  # side of the square training patch, voxels
    learning_rate: PositiveFloat = 1e-4  # maximum of the schedule
    score_batch: PositiveInt = scoring(64)  # windows scored at once; bounds memory, does not change results
    accumulate: PositiveInt = added(1)  # parts of a batch for gradient accumulation; 1 = off

    def __post_init__(self) -> None:
        if self.accumulate > self.batch:
            raise ValueError(
                f"accumulate {self.accumulate} would leave parts of a batch of {self.batch} without a slice"
            )


@dataclass(frozen=True)
class GreyParams(TrainingParams):
    """Of networks whose first convolution is trained on slices; uadbench/methods/networks/grey.py."""

    grey_channels: PositiveInt = added(1)  # channels of the network's input, each a copy of the slice; UPD_study: 3


@dataclass(frozen=True)
class UNetParams(TrainingParams):
    """The U-Net of DISYRE and MOOD22. Defaults: Naval Marimont et al. 2024, section 3."""

    widths: Channels = (32, 64, 96, 128, 256, 256)  # channels of the down-sampling blocks
    layers: PositiveInt = 2  # residual blocks per level; DDPM (Ho et al. 2020)
    attention_from: PositiveInt = 3  # first block with self-attention, counted from 1; above len(widths): none
    groups: PositiveInt = 32  # groups of every group norm; DDPM
    unshuffle: PositiveInt = 1  # fold s x s voxels into channels before the network; 1 = off, as in the paper
    residual: bool = False  # the network predicts the change of its input, zero at initialisation; off in the paper
    attention_only: tuple[PositiveInt, ...] = added(())  # the only blocks with self-attention; empty: by attention_from

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(width % self.groups for width in self.widths):
            raise ValueError(f"widths {self.widths} must be multiples of groups {self.groups}")


@dataclass(frozen=True)
class AnomalyParams(UNetParams):
    """Synthetic anomalies and augmentation of DISYRE and MOOD22.

    Lengths are in millimetres, independent of voxel size. Values: the public DISYRE code (snavalm/disyre, 1 mm voxels);
    the softening is a Gaussian of continuous width, which that code casts to whole numbers.
    """

    shapes: Shapes = ("square", "sphere", "blob")  # drawn with equal probability
    size: Sizes = (10.0, 44.0)  # mm, sides of squares and diameters of spheres
    blob: Sizes = (36.0, 72.0)  # mm, diameter of the disc that has a blob's area
    soften: Fraction = 0.7  # probability that a mask is smoothed towards its edge
    softness: Widths = (0.0, 5.0)  # mm, standard deviation of that smoothing
    tissue_only: bool = False  # restrict anomalies to voxels where the foreign patch shows brain
    mirror: Fraction = 0.5  # probability of mirroring a slice along each axis
    geometry: Fraction = 0.1  # probability of each of: rotation, scaling, elastic shifts
    p_intensity: Fraction = 0.15  # probability of each of: brightness, gamma, inverted gamma, noise; half of it: blur
    whole_softness: bool = added(False)  # cast the smoothing to whole mm, as the public code does
    margin: NonNegativeFloat = added(0.0)  # mm, minimum distance of anomaly centres from the border of the patch
    place: Literal["field", "slice"] = added("field")  # of patches: anywhere in the slice, or in its brain's box
    anomalies: PositiveInt = added(1)  # number in every slice; more increase the training signal per step
    # Defaults as in the public DISYRE code; `disyre-mood22_abdomen` has the values of MOOD22's (snavalm/mood22).
    p_anomaly: AboveZero = added(1.0)  # probability that a slice has any
    canvas: NonNegativeFloat = added(0.0)  # mm, square at any place of the patch that holds an anomaly; 0: on the brain
    cut: bool = added(True)  # restrict anomalies to the brain of the slice
    kernels: tuple[PositiveFloat, ...] = added(())  # mm, sides of kernels that smooth masks; empty: `softness`
    blending: Literal["linear", "poisson"] = added("linear")  # of grey values, or of their gradients
    # Code whose transforms and ranges augment slices. `geometry` and `p_intensity` of MOOD22's are the probabilities of
    # each of: quarter turns, zoom, rotation; and noise, bias field, blur, gamma.
    augmentation: Literal["disyre", "mood22"] = added("disyre")  # public code whose transforms augment slices
    p_foreign: Fraction = added(0.0)  # probability of each of: shift of grey values, noise, rotation of foreign patches


@dataclass(frozen=True)
class CorruptionParams(AnomalyParams):
    """The gradual corruption and the optimiser of DISYRE, MOOD22 and DISYRE v2.

    Defaults: Naval Marimont et al. 2024. Each difference of the public code (snavalm/disyre) is a parameter;
    docs/disyre-public-code.md lists them.
    """

    T: NoiseSteps = 100  # steps of the corruption
    alpha: Literal["rising", "falling", "flipped"] = added("rising")  # interpolation factor of t; `alpha_schedule`
    drawn: Literal["t", "alpha"] = added("t")  # variable drawn uniformly; with alpha, t is that of the nearest factor
    relabel: bool = added(False)  # set alpha to 0 where the corruption left the image unchanged
    alpha_range: Factors = added((0.0, 1.0))  # of alpha, where that is drawn
    schedule: Literal["one_cycle", "cosine"] = added("one_cycle")  # of the learning rate
    warmup: NonNegativeInt = added(500)  # steps of linear rise before the cosine; public code
    beta1: BelowOne = added(0.9)  # of AdamW, with the cosine; one_cycle schedules its own
    weight_decay: NonNegativeFloat = added(0.01)  # of AdamW
    overlap: BelowOne = added(0.5, scoring=True)  # minimum fraction of a window that the next one covers
    windows: Windows = added("even", scoring=True)  # spread evenly inside the slice, or of fixed stride on a padded one

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.drawn == "t" and self.alpha_range != (0.0, 1.0):
            raise ValueError(f"alpha_range {self.alpha_range}: the schedule gives alpha of a drawn t; add drawn: alpha")


@dataclass(frozen=True)
class InterpolationParams(GreyParams):
    """Foreign squares of FPI and PII, and their network. Defaults: Tan et al. 2020 and 2021 for brains."""

    steps: int = 10_000  # UPD_study; the papers train for 50 epochs, of data-dependent length
    batch: int = 32  # slices
    learning_rate: float = 1e-3
    widths: Channels = (16, 64, 128, 256, 256)  # channels of three to five levels; wide ResNet of depth 16, factor 4
    size: Fractions = (0.1, 0.4)  # side of the square as a fraction of the slice's longer side
    central: AboveZero = 0.5  # central fraction of either axis that contains the square's centre
    factor: Fractions = (0.05, 0.95)  # weight of the foreign image
    tolerance: NonNegativeFloat = 0.0  # changes up to this are labelled 0; jemtan/FPI uses 0 for brains
    he: bool = added(True)  # He initialisation of convolutions (He et al. 2015), else torch's default
    field: FieldOfView = added(240.0)  # mm, longer side of the slice that `size` refers to; 0: of the current slice

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 3 <= len(self.widths) <= 5:
            raise ValueError(f"widths must be three to five: slices are padded to multiples of 8; not {self.widths}")


@dataclass(frozen=True)
class BackboneParams(TrainingParams):
    """A frozen network pre-trained on ImageNet; uadbench/methods/networks/backbones.py."""

    backbone: Literal["resnet18", "wide_resnet50_2", "efficientnet_lite0"] = "wide_resnet50_2"  # the network
    weights: str = "imagenet"  # of the backbone: imagenet, random, or the path of a file in the published format
    width: PositiveInt = 64  # channels of its first layer; less than 64 only with random weights
    inputs: Literal["unit", "symmetric", "imagenet"] = "imagenet"  # grey values in [0, 1], in [-1, 1], or standardised
    zoom: PositiveInt = 1  # upsampling factor of images before the backbone, for coarse voxels

    def __post_init__(self) -> None:
        super().__post_init__()
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
