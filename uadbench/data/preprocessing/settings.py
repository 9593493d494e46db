"""Settings of preprocessing, validated before anything runs, and named protocols that set them all at once.

The steps, in order, independent of the settings:

1. The T1 is read and its brain extracted: by the template, by a named program, or by the scan's own empty background.
2. The brain is registered to the template: 12 degrees of freedom, mutual information (`ants_registration`).
3. The T2, and a further scan on whose voxels a mask is delineated, is registered rigidly to the T1 and follows it.
4. Scans are resampled linearly to the packed grid, in one step unless `edges` is `twice`, labels by `labels`.
5. Grey values of the brain are scaled to [0, 1] by `normalisation`; all else is 0.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from uadbench.core.errors import HarnessError, choices
from uadbench.core.validation import build, from_json

Spacing = Annotated[float, Field(ge=0.5, le=10)]
Rule = Literal["p98", "max", "p99_5_brain"]
Extraction = Literal["template", "none", "hd-bet", "synthstrip", "robex"]
Labels = Literal["classes", "above_0.4"]
Edges = Literal["shared", "plain", "twice"]


@dataclass(frozen=True)
class Preprocessing:
    """All settings that change the output of preprocessing. Defaults: the protocol `disyre`."""

    template: str = "mni152"  # `mni152`, or the path of a skull-stripped T1 template such as SRI24 (UPD_study)
    spacing: Spacing = 1.0  # mm, voxel size of the packed arrays; with `side` only from slice to slice
    side: int = 0  # voxels, side of packed slices, the centre square of the template; 0: the box of its brain
    normalisation: Rule = "p98"  # scaling of grey values, see uadbench/data/preprocessing/brain/normalisation.py
    brain: Extraction = "template"  # brain extraction of whole heads; `none`: every scan is already extracted
    labels: Labels = "classes"  # class of the largest fraction; or 1 where the label is above 0.4 (UPD_study)
    edges: Edges = "shared"  # of the brain, see uadbench/data/preprocessing/registration/transform.py; twice: UPD_study

    def __post_init__(self) -> None:
        if self.side and not 16 <= self.side <= 512:
            raise ValueError(f"side must be 0, or 16 to 512 voxels, not {self.side}")


#: settings of `protocol: NAME`; settings beside it override them
PROTOCOLS: dict[str, dict[str, Any]] = {
    # Public code of Naval Marimont et al. 2024: 1 mm, slices scored by windows of 128 x 128, divided by the 98th
    # percentile of the volume. The paper itself refers to the preprocessing of UPD_study.
    "disyre": {"spacing": 1.0, "side": 0, "normalisation": "p98", "labels": "classes"},
    # UPD_study (Lagogiannis et al. 2024): slices of 1 mm, cropped to a square and resized to 128 x 128, divided by the
    # maximum, labels above 0.4, and the rim of the brain that two interpolations leave. Its template is SRI24
    # (`template: PATH`), its brain extraction ROBEX (`brain: robex`).
    "upd": {"spacing": 1.0, "side": 128, "normalisation": "max", "labels": "above_0.4", "edges": "twice"},
}


def settings(values: dict[str, object]) -> Preprocessing:
    """The settings defined by `values`, with an optional `protocol`.

    Raises HarnessError naming an unknown key or protocol, a wrong type or a value out of range.
    """
    if not isinstance(values, dict):
        raise HarnessError(f"preprocessing: {values!r} is not a mapping of settings")
    own = dict(values)
    name = own.pop("protocol", "disyre")
    if name not in PROTOCOLS:
        raise HarnessError(f"preprocessing.protocol: {name!r} is unknown; {choices(name, PROTOCOLS)}")
    made: Preprocessing = build(Preprocessing, {**PROTOCOLS[str(name)], **own}, "preprocessing")
    return made


def parse(text: str) -> Preprocessing:
    """The settings in a JSON text. Raises HarnessError if it is no JSON or if `settings` refuses it."""
    return settings(from_json(text, "preprocessing:", 'give e.g. {"spacing": 1.0}'))
