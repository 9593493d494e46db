"""Training histories of an experiment: reading, validation, and detection of runs that may have learned little."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from uadbench.methods import registry
from uadbench.paper.results import Results, read_rows
from uadbench.paper.simulated import statement
from uadbench.training.histories import ABOUT, LATER, ROW

NUMBERS = [column for column in ROW if column != "phase"]
LEFT = 0.95  # a run whose validation loss never fell below this fraction of its first value may have learned little


@dataclass(frozen=True)
class Curve:
    """One phase of one run. Arrays (n,), NaN if missing: steps, mean training loss since last row, validation loss."""

    method: str
    modality: str
    seed: int
    phase: str
    title: str
    step: np.ndarray
    loss: np.ndarray
    validation: np.ndarray
    trained: bool  # False for a phase without optimiser

    @property
    def share(self) -> float | None:
        """Lowest validation loss after the first step as a fraction of that before it.

        None where undefined: without a value before the first step (no held-out subject, an adversarial phase, an
        untrained method) or after it, or if the former is not positive.
        """
        before, after = self.validation[self.step == 0], self.validation[self.step > 0]
        after = after[np.isfinite(after)]
        if not len(before) or not len(after) or not (np.isfinite(before[0]) and before[0] > 0):
            return None
        return float(after.min() / before[0])

    @property
    def flat(self) -> bool:
        """Whether the validation loss never fell below LEFT times that before the first step."""
        return self.share is not None and self.share >= LEFT


@dataclass(frozen=True)
class Warned:
    """A warning about the runs of one method and modality, and the (method, task) of the affected results."""

    text: str
    cells: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Histories:
    """Rows of histories.csv; all orders are those of first appearance."""

    rows: pd.DataFrame
    path: str

    @classmethod
    def read(cls, path: str | Path) -> Histories:
        """Read histories.csv. Raises HarnessError if it is absent, lacks a column or holds a malformed number."""
        flags, remedy = ["trained_on_simulated"], "write it with `uadbench histories`"
        return cls(read_rows(path, (*ABOUT, *ROW), [*NUMBERS, *LATER], remedy, flags, list(LATER)), str(path))

    @property
    def simulated(self) -> str:
        """Statement that training scans are simulated; empty where all are real."""
        return statement(zip(self.rows["title"], self.rows["trained_on_simulated"], strict=True))

    @cached_property
    def curves(self) -> list[Curve]:
        """The phases of all runs."""
        found = []
        for _, part in self.rows.groupby(["method", "modality", "seed", "phase"], sort=False):
            method, modality, seed, phase, title = part.iloc[0][["method", "modality", "seed", "phase", "title"]]
            step, loss, validation = (part[name].to_numpy() for name in ("step", "loss", "validation"))
            trained = bool(part["learning_rate"].notna().any())
            found.append(Curve(method, modality, seed, phase, title or method, step, loss, validation, trained))
        return found

    def warnings(self, results: Results) -> list[Warned]:
        """One warning per phase of a method and modality of the results in which runs may have learned little."""
        flat: dict[tuple[str, str, str], list[Curve]] = {}
        for curve in self.curves:
            if curve.flat:
                flat.setdefault((curve.method, curve.modality, curve.phase), []).append(curve)
        found = []
        for (method, modality, phase), curves in flat.items():
            tasks = results.rows.loc[results.rows["modality"] == modality, "task"].unique()
            scored = [name for name, _, _ in results.methods if self.run_of(name, modality) == method]
            several = len({c.phase for c in self.curves if c.method == method and c.trained}) > 1
            others = [results.title(name) for name in scored if name != method]
            if cells := frozenset((name, task) for name in scored for task in tasks):
                found.append(Warned(_text(curves, f", phase {phase}" * several, others), cells))
        return found

    def run_of(self, method: str, modality: str) -> str | None:
        """The method whose run was scored: its own, or the baseline of a variant without a run."""
        trained = {(curve.method, curve.modality) for curve in self.curves}
        return next((name for name in (method, registry.base(method)) if (name, modality) in trained), None)


def _text(curves: list[Curve], phase: str, others: list[str]) -> str:
    first, several = curves[0], len(curves) > 1
    seeds = ", ".join(str(curve.seed) for curve in curves)
    shares = sorted({f"{100 * (curve.share or 0):.0f}" for curve in curves}, key=float)
    lowest = "–".join(dict.fromkeys((shares[0], shares[-1])))
    shared = f" Scored with the same: {', '.join(others)}." if others else ""
    return (
        f"{first.title} on {first.modality.upper()}, seed{'s' * several} {seeds}{phase}: "
        f"the validation loss never fell below {100 * LEFT:g} % of its value before the first step "
        f"(lowest: {lowest} %); {'these runs' if several else 'this run'} may have learned little "
        f"(see the figure curves).{shared}"
    )
