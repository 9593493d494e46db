"""The kinds of scan there are: one list, which configs, subject sheets, arrays and options take them from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Modality:
    """A kind of scan. `name` is its name everywhere.

    fluid: whether fluid is dark or bright and grey values in the brain rise or fall with a T1-weighted template's:
    1 as in it, -1 the other way round, 0 neither, so that contrast cannot be checked.
    """

    name: str
    title: str
    fluid: int


#: in the order in which a subject's scans are tried as the one that is registered to the template; others follow it
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
