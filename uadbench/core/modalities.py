"""Modalities: one list, used by configs, subject sheets, arrays and options."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Modality:
    """A modality. `name` is its name everywhere.

    fluid: sign of the contrast of fluid and brain relative to a T1-weighted template: 1 for the same, -1 for inverted,
    0 for neither, so that contrast cannot be checked.
    """

    name: str
    title: str
    fluid: int


#: in order of preference as the scan that is registered to the template; a subject's other scans follow it
MODALITIES = {
    modality.name: modality
    for modality in (
        Modality("t1", "T1-weighted", 1),
        Modality("t2", "T2-weighted", -1),
        Modality("flair", "FLAIR", 0),
        Modality("t1c", "contrast-enhanced T1-weighted", 1),
    )
}
NAMES = tuple(MODALITIES)
