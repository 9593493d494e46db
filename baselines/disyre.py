"""DISYRE: a U-Net conditioned on t learns to undo a gradual synthetic corruption; its changes are the score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.anomalies.corruption import alpha_schedule, restoration_times, synthesise
from harness.anomalies.draws import Draws
from harness.method import Batch, Context, Method, Phase, Update
from harness.networks import apply_unet, unet
from harness.settings import AnomalyParams, scoring
from harness.training.optimisers import adamw_one_cycle
from harness.training.seeds import Streams
from harness.windows import by_windows

REVISION = 1
TITLE = "DISYRE"
FAMILY = "S-S"
PAPER = "Naval Marimont et al., ISBI 2024"
SMALL = {
    "steps": 8,
    "batch": 4,
    "patch": 32,
    "widths": [8, 16],
    "groups": 4,
    "layers": 1,
    "attention_from": 2,
    "times": [50, 100],
    "steps_compared": [25, 50],
}


@dataclass(frozen=True)
class Params(AnomalyParams):
    """Defaults: Naval Marimont et al. 2024, sections 2 and 3, Table 1 and Figure 2."""

    T: int = 100  # steps of the corruption
    step: int = scoring(25)  # step size of the restoration behind the final score; section 3
    steps_compared: tuple[int, ...] = scoring((10, 20, 25, 33, 50))  # step sizes of Table 1
    times: tuple[int, ...] = scoring(tuple(range(5, 101, 5)))  # t of the single-step scores, Table 1 and Figure 2

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, values in (("step", (self.step,)), ("steps_compared", self.steps_compared), ("times", self.times)):
            wrong = [value for value in values if not 1 <= value <= self.T]
            if wrong:
                raise ValueError(f"{name} {wrong[0]} is not between 1 and T = {self.T}")


class Baseline(Method):
    """Restores x0 from x_t = (1 - alpha_t m) x0 + alpha_t m x_fp, given t."""

    alpha: Tensor

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        self.unet = unet(params)
        self.register_buffer("alpha", alpha_schedule(params.T), persistent=False)

    def phases(self) -> Sequence[Phase]:
        p = self.params
        optimizer, scheduler = adamw_one_cycle(self.unet.parameters(), p.steps, p.learning_rate)
        return [Phase(p.steps, p.batch, p.patch, [Update(self.loss, optimizer, scheduler, clip=1.0)])]

    def loss(self, batch: Batch) -> Tensor:
        """Squared error of the restoration, t uniform in 1…T (section 2)."""
        anomaly = synthesise(batch, self.params, self.context.spacing)
        t = 1 + Draws(len(batch.images), batch.rng["times"]).choice(self.params.T)
        return F.mse_loss(self.predict(anomaly.at(self.alpha[t]), t), anomaly.healthy)

    def predict(self, images: Tensor, t: Tensor | int) -> Tensor:
        """P(x_t, t): the restored images (N, 1, H, W)."""
        output = apply_unet(self.unet, images, t, self.params)
        return images + output if self.params.residual else output

    def healing(self, images: Tensor, step: int, first: Tensor | None = None) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Algorithm 1: for each time t its restoration and |restoration - x_t|; `first` is P(x, T) if known."""
        state = images
        for t, following in pairwise([*restoration_times(self.params.T, step), 0]):
            healed = first if first is not None and t == self.params.T else self.predict(state, t)
            yield t, healed, (healed - state).abs()
            state = (1 - self.alpha[following]) * healed + self.alpha[following] * state

    def maps(self, images: Tensor) -> dict[str, Tensor]:
        """All scores of images (N, 1, H, W): single-step |x - P(x, t)|, and sums over Algorithm 1."""
        p = self.params
        first = self.predict(images, p.T)
        scores = {f"single/t={t}": (images - (first if t == p.T else self.predict(images, t))).abs() for t in p.times}
        for step in dict.fromkeys((p.step, *p.steps_compared)):
            total = torch.zeros_like(images)
            for t, _, change in self.healing(images, step, first):
                total = total + change
                if step == p.step:
                    scores[f"cumulative/t={t}"] = total
            scores[f"multi/step={step}"] = total
            if step == p.step:
                scores["final"] = total
        return scores

    def score(self, volume: Tensor, rng: Streams) -> dict[str, Tensor]:
        names: list[str] = []

        def stacked(images: Tensor) -> Tensor:
            maps = self.maps(images)
            names[:] = list(maps)
            return torch.cat(list(maps.values()), 1)

        maps = by_windows(stacked, volume, self.params.patch, self.params.score_batch)
        return dict(zip(names, maps, strict=True))

    def final(self, volume: Tensor, rng: Streams) -> Tensor:
        def total(images: Tensor) -> Tensor:
            changes = (change for _, _, change in self.healing(images, self.params.step))
            return sum(changes, torch.zeros_like(images))

        return by_windows(total, volume, self.params.patch, self.params.score_batch)[0]

    def restore(self, volume: Tensor, rng: Streams) -> Tensor:
        def healed(images: Tensor) -> Tensor:
            *_, (_, restoration, _) = self.healing(images, self.params.step)
            return restoration

        return by_windows(healed, volume, self.params.patch, self.params.score_batch)[0]
