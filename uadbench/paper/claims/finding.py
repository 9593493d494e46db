"""A finding of a claim: a number, its interval, and what it decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from uadbench.evaluation.summary.comparisons import MARGIN
from uadbench.paper.claims.difference import Difference
from uadbench.paper.claims.evidence import Evidence

DIFFERENCE = "{:+.2f}"
MANY = 1000  # per cent


@dataclass(frozen=True)
class Finding:
    """A number of one task, or of all: its interval where there is one, its form, and what it decides."""

    of: str
    value: float
    low: float | None = None
    high: float | None = None
    form: str = DIFFERENCE
    holds: bool | None = None
    note: str = ""

    def text(self) -> str:
        """The finding in words, such as "+0.10 (-0.02 to +0.22), next: MOOD22"."""
        known = self.low is not None and self.high is not None
        bounds = f" ({self._number(self.low)} to {self._number(self.high)})" if known else ""  # type: ignore[arg-type]
        return ", ".join(filter(None, [f"{self._number(self.value)}{bounds}", self.note]))

    def _number(self, value: float) -> str:
        """A value in its form: with more digits where two would be zero, and no per cent beyond MANY."""
        if "%" in self.form and abs(value) > MANY:
            return f"> +{MANY} %" if value > 0 else f"< −{MANY} %"
        return signed(value) if self.form == DIFFERENCE else minus(self.form.format(value))


def signed(value: float, sign: str = "+") -> str:
    """A number with two digits, or with three or four where fewer would be zero; sign: "+", or "" for none above 0."""
    size = abs(value)
    digits = 2 if size == 0 or size >= 0.00995 else 3 if size >= 0.0005 else 4
    return minus(f"{value:{sign}.{digits}f}")


def minus(text: str) -> str:
    """A number with the sign of subtraction, as it is printed."""
    return text.replace("-", "−")


Measure = Callable[[Evidence], list[Finding]]


def of_difference(of: str, found: Difference, holds: bool | None, note: str = "") -> Finding:
    return Finding(of, found.value, found.low, found.high, holds=holds, note=note)


def decided(sign: int, wanted: int = 1) -> bool | None:
    """Whether a sign is the wanted one; None for none."""
    return None if sign == 0 else sign == wanted


def within(found: Difference, margin: float = MARGIN) -> bool | None:
    """Whether the interval of a difference lies within ± margin (True), or beyond (False)."""
    if found.bounds is None:
        return None
    low, high = found.bounds
    if -margin <= low and high <= margin:
        return True
    return False if low > margin or high < -margin else None


def verdict(findings: Iterable[Finding]) -> bool | None:
    """What all findings together decide: True if each holds, False if one does not, else None."""
    found = [finding.holds for finding in findings]
    return False if False in found else True if found and all(found) else None
