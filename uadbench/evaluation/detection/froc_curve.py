"""FROC curve of a test set, and its sensitivities at the false positives a scan of LUNA16; `froc` has the sweep."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FALSE_POSITIVES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # a scan, of the points and of their mean
KEPT = 4 * max(FALSE_POSITIVES)  # false positives a scan from which on a curve is not stored


@dataclass(frozen=True)
class Curve:
    """Lesions found and false positives of S scans by threshold: E changes of one scan each, thresholds descending.

    scores (E,) float32: the threshold from which down the numbers hold; scans (E,): index of the scan; found and alarms
    (E,) int64: its lesions found and its false positives. Above its first change a scan has none.
    """

    scores: np.ndarray
    scans: np.ndarray
    found: np.ndarray
    alarms: np.ndarray

    def at(self, thresholds: np.ndarray, scans: int) -> np.ndarray:
        """Lesions found (scans, thresholds) int64 at each of the thresholds (n,)."""
        found = np.zeros((scans, len(thresholds)), np.int64)
        for scan in range(scans):
            own = self.scans == scan
            places = np.searchsorted(-self.scores[own], -thresholds, side="right")
            found[scan] = np.append(0, self.found[own])[places]
        return found

    def pooled(self, scans: int) -> tuple[np.ndarray, np.ndarray]:
        """Lesions found and false positives a scan, both (E,), by descending threshold.

        Components merge as a threshold falls. To reward no map for that, both are the greatest at any threshold that is
        not lower, so that they never fall.
        """
        sums = [_steps(self.scans, numbers, scans).cumsum() for numbers in (self.found, self.alarms)]
        last = np.append(self.scores[1:] != self.scores[:-1], True)[: len(self.scores)]  # equal scores: one threshold
        found, alarms = (np.maximum.accumulate(np.where(last, numbers, 0)) for numbers in sums)
        return found, alarms / scans

    def sensitivities(self, scans: int, lesions: int) -> np.ndarray:
        """Sensitivity at each of FALSE_POSITIVES: the greatest at thresholds above the first that has more of them."""
        found, alarms = self.pooled(scans)
        return np.append(0, found)[np.searchsorted(alarms, FALSE_POSITIVES, side="right")] / lesions

    def shortened(self, scans: int) -> "Curve":
        """The curve down to the first threshold with more than KEPT false positives a scan."""
        end = int(np.searchsorted(self.pooled(scans)[1], KEPT, side="right")) + 1
        return Curve(self.scores[:end], self.scans[:end], self.found[:end], self.alarms[:end])


def joined(curves: Sequence[Curve]) -> Curve:
    """The curve of several scans, each with that of its own."""
    scores, found, alarms = (
        np.concatenate([getattr(one, key) for one in curves]) for key in ("scores", "found", "alarms")
    )
    order = np.argsort(-scores, kind="stable")
    scans = np.repeat(np.arange(len(curves)), [len(one.scores) for one in curves])
    return Curve(scores[order], scans[order], found[order], alarms[order])


def _steps(scans: np.ndarray, numbers: np.ndarray, count: int) -> np.ndarray:
    """The difference of each number (E,) from the one before of the same scan, 0 before the first."""
    steps = numbers.copy()
    for scan in range(count):
        own = np.flatnonzero(scans == scan)
        steps[own[1:]] -= numbers[own[:-1]]
    return steps
