"""DISYRE v2: DISYRE's restoration, trained on anomalies of texture and intensity; the mean residual is the score."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic import NonNegativeFloat
from torch import Tensor

from uadbench.methods.anomalies.corruption import restoration_times, synthesise
from uadbench.methods.anomalies.draws import Draws
from uadbench.methods.anomalies.intensity import intensity_bias, matched
from uadbench.methods.base import Batch
from uadbench.methods.params import CorruptionParams, Fraction, scoring
from uadbench.methods.restoration import Corrupted, RestoringMethod
from uadbench.methods.seeds import Streams

REVISION = 2
TITLE = "DISYRE v2"
FAMILY = "S-S"
PAPER = "Naval Marimont et al., MICCAI 2024 (arXiv:2407.06635)"
SMALL = {"steps": 4, "batch": 4, "patch": 32, "widths": [8, 16], "groups": 4, "layers": 1, "attention_from": 2}
VARIANTS = {  # docs/disyre-public-code.md
    "public": {
        "title": "DISYRE v2 (public code)",
        "params": {
            "alpha": "falling",
            "whole_softness": True,
            "margin": 32.0,
            "place": "slice",
            "attention_only": [5],
            "schedule": "cosine",
            "beta1": 0.95,
            "weight_decay": 1e-6,
            "windows": "fixed",
        },
    }
}


@dataclass(frozen=True)
class Params(CorruptionParams):
    """Defaults: the public code (snavalm/disyre), its anomalies named dag; network and optimiser are DISYRE's.

    As in the first paper, a larger t means more corruption.
    """

    texture: Fraction = 1.0  # probability that the foreign patch is blended in
    bias: Fraction = 1.0  # probability that grey values are shifted
    levels: tuple[Fraction, ...] = (0.0057, 0.383, 0.612, 0.769, 0.939)  # grey values of the classes, for T1 and T2
    bias_blur: NonNegativeFloat = 1.0  # mm, standard deviation of the Gaussian that blurs the selected classes
    bias_offset: NonNegativeFloat = 1000.0  # mm², added to a mask's area in the denominator of each class's fraction
    overlap: float = scoring(0.75)  # minimum fraction of a window that the next one covers
    foreground_weight: bool = scoring(True)  # weight each window by its fraction of brain
    step_size: int = scoring(25)  # the score is the mean over t = T, T - step_size, …: four of them

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.step_size <= self.T:
            raise ValueError(f"step_size {self.step_size} is not between 1 and T = {self.T}")
        if not self.levels:
            raise ValueError("levels must not be empty")


class Baseline(RestoringMethod):
    """Restores x0 from x = x' + s b m B(x0), x' = (1 - a m) x0 + a m x_fp matched to x0, for random a, b and sign s."""

    def corrupt(self, batch: Batch) -> Corrupted:
        """Draw an anomaly for every image; t is the time of its strength, the larger of a and the maximum shift."""
        p = self.params
        drawn = synthesise(batch, p, self.context.spacing)
        healthy, mask = drawn.healthy, drawn.mask
        texture = replace(drawn, foreign=matched(drawn.foreign, healthy, mask))
        draws = Draws(len(healthy), batch.rng["times"])
        alpha = draws.uniform(*p.alpha_range) * draws.chance(p.texture)
        strength = draws.uniform() * draws.chance(p.bias)
        blended = texture.at(alpha)
        blur, offset = p.bias_blur / self.context.spacing, p.bias_offset / self.context.spacing**2
        field, sign = intensity_bias(blended, mask, p.levels, blur, offset, batch.rng["bias"])
        images = (blended + (sign * strength)[:, None, None, None] * mask * field).clamp(0, 1)
        shift = (images - blended).abs().flatten(1).amax(1)
        alpha = alpha * (blended != healthy).flatten(1).any(1)
        total = alpha.maximum(shift)
        return Corrupted(images, healthy, mask, total, self.time_of(total))

    def score_slices(self, images: Tensor, rng: Streams) -> Tensor:
        times = restoration_times(self.params.T, self.params.step_size)
        return self.weighed(self.mean_residual(images, times), images)

    def restore_slices(self, images: Tensor, rng: Streams) -> Tensor:
        return self.predict(images, self.params.T)
