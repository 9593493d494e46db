"""Streaming histograms of anomaly scores: anomalous and normal voxels counted by the float bits of their score.

One pass over the maps, constant memory, and enough detail for every metric that depends only on the ranking. The bins
depend only on the smallest and the largest score seen, so volumes may come in any order. With scores over 64 octaves
(19 decades) a bin spans 2^-14 of a score, which keeps AP within 1e-4. Scores closer together than that, beside others
many octaves away, share bins; `metrics.average_precision_bounds` bounds the resulting error of AP.

The file of histograms (.npz) holds all score maps of one run on one test set, and the metadata that identify them.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from uadbench.core.archive import HISTOGRAMS
from uadbench.evaluation.voxels import ties
from uadbench.evaluation.voxels.bins import FINE_BITS, NOTHING, ArrayScores, Bins, decode
from uadbench.evaluation.voxels.columns import completed

if TYPE_CHECKING:
    from torch import Tensor

    from uadbench.evaluation.voxels.tensors import TensorScores

FEW = 8  # fewer voxels than an eighth of the bins are counted individually instead of over all bins


class ScoreHistogram:
    """Counts of normal (row 0) and anomalous (row 1) voxels by score, pooled and per subject.

    `name` appears in error messages. At most 16 MiB for the pool and 16 KiB per subject, however many voxels are added.
    """

    def __init__(self, name: str = "score map") -> None:
        self.name = name
        self.grid = Bins(*NOTHING)
        self.pool = np.zeros((2, self.grid.size), np.int64)
        self.ties = ties.empty(self.grid.size)
        self.rounded = np.zeros(0, np.int64)  # codes of scores that rounding to float32 made equal to others
        self.by_subject: dict[str, np.ndarray] = {}  # (2, rows) uint32
        self.patient_of: Mapping[str, str] = {}  # by subject, of patients with several

    @property
    def subjects(self) -> list[str]:
        """Names of the subjects, sorted."""
        return sorted(self.by_subject)

    @property
    def patients(self) -> list[str]:
        """The patient of each of `subjects`."""
        return [self.patient_of.get(subject, subject) for subject in self.subjects]

    @property
    def voxels(self) -> int:
        """Number of voxels counted."""
        return int(self.pool.sum())

    @property
    def positives(self) -> int:
        """Number of anomalous voxels counted."""
        return int(self.pool[1].sum())

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest score counted; NaN for an empty histogram."""
        thresholds, _, _ = self.pooled()
        if not thresholds.size:
            return float("nan"), float("nan")
        low, high = decode(np.array([self.grid.lowest, self.grid.highest]) if self.grid.rows > 1 else np.zeros(2))
        return (float(low) if thresholds[0] > 0 else 0.0), float(high)

    def add(
        self,
        subject: str,
        scores: np.ndarray | Tensor,
        labels: np.ndarray | Tensor,
        merged: np.ndarray | None = None,
    ) -> None:
        """Count voxels of a subject: `scores` (n,) float32, finite and ≥ 0, and `labels` (n,) bool (anomalous).

        merged: (n,) bool, voxels whose scores rounding to float32 made equal to others of the subject. Tensors are
        counted on their device. May be called again for the same subject. Raises HarnessError if a score is negative or
        not finite.
        """
        given = scores_of(f"{self.name} of {subject}", scores, labels)
        self._cover(given.lowest, given.highest)
        # All voxels are counted as normal first; the few anomalous ones then change rows.
        if len(given) < self.grid.size // FEW:
            normal = self._scatter(0, given.bins(self.grid, self.ties))
        else:
            counts = given.counts(self.grid, self.ties)
            self.pool[0] += counts
            normal = counts.reshape(self.grid.rows, -1).sum(axis=1)
        bins = given.anomalous_bins(self.grid)
        anomalous = self._scatter(1, bins)
        np.subtract.at(self.pool[0], bins, 1)
        if merged is not None and merged.any():
            codes = self.grid.lower_codes(given.bins_of(merged, self.grid))
            self.rounded = np.union1d(self.rounded, codes)
        rows = np.stack([normal - anomalous, anomalous]).astype(np.uint32)
        self.by_subject[subject] = rows + self.by_subject.get(subject, np.uint32(0))

    def pooled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Thresholds (bins,) float64 ascending, and normal and anomalous voxels (bins,) int64 of all subjects.

        Only non-empty bins. The voxels of a bin and those above it are exactly those with score ≥ threshold.
        """
        occupied = np.flatnonzero(self.pool.any(axis=0))
        return decode(self.grid.lower_codes(occupied)), self.pool[0, occupied], self.pool[1, occupied]

    @property
    def mixed(self) -> np.ndarray:
        """Which of the bins of `pooled` (bins,) hold several scores, or scores that were several before rounding."""
        occupied = np.flatnonzero(self.pool.any(axis=0))
        return (self.ties[occupied] == ties.MIXED) | self.merged

    @property
    def merged(self) -> np.ndarray:
        """Which of the bins of `pooled` (bins,) hold scores that were several before rounding to float32."""
        found = np.zeros(self.grid.size, bool)
        found[self.grid.bins(self.rounded.astype(np.uint32))] = True
        return found[self.pool.any(axis=0)]

    def per_subject(self) -> tuple[np.ndarray, np.ndarray]:
        """Normal and anomalous voxels (subjects, coarse bins) int64 in the order of `subjects`, scores ascending."""
        counts = np.stack([self.by_subject[subject] for subject in self.subjects], axis=1).astype(np.int64)
        counts = counts[:, :, counts.any(axis=(0, 1))]
        return counts[0], counts[1]

    def at_least(self, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normal and anomalous voxels (subjects, n) int64 with scores of at least each of `thresholds` (n,).

        Subjects in the order of `subjects`. A threshold within a coarse bin is rounded up to the next bin.
        """
        rows = np.stack([self.by_subject[subject] for subject in self.subjects], axis=1).astype(np.int64)
        counts = np.cumsum(rows[..., ::-1], axis=-1)[..., ::-1]
        edges = decode(self.grid.lower_codes(np.arange(self.grid.rows) << FINE_BITS))
        places = np.searchsorted(edges, thresholds, side="left")
        chosen = np.pad(counts, ((0, 0), (0, 0), (0, 1)))[..., places]
        return chosen[0], chosen[1]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ScoreHistogram):
            return NotImplemented
        return (
            (self.grid.lowest, self.grid.highest) == (other.grid.lowest, other.grid.highest)
            and self.subjects == other.subjects
            and np.array_equal(self.pool, other.pool)
            and np.array_equal(self.mixed, other.mixed)
            and all(np.array_equal(self.by_subject[s], other.by_subject[s]) for s in self.by_subject)
        )

    __hash__ = None  # type: ignore[assignment]

    def _cover(self, lowest: int, highest: int) -> None:
        """Extend the bins to cover codes from `lowest` to `highest`."""
        lowest, highest = min(lowest, self.grid.lowest), max(highest, self.grid.highest)
        if (lowest, highest) == (self.grid.lowest, self.grid.highest):
            return
        old, self.grid = self.grid, Bins(lowest, highest)
        if self.grid.same_bins(old):
            return
        occupied = np.flatnonzero(self.ties != ties.EMPTY)
        places = self.ties[occupied]
        codes = old.lower_codes(occupied) + np.where(places == ties.MIXED, 0, places)
        self.ties = ties.empty(self.grid.size)
        places = np.where(places == ties.MIXED, places, self.grid.places(codes))
        ties.note(self.ties, self.grid.bins(codes.astype(np.uint32)), places)
        self.pool = self.grid.recount(self.pool, old)
        self.by_subject = {s: self.grid.recount(counts, old) for s, counts in self.by_subject.items()}

    def _scatter(self, row: int, bins: np.ndarray) -> np.ndarray:
        """Count voxels by their bins (n,) int64 in a row of the pool; returns their counts per coarse bin."""
        np.add.at(self.pool[row], bins, 1)
        return np.bincount(bins >> FINE_BITS, minlength=self.grid.rows)


