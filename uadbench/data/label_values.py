"""Label values: those of lesions, and those of voxels that are not evaluated."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from uadbench.core.errors import HarnessError


@dataclass(frozen=True)
class LabelValues:
    """lesion: values that count as anomalous, empty for all above 0; ignored: values of voxels to exclude.

    Raises HarnessError for a value that is no whole number from 1 to 255, and for one in both.
    """

    lesion: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for value in (*self.lesion, *self.ignored):
            if not isinstance(value, Integral) or not 1 <= value <= 255:
                raise HarnessError(f"label {value!r}: lesion and ignored labels are whole numbers from 1 to 255")
        if both := sorted({*self.lesion} & {*self.ignored}):
            raise HarnessError(f"label {both[0]}: is lesion and ignored at once; keep one of the two")

    @classmethod
    def read(cls, lesion: str, ignored: str) -> "LabelValues":
        """Parse two comma-separated lists, such as "1,4"; "" is an empty one. Raises HarnessError for another text."""
        found = []
        for text in (lesion, ignored):
            parts = [part.strip() for part in text.split(",")] if text else []
            if not all(part.isdecimal() for part in parts):
                raise HarnessError(f"labels {text!r}: not a list of whole numbers such as 1,4")
            found.append(tuple(int(part) for part in parts))
        return cls(*found)

    def left_over(self, voxels: Mapping[int, int], where: str) -> str:
        """A note on values that are neither lesion nor ignored, which count as healthy; "" without any.

        voxels: numbers by value of all labels of a set, as of `voxels_by_value`; where: they are, for messages.
        Raises HarnessError for a lesion or ignored value that no label holds.
        """
        for key in ("lesion", "ignored"):
            for value in getattr(self, key):
                if value not in voxels:
                    held = named(voxels) or "only 0"
                    raise HarnessError(f"{where}: no label holds {value}, but {held}; correct `{key}`")
        left = {value: count for value, count in voxels.items() if value not in (*self.lesion, *self.ignored)}
        if not self.lesion or not left:
            return ""
        return f"{where}: labels also hold {named(left)}: neither lesion nor ignored, they count as healthy"

    def classes(self, labels: np.ndarray) -> np.ndarray:
        """Labels (D, H, W), set to 0 where they are not lesion."""
        kept = np.isin(labels, self.lesion) if self.lesion else ~np.isin(labels, self.ignored)
        return np.where(kept, labels, np.zeros((), labels.dtype)) if self.lesion or self.ignored else labels

    def counted(self, labels: np.ndarray, brain: np.ndarray) -> np.ndarray:
        """The brain (D, H, W) bool without the ignored voxels of labels of the same shape."""
        return brain & ~np.isin(labels, self.ignored) if self.ignored else brain


EVERY = LabelValues()


def voxels_by_value(labels: Iterable[np.ndarray]) -> dict[int, int]:
    """Number of voxels of each value above 0 in label volumes, uint8 of any shape."""
    totals = np.zeros(256, np.int64)
    for volume in labels:
        totals += np.bincount(volume[volume > 0], minlength=256)
    return {int(value): int(totals[value]) for value in np.flatnonzero(totals)}


def named(voxels: Mapping[int, int]) -> str:
    """Values with their voxels, in words."""
    return ", ".join(f"{value} ({count} voxels)" for value, count in voxels.items())
