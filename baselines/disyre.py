"""DISYRE: a U-Net conditioned on t learns to restore gradual synthetic corruptions; its changes are the score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from pydantic import PositiveFloat
from torch import Tensor

from uadbench.methods.anomalies.blurring import Blur
from uadbench.methods.anomalies.corruption import Corruption, alpha_schedule, healthy_patches, restoration_times
from uadbench.methods.base import Batch, Context
from uadbench.methods.params import CorruptionParams, added, curve, scoring
from uadbench.methods.restoration import RestoringMethod
from uadbench.methods.seeds import Streams
from uadbench.methods.slices import Maps

REVISION = 2
TITLE = "DISYRE"
FAMILY = "S-S"
PAPER = "Naval Marimont et al., ISBI 2024"
SMALL = {
    "steps": 4,
    "batch": 4,
    "patch": 32,
    "widths": [8, 16],
    "groups": 4,
    "layers": 1,
    "attention_from": 2,
    "times": [50, 100],
    "curve_times": [25],
    "step_sizes": [25, 50],
}
VARIANTS = {  # docs/disyre-public-code.md
    "public": {
        "title": "DISYRE (public code)",
        "params": {
            "alpha": "falling",
            "drawn": "alpha",
            "relabel": True,
            "whole_softness": True,
            "margin": 32.0,
            "place": "slice",
            "attention_only": [5],
            "schedule": "cosine",
            "beta1": 0.95,
            "weight_decay": 1e-6,
            "alpha_restoring": "flipped",
            "update": "cold",
            "final_score": "mean",
            "foreground_weight": True,
            "overlap": 0.75,
            "windows": "fixed",
        },
    },
    "mood22_abdomen": {
        "title": "DISYRE (MOOD22's abdomen)",
        "params": {
            "size": [10.0, 128.0],
            "blob": [24.0, 67.0],
            "soften": 0.5,
            "kernels": [3.0, 3.0, 5.0, 7.0],
            "canvas": 128.0,
            "cut": False,
            "p_anomaly": 0.9,
            "augmentation": "mood22",
            "mirror": 0.1,
            "geometry": 0.1,
            "p_intensity": 0.1,
            "p_foreign": 0.2,
            "weight_decay": 1e-5,
        },
    },
}


@dataclass(frozen=True)
class Params(CorruptionParams):
    """Defaults: Naval Marimont et al. 2024, sections 2 and 3, Table 1 and Figure 2."""

    step_size: int = scoring(25)  # step size of the restoration for the final score; section 3
    step_sizes: tuple[int, ...] = scoring((10, 20, 25, 33, 50))  # step sizes of Table 1
    times: tuple[int, ...] = scoring((25, 50, 75, 100))  # t of the single-step scores of Table 1
    curve_times: tuple[int, ...] = curve(tuple(range(5, 101, 5)))  # further t for Figure 2
    # Defaults as in the paper; the variant `public` has the public code's values.
    alpha_restoring: Literal["rising", "falling", "flipped"] = added("rising", scoring=True)  # `alpha_schedule`
    update: Literal["naive", "cold"] = added("naive", scoring=True)  # of the restoration's state; `restoration_steps`
    final_score: Literal["multi", "mean"] = added("multi", scoring=True)  # mean: of the single-step residuals
    foreground_weight: bool = added(False, scoring=True)  # weight each window by its fraction of brain
    # An ablation: the same network, schedule and restoration with another corruption.
    corruption: Literal["patch", "blur"] = added("patch")  # by foreign patches, or by a Gaussian (cold diffusion)
    blur: PositiveFloat = added(16.0)  # mm, standard deviation of that Gaussian at alpha = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("step_size", "step_sizes", "times", "curve_times"):
            given = getattr(self, name)
            values = given if isinstance(given, tuple) else (given,)
            wrong = [value for value in values if not 1 <= value <= self.T]
            if wrong:
                raise ValueError(f"{name} {wrong[0]} is not between 1 and T = {self.T}")


class Baseline(RestoringMethod):
    """Restores x0 from x_t = (1 - alpha_t m) x0 + alpha_t m x_fp, given t."""

    weights: Tensor

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.register_buffer("weights", alpha_schedule(params.T, curve=params.alpha_restoring), persistent=False)

    def restoration_steps(
        self, images: Tensor, step: int, first: Tensor | None = None
    ) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Algorithm 1: for each time t its restoration and |restoration - x_t|; `first` is P(x, T) if known.

        The weight of the current state in the next one is alpha_next (naive, as published), or alpha_next / alpha_t
        with clamping to [0, 1] (cold, public code: the corruption by alpha_next of a perfect restoration). `blurred`
        has the steps of `corruption: blur`.
        """
        state = images
        for t, following in pairwise([*restoration_times(self.params.T, step), 0]):
            restored = first if first is not None and t == self.params.T else self.predict(state, t)
            yield t, restored, (restored - state).abs()
            alpha_next = self.weights[following]
            if self.params.corruption == "blur":
                state = self.blurred(images, restored, state, t, following)
            elif self.params.update == "cold":
                ratio = alpha_next / self.weights[t]
                state = ((1 - ratio) * restored + ratio * state).clamp(0, 1)
            else:
                state = (1 - alpha_next) * restored + alpha_next * state

    def drawn(self, batch: Batch) -> Corruption:
        if self.params.corruption == "patch":
            return super().drawn(batch)
        healthy = healthy_patches(batch, self.params, self.context.spacing)
        return Blur(healthy, (healthy > 0).float(), self.params.blur / self.context.spacing)

    def blurred(self, images: Tensor, restored: Tensor, state: Tensor, t: int, following: int) -> Tensor:
        """The next state under `corruption: blur`, D(x, t) the blur of x: Bansal et al. 2022, Algorithms 1 and 2.

        D(restored, following) (naive), or state - D(restored, t) + D(restored, following), clamped to [0, 1] (cold).
        """
        blur = Blur(restored, (images > 0).float(), self.params.blur / self.context.spacing)
        ahead = blur.at(self.weights[following].expand(len(images)))
        if self.params.update == "naive":
            return ahead
        return (state - blur.at(self.weights[t].expand(len(images))) + ahead).clamp(0, 1)

    def score_slices(self, images: Tensor, rng: Streams) -> Maps:
        """All scores of images (N, 1, H, W): single-step |x - P(x, t)|, and sums over Algorithm 1."""
        p = self.params
        first = self.predict(images, p.T)
        times = sorted({*p.times, *p.curve_times})
        single = {t: (images - (first if t == p.T else self.predict(images, t))).abs() for t in times}
        scores = {f"single/t={t}": residual for t, residual in single.items()}
        single[p.T] = (images - first).abs()
        for step in dict.fromkeys((p.step_size, *p.step_sizes)):
            total = torch.zeros_like(images)
            for t, _, change in self.restoration_steps(images, step, first):
                total = total + change
                if step == p.step_size:
                    scores[f"cumulative/t={t}"] = total
            scores[f"multi/step={step}"] = total
            if step == p.step_size:
                scores["final"] = self.final_map(images, total, single)
        return scores

    def final_map(
        self, images: Tensor, total: Tensor | None = None, single: Mapping[int, Tensor] | None = None
    ) -> Tensor:
        """Final score of images (N, 1, H, W); total, single: sum over Algorithm 1, single-step residuals, if known."""
        p, known = self.params, single or {}
        if p.final_score == "mean":
            times = restoration_times(p.T, p.step_size)
            residuals = [known[t] if t in known else (images - self.predict(images, t)).abs() for t in times]
            total = sum(residuals, torch.zeros_like(images)) / len(residuals)
        elif total is None:
            total = sum(
                (change for _, _, change in self.restoration_steps(images, p.step_size)), torch.zeros_like(images)
            )
        return self.weighed(total, images)

    def final_slices(self, images: Tensor, rng: Streams) -> Tensor:
        return self.final_map(images)

    def restore_slices(self, images: Tensor, rng: Streams) -> Tensor:
        *_, (_, restored, _) = self.restoration_steps(images, self.params.step_size)
        return restored

    def restoration(self) -> str:
        return f"step size {self.params.step_size}"
