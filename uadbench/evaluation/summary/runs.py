"""Runs of methods as counts of scores by subject, from files of histograms: what comparisons and orders are made of."""

import fnmatch
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from uadbench.evaluation.voxels.columns import SIMULATED
from uadbench.evaluation.voxels.histogram import ScoreHistogram, load
from uadbench.evaluation.voxels.jackknife import CROWDED_NOTE, crowded, leave_one_out
from uadbench.evaluation.voxels.metrics import METRICS, doubtful
from uadbench.evaluation.voxels.resampling import coarsen
from uadbench.methods.registry import CONTROL

SCORE = "final"
COMPARED = ("ap", "dice")
BINS = 128  # of scores; their error is nearly the same without each patient, and subtracted below
BATCH = 64  # resamples at once, so that temporary arrays stay in the cache


@dataclass(frozen=True)
class Run:
    """One seed of a method: counts (subjects, bins) float32 and the metrics of all subjects on the finest bins.

    patients: of the subjects, in their order. crowded: metrics without interval, since scores share bins of subjects.
    """

    subjects: tuple[str, ...]
    negatives: np.ndarray
    positives: np.ndarray
    exact: dict[str, float]
    patients: tuple[str, ...]
    crowded: frozenset[str] = frozenset()

    @classmethod
    def of(cls, histogram: ScoreHistogram) -> "Run":
        """The run of a histogram; its metrics are NaN where binning makes them `doubtful`."""
        rows, (_, *fine) = histogram.per_subject(), histogram.pooled()
        told = not doubtful(histogram)
        exact = {name: float(METRICS[name](*fine)) if told else np.nan for name in COMPARED}
        hidden = frozenset(name for name in COMPARED if not told or crowded(METRICS[name], rows, fine))
        negatives, positives = (part.astype(np.float32) for part in coarsen(*rows, BINS))
        return cls(tuple(histogram.subjects), negatives, positives, exact, tuple(histogram.patients), hidden)

    def of_subjects(self, common: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Counts (subjects, bins) of some subjects, and their patients."""
        places = {subject: row for row, subject in enumerate(self.subjects)}
        rows = [places[subject] for subject in common]
        return self.negatives[rows], self.positives[rows], [self.patients[row] for row in rows]

    def value(self, metric: str, common: tuple[str, ...]) -> float:
        """A metric of some subjects: of all of them on the finest bins, which single subjects lack."""
        if len(common) == len(self.subjects):
            return self.exact[metric]
        negatives, positives, _ = self.of_subjects(common)
        whole = float(METRICS[metric](negatives.sum(0, np.float64), positives.sum(0, np.float64)))
        return whole if np.isfinite(self.exact[metric]) else np.nan

    def left_out(self, metric: str, common: tuple[str, ...]) -> np.ndarray:
        """The same without each patient (patients,); NaN where there is no interval."""
        negatives, positives, patients = self.of_subjects(common)
        if metric in self.crowded:
            return np.full(len(set(patients)), np.nan)
        return leave_one_out(METRICS[metric], negatives.astype(np.float64), positives.astype(np.float64), patients)

    def drawn(self, metric: str, common: tuple[str, ...], weights: np.ndarray) -> np.ndarray:
        """The same of subjects with multiplicities weights (draws, subjects), (draws,)."""
        negatives, positives, _ = self.of_subjects(common)
        weights, values = weights.astype(np.float32), np.empty(len(weights))
        for start in range(0, len(weights), BATCH):
            batch = weights[start : start + BATCH]
            values[start : start + BATCH] = METRICS[metric](batch @ negatives, batch @ positives)
        coarse = METRICS[metric](negatives.sum(0, np.float64), positives.sum(0, np.float64))
        return values + (self.value(metric, common) - coarse)

    def same(self, other: "Run") -> bool:
        """Whether both have the same counts, as one score map under two names has."""
        pairs = ((self.negatives, other.negatives), (self.positives, other.positives))
        return self.exact == other.exact and all(np.array_equal(*pair) for pair in pairs)


Group = tuple[str, str, str]  # experiment, task, protocol
Methods = dict[str, list[Run]]  # runs by method, by seed


@dataclass(frozen=True)
class Runs:
    """The runs of all files by experiment, task and protocol; the names of controls, and which scans are simulated.

    others: those of further score maps, by their names; each method's are of as many seeds as its final map.
    """

    by_group: dict[Group, Methods]
    controls: set[str]
    simulated: dict[tuple[Group, str], list[bool]]
    others: dict[Group, dict[str, Methods]]

    @classmethod
    def read(cls, paths: Iterable[str | os.PathLike[str]], compared: Sequence[str] = ()) -> "Runs":
        """The runs of these files, see `Gathering`."""
        gathering = Gathering(compared)
        for path in paths:
            gathering.add(path, *load(path, only=gathering.maps))
        return gathering.runs()

    def facts(self, group: Group, *methods: str, score: str = SCORE) -> dict[str, Any]:
        """The columns of a row of these methods up to the score."""
        experiment, task, protocol = group
        flags = map(any, zip(*(self.simulated[group, method] for method in methods), strict=True))
        flagged = dict(zip(SIMULATED, flags, strict=True))
        return {"experiment": experiment, **flagged, "task": task, "protocol": protocol, "score": score}


class Gathering:
    """Gathers the runs of files that are read one after the other.

    compared: patterns (`fnmatch`) of score maps beside the final ones, such as "single/t=*".
    """

    def __init__(self, compared: Sequence[str] = ()) -> None:
        self.maps = [SCORE, *compared]
        self._groups: dict[Group, dict[str, dict[str, dict[int, Run]]]] = {}  # by score, method and seed
        self._found = Runs({}, set(), {}, {})

    def add(
        self, path: str | os.PathLike[str], histograms: Mapping[str, ScoreHistogram], meta: Mapping[str, Any]
    ) -> None:
        """Add the run of a file. Maps without an anomalous voxel are skipped; a warning names those that share bins."""
        if SCORE not in histograms or not histograms[SCORE].positives:
            return
        group, found = (meta["experiment"], meta["task"], meta["protocol"]), self._found
        for score, histogram in histograms.items():
            if not histogram.positives or not any(fnmatch.fnmatchcase(score, pattern) for pattern in self.maps):
                continue
            run = Run.of(histogram)
            own = self._groups.setdefault(group, {}).setdefault(score, {}).setdefault(meta["method"], {})
            own[meta["seed"]] = run
            if run.crowded and all(np.isfinite(value) for value in run.exact.values()):
                print(f"warning: {path}: {score}: {CROWDED_NOTE}", file=sys.stderr)
        if meta.get("family") == CONTROL:
            found.controls.add(meta["method"])
        known = found.simulated.get((group, meta["method"]), [False, False])
        flags = [old or bool(meta[key]) for old, key in zip(known, SIMULATED, strict=True)]
        found.simulated[group, meta["method"]] = flags

    def runs(self) -> Runs:
        """All runs, and of other maps those of methods whose every seed has them."""
        for group, scores in sorted(self._groups.items()):
            whole = {
                score: {
                    name: [runs[seed] for seed in sorted(runs)]
                    for name, runs in methods.items()
                    if runs.keys() == scores[SCORE][name].keys()
                }
                for score, methods in sorted(scores.items())
            }
            self._found.by_group[group] = whole.pop(SCORE)
            self._found.others[group] = whole
        return self._found


def common_subjects(runs: Iterable[Run]) -> tuple[str, ...]:
    """The subjects that all runs scored, sorted."""
    return tuple(sorted(set.intersection(*(set(run.subjects) for run in runs))))
