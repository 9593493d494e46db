"""Post-processing of score maps that a study sets for all methods. Imports no torch.

As published, each method filters its maps by hyper-parameters of its own, declared by `params.own_filter`, or not at
all. Post-processing of the study replaces these filters, or is counted beside them as the score FILTERED.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from uadbench.core.validation import Part
from uadbench.methods.params import Neighbourhood

AS_PUBLISHED = "as published"
FILTERED = "filtered"  # name of the score map that is filtered alike, beside `final`
HEADING = "filtered alike"


class Postprocessing(Part):
    """One filter for the score maps of all methods, in place of their own: erosion of the brain, then a median."""

    median: Neighbourhood = Field(
        1, description="Side of the square of the median filter in voxels of the axial slice, odd; 1: off."
    )
    erosion: Neighbourhood = Field(
        1,
        description="Side of the square that erodes the brain in voxels of the axial slice, odd; scores outside of the "
        "eroded brain are 0; 1: off.",
    )
    beside: bool = Field(
        False,
        description="true: maps stay as published, and the filtered ones are counted beside them, as the score "
        f"`{FILTERED}`: tables print AP of both. false: all numbers are of the filtered maps.",
    )


def described(chosen: dict[str, Any] | None, score: str) -> str:
    """The filter of a study behind a score, in words; empty for maps as published.

    chosen: as `Postprocessing.model_dump` writes it.
    """
    if chosen is None or (chosen["beside"] and score != FILTERED):
        return ""
    sides = {"brain eroded by": chosen["erosion"], "median of": chosen["median"]}
    parts = [f"{what} {side} x {side} voxels" for what, side in sides.items() if side > 1]
    return f"{', then '.join(parts)}, in axial slices" if parts else "no filter"
