"""Doubts about final maps: what a method's result hardly looks like, such as scores turned round, or a copy."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np

from uadbench.core.errors import listed
from uadbench.evaluation.inference.collecting import ScoredSubject, array

BLANK, EQUAL, BINARY, PERFECT, SCAN = KINDS = (
    "are 0 in the whole brain",
    "have one score in the whole brain, which ranks no voxel",
    "have two values alone; give the scores themselves, not a mask above a threshold",
    "rank every anomalous voxel above all others; are they the labels?",
    "are the scan itself",
)


class DoubtCollector:
    """Collects the subjects of each kind of doubt, and the voxels of their labels by value."""

    def __init__(self) -> None:
        self.subjects = 0
        self.voxels: Counter[int] = Counter()
        self.found: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, subject: ScoredSubject) -> None:
        self.subjects += 1
        self.voxels.update(subject.drawn)
        brain = subject.truth.brain
        if kind := _kind(subject, subject.final[brain], subject.lesion[brain]):
            self.found[kind].append(subject.name)

    def notes(self) -> list[str]:
        """A line for each kind of doubt that there is."""
        return [f"{len(names)} of {self.subjects} maps {kind} ({listed(names)})" for kind, names in self.found.items()]


def _kind(subject: ScoredSubject, scores: np.ndarray, lesion: np.ndarray) -> str:
    """The doubt about a map with scores (n,) in the brain, anomalous where `lesion` (n,); "" without any."""
    low, high = (scores.min(), scores.max()) if scores.size else (0.0, 0.0)
    if low == high:
        return EQUAL if high else BLANK
    if lesion.any() and not lesion.all() and scores[lesion].min() > scores[~lesion].max():
        return PERFECT
    if ((scores == low) | (scores == high)).all():
        return BINARY
    if subject.image is not None and np.array_equal(scores, array(subject.image)[subject.truth.brain]):
        return SCAN
    return ""
