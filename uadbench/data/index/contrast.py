"""Contrast of a scan: what its sidecar and the other entities in its name say where they contradict its suffix.

ds004856 of OpenNeuro has its FLAIR as `acq-FLAIR_…_T2w`, with an inversion time of 2.8 s in the sidecar.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from uadbench.core.files import read_json
from uadbench.core.volume_names import stem
from uadbench.data.index import mask_names

SUFFIXES = ("T1w", "T2w", "FLAIR")
#: ways to know the contrast of a scan: by all that there is, or by the suffix of its name alone
EVIDENCE = ("sidecar", "suffix")
#: FLAIR in `acq`, `rec` and `desc`, with the names of two manufacturers
FLUID = re.compile(r"flair|tirm|dark-?fluid", re.IGNORECASE)
PLAIN = re.compile(r"(T[12])w?", re.IGNORECASE)
# Echo and inversion times in s that tell contrasts apart, generously: T2 and FLAIR have echoes of 0.08 to 0.5 s, T1 of
# 0.002 to 0.02 s; fluid is dark after 1.6 to 2.9 s, MPRAGE inverts 0.7 to 1.2 s before, fat is dark after 0.2 s.
LONG_ECHO, SHORT_ECHO = 0.06, 0.03
DARK_FLUID, T1_INVERSION = 1.3, (0.3, 1.3)
#: suffixes and other words in names of scans, BraTS's among them: suffixes of BIDS, and modalities that have none
NAMED = {"t1": "T1w", "t1w": "T1w", "t2": "T2w", "t2w": "T2w", "flair": "FLAIR"} | dict.fromkeys(
    ("t1c", "t1ce", "t1gd", "t1post"), "t1c"
)
MODALITY = {"T1w": "t1", "T2w": "t2", "FLAIR": "flair"}
#: values above are milliseconds, against BIDS
LARGEST = {"RepetitionTime": 30.0, "EchoTime": 1.0, "InversionTime": 10.0}


@dataclass(frozen=True)
class Timing:
    """Repetition, echo and inversion time in s; None where a sidecar does not state it, as often the last."""

    repetition: float | None = None
    echo: float | None = None
    inversion: float | None = None

    @property
    def contrast(self) -> str:
        """The suffix of this contrast; "" where the times do not tell."""
        if self.echo is None:
            return ""
        if self.echo >= LONG_ECHO:
            slow = self.repetition is None or self.repetition >= 1.5
            if self.inversion is None:
                return "T2w" if slow else ""
            return "FLAIR" if self.inversion >= DARK_FLUID else ""
        low, high = T1_INVERSION
        inverted = self.inversion is not None and low <= self.inversion < high
        return "T1w" if self.echo <= SHORT_ECHO and inverted else ""

    def __str__(self) -> str:
        values = {"TR": self.repetition, "TE": self.echo, "TI": self.inversion}
        return ", ".join(f"{name} {value:g} s" for name, value in values.items() if value is not None)


class Sidecars:
    """The sidecars of a data set, with those of folders above a scan, as BIDS inherits them."""

    def __init__(self, root: Path, paths: Iterable[Path]) -> None:
        """paths: JSON files relative to `root`."""
        self.root, self.read = root, cache(_times)
        self.known: dict[tuple[PurePath, str], list[tuple[set[str], Path]]] = defaultdict(list)
        for path in paths:
            *parts, suffix = path.name.partition(".")[0].split("_")
            self.known[path.parent, suffix].append((set(parts), path))

    def timing(self, scan: Path) -> Timing:
        """The times that hold for a scan, a path relative to the root; those of the nearest sidecar count."""
        *parts, suffix = scan.name.partition(".")[0].split("_")
        values: dict[str, float | None] = {}
        for folder in reversed(scan.parents):
            found = [(own, path) for own, path in self.known.get((folder, suffix), []) if own <= {*parts}]
            for _, path in sorted(found, key=lambda each: len(each[0])):
                values |= self.read(self.root / path)
        return Timing(*(values.get(key) for key in LARGEST))


def contrast(suffix: str, entities: Mapping[str, str], timing: Timing) -> tuple[str, str]:
    """The suffix of a scan's contrast, and the reasons where it is another one than that of its name, else "".

    A T1w stays one with `acq-FLAIR` alone, as T1-weighted scans with dark fluid are called, and a FLAIR stays one
    without an inversion time, which sidecars often lack.
    """
    if suffix not in SUFFIXES:
        return suffix, ""
    measured = timing.contrast
    if suffix == "FLAIR":
        return ("T1w", "its sidecar") if measured == "T1w" else (suffix, "")
    named, reason = "", ""
    for key in ("acq", "rec", "desc"):
        value = entities.get(key, "")
        if FLUID.search(value) and (suffix == "T2w" or measured in ("T2w", "FLAIR")):
            named, reason = "FLAIR", f"{key}-{value}"
        elif (plain := PLAIN.fullmatch(value)) and not named:
            named, reason = f"{plain[1].upper()}w", f"{key}-{value}"
    if measured and (measured, named) != ("T2w", "FLAIR"):  # whose inversion time may be missing
        found, reason = measured, f"{reason} and its sidecar" if named == measured else "its sidecar"
    else:
        found = named or suffix
    return (found, reason) if found != suffix else (suffix, "")


def stated(scan: Path) -> tuple[str, str]:
    """Modality that the name of a scan or the sidecar beside it states, and which of these; "" where neither does.

    The name need not be one of BIDS. Sidecars of folders above are not read.
    """
    entities, plain = mask_names.parts(scan.name)
    words = [word.lower() for word in (*plain, *entities.values())]
    named = list(dict.fromkeys(NAMED[word] for word in words if word in NAMED))
    kind = NAMED.get(words[len(plain) - 1] if plain else "") or (named[0] if len(named) == 1 else "")
    timing = Timing(*(_times(scan.with_name(f"{stem(scan.name)}.json")).get(key) for key in LARGEST))
    if not kind:
        return MODALITY.get(timing.contrast, ""), "its sidecar" if timing.contrast else ""
    if kind not in MODALITY:
        return kind, "its name"
    judged, reason = contrast(kind, entities, timing)
    found = "t1c" if judged == "T1w" and "ce" in entities else MODALITY[judged]
    return found, reason or "its name"


def _times(path: Path) -> dict[str, float | None]:
    """The times in s that a sidecar states as one number each; {} for a damaged one, which the scan may do without."""
    try:
        content: Any = read_json(path)
        stated = {key: content[key] for key in LARGEST if key in content}
    except (OSError, ValueError, TypeError):
        return {}
    return {key: _seconds(value, LARGEST[key]) for key, value in stated.items()}


def _seconds(value: Any, largest: float) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    if not 0 < number < float("inf"):
        return None
    return number / 1000 if number > largest else number
