"""Quality measures of every subject, and robust rules that flag subjects for inspection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from uadbench.core.modalities import MODALITIES, NAMES

#: robust standard deviations (1.4826 x MAD, the median absolute deviation) from the median beyond which values are far
REACH = 4.0
MAD = 1.4826
#: minimum number of subjects for limits relative to the cohort
LEAST = 5


@dataclass(frozen=True)
class Measure:
    """A number per subject and its rules for flags.

    A value is flagged below `low` or above `high`, and where it deviates from the cohort's median on `side` by more
    than REACH robust standard deviations and by more than `floor`, so that a homogeneous cohort does not flag trivial
    deviations. With `needs` = (key, least) a value is only flagged if the measure `key` is at least `least`.
    """

    key: str
    title: str
    unit: str
    meaning: str
    digits: int = 0
    low: float = -np.inf
    high: float = np.inf
    side: Literal["low", "high", "both", "none"] = "none"
    floor: float = 0.0
    needs: tuple[str, float] | None = None

    def number(self, value: float) -> str:
        """The value without its unit."""
        return f"{value:.{self.digits}f}"

    def text(self, value: float) -> str:
        """The value with its unit."""
        return f"{self.number(value)} {self.unit}".rstrip()

    def rule(self) -> str:
        """The rules in words; empty for a measure without any."""
        parts = []
        if np.isfinite(self.low):
            parts.append(f"below {self.text(self.low)}")
        if np.isfinite(self.high):
            parts.append(f"above {self.text(self.high)}")
        if self.side != "none":
            where = {"low": "below", "high": "above", "both": "from"}[self.side]
            parts.append(
                f"more than {REACH:g} robust standard deviations (and {self.text(self.floor)}) {where} the median"
            )
        if parts and self.needs:
            key, least = self.needs
            parts[-1] += f"; only where {BY_KEY[key].title.lower()} ≥ {BY_KEY[key].text(least)}"
        return ", or ".join(parts)


MEASURES = (
    Measure(
        "brain_ml", "Brain volume", "ml",
        "Volume of the brain found, with its fluid spaces, in the scan's own space. Too small: parts were cut off; too"
        " large: skull, eyes or neck are left.",
        low=900, high=2300, side="both", floor=75,
    ),
    Measure(
        "overlap", "Overlap with the template", "",
        "Dice of the registered brain and the template's brain.",
        digits=3, low=0.85, side="low", floor=0.01,
    ),
    Measure(
        "nmi_reference_t1", "T1–template NMI", "",
        "Normalised mutual information (1 to 2) of the registered T1 and the template.",
        digits=3, side="low", floor=0.005,
    ),
    Measure(
        "nmi_reference_t2", "T2–T1 NMI, registered", "",
        "Normalised mutual information that the rigid registration of T2 to T1 reached, on voxels of up to 3 mm; none"
        " where the two were aligned as they came.",
        digits=3, side="low", floor=0.005,
    ),
    Measure(
        "nmi_t1_t2", "T2–T1 NMI, packed", "",
        "Normalised mutual information of the two packed images inside the brain of both, from voxels 2 mm apart.",
        digits=3, side="low", floor=0.005,
    ),
    Measure(
        "alignment", "T2–T1 alignment", "",
        "Mutual information of the packed images relative to that after a shift of 10 mm (NMI above 1, mean of six"
        " directions). About 1: no better aligned than by chance.",
        digits=2, low=2,
    ),
    Measure(
        "border_cm2", "Brain on the border of the grid", "cm²",
        "Area of brain on the six outer faces of the packed grid: there the brain may be cut.",
        digits=1, high=10, side="high", floor=5,
    ),
    Measure(
        "brain_change", "Brain volume change", "%",
        "Packed brain volume, divided by the expansion of the affine registration, against the volume in own space."
        " Negative: brain is lost outside of the grid.",
        digits=2, low=-3, high=3,
    ),
    Measure(
        "lesion_ml", "Lesion volume before", "ml",
        "Volume of all labels above 0 in the space that they were drawn in.",
        digits=2,
    ),
    Measure(
        "lesion_packed_ml", "Lesion volume packed", "ml",
        "Volume of the packed labels, in template space.",
        digits=2,
    ),
    Measure(
        "lesion_voxels", "Lesion size", "voxels",
        "Expected number of packed voxels of the lesion: volume before × expansion / volume of a voxel.",
    ),
    Measure(
        "lesion_change", "Lesion volume change", "%",
        "Packed lesion volume, divided by the expansion of the affine registration, against the volume before: the"
        " change by resampling alone. Where many are flagged, the packed voxels are too coarse for the lesions: lower"
        " `preprocessing.spacing` rather than exclude.",
        digits=2, low=-3, high=3, needs=("lesion_voxels", 100),
    ),
    Measure(
        "lesion_outside", "Lesion outside the brain", "%",
        "Share of the packed lesion that lies outside of the packed brain, where nothing is scored.",
        digits=1, high=5, side="high", floor=2,
    ),
    Measure(
        "histogram_t1", "T1 histogram distance", "",
        "Earth mover's distance, in units of grey values (0 to 1), between the subject's histogram of the brain and the"
        " cohort's mean histogram.",
        digits=3, side="high", floor=0.02,
    ),
    Measure(
        "histogram_t2", "T2 histogram distance", "",
        "The same of the T2.",
        digits=3, side="high", floor=0.02,
    ),
    *(
        Measure(
            f"nmi_reference_{name}", f"{name.upper()}–reference NMI, registered", "",
            f"Normalised mutual information that the registration of the {MODALITIES[name].title} scan reached.",
            digits=3, side="low", floor=0.005,
        )
        for name in NAMES[2:]
    ),
    *(
        Measure(
            f"histogram_{name}", f"{name.upper()} histogram distance", "",
            f"The same of the {MODALITIES[name].title} scan.",
            digits=3, side="high", floor=0.02,
        )
        for name in NAMES[2:]
    ),
)  # fmt: skip
BY_KEY = {measure.key: measure for measure in MEASURES}


@dataclass(frozen=True)
class Flag:
    """One flag of a subject: the measure's key, `low` or `high`, and the reason in words."""

    key: str
    side: str
    reason: str