def scores_of(name: str, scores: np.ndarray | Tensor, labels: np.ndarray | Tensor) -> ArrayScores | TensorScores:
    """Scores and labels (n,) for counting, on the device that they are on."""
    if isinstance(scores, np.ndarray):
        return ArrayScores(name, scores, np.asarray(labels))
    from uadbench.evaluation.voxels.tensors import TensorScores  # needs torch, which numpy arrays do not

    return TensorScores(name, scores, labels)


def save(path: str | os.PathLike[str], histograms: Mapping[str, ScoreHistogram], meta: Mapping[str, Any]) -> None:
    """Write the histograms of several score maps, by name, and JSON-serialisable metadata to one .npz file.

    Counts are stored exactly, in the narrowest unsigned integers that hold them, lowest bytes first, deflated.
    """
    arrays: dict[str, np.ndarray] = {}
    index = []
    for number, (name, histogram) in enumerate(histograms.items()):
        subjects = histogram.subjects
        rows = [histogram.by_subject[subject] for subject in subjects]
        arrays[f"{number}.pool"] = _planes(histogram.pool)
        arrays[f"{number}.mixed"] = np.packbits(histogram.mixed)
        arrays[f"{number}.subjects"] = _planes(np.stack(rows) if rows else np.zeros((0, 2, histogram.grid.rows), int))
        lowest, highest = histogram.grid.lowest, histogram.grid.highest
        index.append({"name": name, "lowest": lowest, "highest": highest, "subjects": subjects})
    HISTOGRAMS.save(path, arrays, meta=dict(meta), maps=index)


