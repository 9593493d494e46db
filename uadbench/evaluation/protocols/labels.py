"""Label values: those of lesions, and those of voxels that are not evaluated."""

from dataclasses import dataclass

import numpy as np

from uadbench.core.errors import HarnessError


@dataclass(frozen=True)
class LabelValues:
    """lesion: values that count as anomalous, empty for all above 0; ignored: values of voxels to exclude.

    Raises HarnessError for a value outside 1…255 and for one in both.
    """

    lesion: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for value in (*self.lesion, *self.ignored):
            if not 1 <= value <= 255:
                raise HarnessError(f"label {value}: lesion and ignored labels are values from 1 to 255")
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

    def classes(self, labels: np.ndarray) -> np.ndarray:
        """Labels (D, H, W), set to 0 where they are not lesion."""
        kept = np.isin(labels, self.lesion) if self.lesion else ~np.isin(labels, self.ignored)
        return np.where(kept, labels, np.zeros((), labels.dtype)) if self.lesion or self.ignored else labels

    def counted(self, labels: np.ndarray, brain: np.ndarray) -> np.ndarray:
        """The brain (D, H, W) bool without the ignored voxels of labels of the same shape."""
        return brain & ~np.isin(labels, self.ignored) if self.ignored else brain


EVERY = LabelValues()
