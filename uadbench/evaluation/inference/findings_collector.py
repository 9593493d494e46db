"""Collector of findings: a few numbers of each subject, slice and lesion of a test set."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from uadbench.core.study_folder import FINDINGS
from uadbench.evaluation.detection.findings import (
    RATES,
    SURFACE_RATE,
    Calibration,
    Findings,
    save,
    slice_peaks,
    summary,
    thresholds_of,
    tolerance,
)
from uadbench.evaluation.detection.froc import sweep
from uadbench.evaluation.detection.froc_curve import Curve, joined
from uadbench.evaluation.detection.lesions import bounding_box, detect, diagonal, surface_agreement
from uadbench.evaluation.detection.regions import Regions
from uadbench.evaluation.inference.collecting import ScoredSubject
from uadbench.evaluation.voxels.metrics import ranked


class FindingsCollector:
    """Findings of the final map, which `save` writes to findings.npz; the thresholds are those of `calibration`.

    Lesions are measured in cubes of the volume of a voxel of their subject.
    """

    def __init__(self, calibration: Calibration | None = None) -> None:
        self.regions = Regions()
        self.calibration = calibration
        self.sides: list[tuple[float, float, float]] = []
        self.thresholds = np.zeros(0, np.float32) if calibration is None else calibration.thresholds
        self.subjects: list[str] = []
        self.curves: list[Curve] = []
        self.facts: defaultdict[str, list[Any]] = defaultdict(list)

    @property
    def outside(self) -> int:
        """Anomalous voxels outside of the brain, which count as missed: no method scores them."""
        return int(sum(self.facts["outside"]))

    def add(self, subject: ScoredSubject) -> None:
        self.sides.append(subject.truth.spacing)
        spacing = _cube(subject.truth.spacing)
        box = bounding_box(subject.truth.brain | subject.lesion)
        brain, truth = subject.truth.brain[box], subject.lesion[box]
        score = np.where(brain, subject.final[box], np.float32(0))
        counted = np.logical_or(brain, truth)
        inside, anomalous = score[counted], truth[counted]
        ap, dice = ranked(inside, anomalous)
        peaks = slice_peaks(score, counted)
        found = detect(score, truth, self.thresholds, spacing)
        self.regions.add(inside[~anomalous], inside[anomalous], found.shares)
        self.curves.append(sweep(score, truth, counted, spacing))
        number = len(self.subjects)
        self.subjects.append(subject.name)
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
        self._note(lesion_found=found.found)

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        save(folder / FINDINGS, self.finish(), about)

    @property
    def spacings(self) -> tuple[float, ...]:
        """Side in mm of a cube of the volume of a voxel, of each subject."""
        return tuple(map(_cube, self.sides))

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
            spacing=spacings if len(set(spacings := self.spacings)) > 1 else spacings[0],
            rates=np.zeros(0) if calibration is None else calibration.rates,
            thresholds=self.thresholds,
            healthy_summaries=np.zeros(0, np.float32) if calibration is None else calibration.summaries,
            healthy_subjects=() if calibration is None else calibration.subjects,
            **arrays,
            **self._all_thresholds(),
        )

    def _all_thresholds(self) -> dict[str, np.ndarray]:
        """The curve of all thresholds, and the lesions found at those that RATES of the normal voxels reach."""
        number, curve = len(self.subjects), joined(self.curves)
        kept, (edges, normal), equal = curve.shortened(number), self.regions.normal(), {}
        if normal.any():
            rates = np.array(RATES)
            thresholds = thresholds_of(edges, normal, self.regions.grid.highest, rates)
            equal = {"rates": rates, "thresholds": thresholds, "found": curve.at(thresholds, number)}
        return {f"curve_{name}": array for name, array in vars(kept).items()} | {
            f"equal_{name}": array for name, array in equal.items()
        }

    def _surfaces(self, score: np.ndarray, truth: np.ndarray, counted: np.ndarray) -> tuple[float, float]:
        """HD95 and surface Dice at the threshold of SURFACE_RATE; NaN without it, and without an anomalous voxel."""
        rates = np.zeros(0) if self.calibration is None else self.calibration.rates
        chosen = np.flatnonzero(np.isclose(rates, SURFACE_RATE))
        if not chosen.size or not truth.any():
            return np.nan, np.nan
        called = score >= self.thresholds[chosen[0]]
        sides = self.sides[-1]
        return surface_agreement(called, truth, sides, diagonal(counted, sides), tolerance(sides))

    def _note(self, **facts: Any) -> None:
        for name, fact in facts.items():
            self.facts[name].append(fact)


def _cube(sides: Sequence[float]) -> float:
    """Side in mm of a cube of the volume of a voxel of `sides` mm."""
    return round(float(np.prod(sides)) ** (1 / 3), 6)


def _reaching(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Numbers of scores (n,) at or above each of the thresholds (k,), int64."""
    return np.array([np.count_nonzero(scores >= threshold) for threshold in thresholds], np.int64)