def load(path: str | os.PathLike[str], only: Sequence[str] = ()) -> tuple[dict[str, ScoreHistogram], dict[str, Any]]:
    """The histograms by the name of the score map, in the order saved, and the metadata given to `save`.

    With `only`, reads only maps whose names fit one of these patterns (`fnmatch`); the histograms are empty without.
    Raises HarnessError if the file is absent or was not written by `save`.
    """
    histograms = {}
    with HISTOGRAMS.opened(path) as (header, arrays):
        for number, entry in enumerate(header["maps"]):
            if only and not any(fnmatch.fnmatchcase(entry["name"], pattern) for pattern in only):
                continue
            histogram = ScoreHistogram(entry["name"])
            histogram.patient_of = header["meta"].get("patients", {})
            grid = histogram.grid = Bins(entry["lowest"], entry["highest"])
            histogram.pool = _whole(arrays[f"{number}.pool"], np.int64).reshape(2, grid.size)
            histogram.ties = _ties(histogram, arrays.get(f"{number}.mixed"))
            rows = _whole(arrays[f"{number}.subjects"], np.uint32).reshape(-1, 2, grid.rows)
            histogram.by_subject = dict(zip(entry["subjects"], rows, strict=True))
            histograms[entry["name"]] = histogram
        return histograms, completed(header["meta"])


def _ties(histogram: ScoreHistogram, mixed: np.ndarray | None) -> np.ndarray:
    """Ties (bins,) of a histogram with its pool; mixed: see `save`, None in a file of an earlier version.

    That knows only that a bin of a voxel, of the score 0 or of an exact grid is a single score.
    """
    out = ties.empty(histogram.grid.size)
    voxels = histogram.pool.sum(axis=0)
    occupied = np.flatnonzero(voxels)
    if mixed is None:
        several = (voxels[occupied] > 1) & (occupied > 0) & (not histogram.grid.exact)
    else:
        several = np.unpackbits(mixed, count=len(occupied)).astype(bool)
    out[occupied] = np.where(several, ties.MIXED, 0)
    return out


def _planes(counts: np.ndarray) -> np.ndarray:
    """Counts of any shape as bytes (bytes per count, counts), which deflate far better than interleaved ones."""
    kind = np.min_scalar_type(counts.max(initial=0)).newbyteorder("<")
    return np.ascontiguousarray(counts.astype(kind).reshape(-1, 1).view(np.uint8).T)


def _whole(planes: np.ndarray, kind: type) -> np.ndarray:
    """Inverse of `_planes`: the counts (n,)."""
    width = planes.shape[0]
    return np.ascontiguousarray(planes.T).view(f"<u{width}").reshape(-1).astype(kind)
