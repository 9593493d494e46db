"""A difference of two numbers with what it decides, from the printed numbers or a row of comparisons.csv."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from uadbench.evaluation.summary.comparisons import BOTH
from uadbench.paper.inputs import ALPHA


@dataclass(frozen=True)
class Difference:
    """A difference with its 95 % interval, ratio and p-value, corrected where it has rivals; None where unknown.

    seeds: whether interval and p-value are over seeds, too; those of one seed tell nothing of other trainings.
    """

    value: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    ratio: tuple[float, float | None, float | None] | None = None
    equal: float | None = None  # probability of at most MARGIN
    seeds: bool = True

    @property
    def sign(self) -> int:
        """1 or -1 where the difference is significant, else 0."""
        return int(np.sign(self.value)) if self.seeds and self.p is not None and self.p < ALPHA else 0

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The interval where it decides something."""
        return None if self.low is None or self.high is None or not self.seeds else (self.low, self.high)


def inverse(ratio: float) -> float:
    """1 / ratio, infinite for a ratio of 0, as a bound may be."""
    return 1 / ratio if ratio else np.inf


def of_row(row: pd.Series, turned: bool) -> Difference:
    """A row of comparisons.csv, or the opposite difference."""

    def number(name: str) -> float | None:
        return float(row[name]) if np.isfinite(row[name]) else None

    p = number("p_holm") if number("p_holm") is not None else number("p")
    ratio = number("ratio") and (float(row["ratio"]), number("ratio_low"), number("ratio_high"))
    value, both = float(row["difference"]), row["resampled"] == BOTH
    found = Difference(value, number("low"), number("high"), p, ratio or None, number("equal"), both)
    if not turned:
        return found
    low, high = found.high, found.low
    back = ratio and tuple(None if part is None else inverse(part) for part in (ratio[0], ratio[2], ratio[1]))
    return replace(
        found,
        value=-found.value,
        low=None if low is None else -low,
        high=None if high is None else -high,
        ratio=back or None,  # type: ignore[arg-type]
    )