@dataclass(frozen=True)
class Limits:
    """Limits of a cohort's values: `low` and `high` of both rules combined, and the cohort's median."""

    low: float
    high: float
    median: float


def limits(measure: Measure, cohort: Sequence[float]) -> Limits:
    """Limits of a measure for the values of a cohort (one per subject that has it)."""
    low, high = -np.inf, np.inf
    median = float(np.median(cohort)) if len(cohort) else float("nan")
    if len(cohort) >= LEAST:
        reach = max(REACH * MAD * float(np.median(np.abs(np.asarray(cohort) - median))), measure.floor)
        low = median - reach if measure.side in ("low", "both") else low
        high = median + reach if measure.side in ("high", "both") else high
    return Limits(max(low, measure.low), min(high, measure.high), median)


def flags(values: Mapping[str, float], cohort: Mapping[str, Limits]) -> list[Flag]:
    """Flags of one subject with the measured `values`, given the limits of its cohort."""
    found = []
    for measure in MEASURES:
        value = values.get(measure.key)
        if value is None or (measure.needs and values.get(measure.needs[0], 0) < measure.needs[1]):
            continue
        allowed = cohort[measure.key]
        if value < allowed.low:
            found.append(Flag(measure.key, "low", _reason(measure, value, "below", allowed.low, allowed.median)))
        elif value > allowed.high:
            found.append(Flag(measure.key, "high", _reason(measure, value, "above", allowed.high, allowed.median)))
    return found


def _reason(measure: Measure, value: float, side: str, limit: float, median: float) -> str:
    numbers = f"{measure.text(value)}, {side} {measure.text(limit)}"
    return f"{measure.title} {numbers} (cohort's median {measure.text(median)})"
