"""The settings of preprocessing, checked before anything runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from harness.errors import HarnessError


@dataclass(frozen=True)
class Preprocessing:
    """The settings of preprocessing; everything that changes its output."""

    template: str = "mni152"  # `mni152`, or the path of a skull-stripped T1 template such as SRI24 (UPD_study)
    spacing: float = 1.0  # mm, voxel size of the packed arrays; UPD_study registers to 1 mm
    intensity: Literal["p98", "max", "p99_brain"] = "p98"  # how grey values are scaled, see harness/data/intensity.py
    brain: Literal["template", "none"] = (
        "template"  # `template` finds the brain in whole heads; `none`: every scan is already extracted
    )

    def __post_init__(self) -> None:
        if not 0.5 <= self.spacing <= 10:
            raise ValueError(f"spacing must be 0.5 to 10 mm, not {self.spacing}")


def settings(values: dict[str, object]) -> Preprocessing:
    """`Preprocessing(**values)`. Raises HarnessError naming an unknown key, a wrong type or a value out of range."""
    from harness.settings import build

    if not isinstance(values, dict):
        raise HarnessError(f"preprocessing: {values!r} is not a mapping of settings")
    made: Preprocessing = build(Preprocessing, values, "preprocessing")
    return made


def parse(text: str) -> Preprocessing:
    """The settings in a JSON text. Raises HarnessError if it is no JSON or not what `settings` accepts."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise HarnessError(f'preprocessing: {text!r} is no JSON ({error}); give e.g. {{"spacing": 1.0}}') from error
    return settings(values)
