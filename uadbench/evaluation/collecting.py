"""Collector of findings during the scoring of a test set, one volume at a time."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from uadbench.evaluation.findings import SURFACE_RATE, Findings
from uadbench.evaluation.lesions import bounding_box, detect
from uadbench.evaluation.metrics import ranked
from uadbench.evaluation.operating_points import Calibration, slice_peaks, summary
from uadbench.evaluation.regions import Regions
from uadbench.evaluation.surfaces import Sides, diagonal, surface_agreement


class Collector:
    """Collects a few numbers of each subject, slice and lesion; the thresholds are those of `calibration`."""

    def __init__(self, sides: Sides, calibration: Calibration | None = None) -> None:
        """sides: of a voxel along D, H and W in mm. Lesions are measured in cubes of the same volume."""
        self.sides = sides
        self.spacing = round(float(np.prod(sides)) ** (1 / 3), 6)
        self.regions = Regions()
        self.calibration = calibration
        self.thresholds = np.zeros(0, np.float32) if calibration is None else calibration.thresholds
        self.subjects: list[str] = []
        self.facts: defaultdict[str, list[Any]] = defaultdict(list)

    def add(self, subject: str, score: np.ndarray, label: np.ndarray, brain: np.ndarray) -> None:
        """Add a subject: score map (D, H, W) float32, 0 outside the brain; label and brain (D, H, W) bool.

        Anomalous voxels outside of the brain are included as missed, since no method scores them.
        """
        box = bounding_box(brain | label)
        score, brain, truth = score[box], brain[box], label[box]
        counted = np.logical_or(brain, truth)
        inside, anomalous = score[counted], truth[counted]
        ap, dice = ranked(inside, anomalous)
        peaks = slice_peaks(score, counted)
        found = detect(score, truth, self.thresholds, self.spacing)
        self.regions.add(inside[~anomalous], inside[anomalous], found.shares)
        number = len(self.subjects)
        self.subjects.append(subject)
        self._note(voxels=inside.size, anomalous=np.count_nonzero(anomalous), ap=ap, dice=dice, alarms=found.alarms)
        self._note(
            outside=np.count_nonzero(truth & ~brain), peaks=peaks.max(initial=0), summaries=summary(score[brain])
        )
        self._note(flagged=_reaching(inside, self.thresholds), true=_reaching(inside[anomalous], self.thresholds))
        hd95, surface_dice = self._surfaces(score, truth, counted)
        self._note(hd95=hd95, surface_dice=surface_dice)
        self._note(slice_subjects=np.full(len(peaks), number), slice_peaks=peaks)
        self._note(slice_anomalous=np.asarray(truth.any(axis=(1, 2)))[counted.any(axis=(1, 2))])
        self._note(lesion_subjects=np.full(len(found.sizes), number), lesion_voxels=found.sizes)
        self._note(lesion_hits=found.hits, lesion_found=found.found)

    def finish(self) -> Findings:
        """The findings of all subjects so far, at least one."""
        whole = ("voxels", "anomalous", "outside", "flagged", "true", "alarms")
        scores = ("peaks", "summaries")
        arrays = {name: np.array(self.facts[name], np.int64) for name in whole}
        arrays |= {name: np.array(self.facts[name], np.float32) for name in scores}
        arrays |= {name: np.array(self.facts[name], np.float64) for name in ("ap", "dice", "hd95", "surface_dice")}
        arrays |= {name: np.concatenate(many) for name, many in self.facts.items() if name not in arrays}
        arrays["region_normal"], arrays["region_lesions"] = self.regions.occupied()
        calibration = self.calibration
        return Findings(
            subjects=tuple(self.subjects),
            spacing=self.spacing,
            rates=np.zeros(0) if calibration is None else calibration.rates,
            thresholds=self.thresholds,
            healthy_summaries=np.zeros(0, np.float32) if calibration is None else calibration.summaries,
            **arrays,
        )

    def _surfaces(self, score: np.ndarray, truth: np.ndarray, counted: np.ndarray) -> tuple[float, float]:
        """HD95 and surface Dice at the threshold of SURFACE_RATE; NaN without it, and without an anomalous voxel."""
        rates = np.zeros(0) if self.calibration is None else self.calibration.rates
        chosen = np.flatnonzero(np.isclose(rates, SURFACE_RATE))
        if not chosen.size or not truth.any():
            return np.nan, np.nan
        called = score >= self.thresholds[chosen[0]]
        return surface_agreement(called, truth, self.sides, diagonal(counted, self.sides))

    def _note(self, **facts: Any) -> None:
        for name, fact in facts.items():
            self.facts[name].append(fact)


def _reaching(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Numbers of scores (n,) at or above each of the thresholds (k,), int64."""
    return np.array([np.count_nonzero(scores >= threshold) for threshold in thresholds], np.int64)
