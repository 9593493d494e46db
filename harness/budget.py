"""Memory and time that each job of the workflow may take, which clusters want to know in advance. Imports no numpy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BRAIN_MM3 = 152 * 184 * 148  # the box around the brain in MNI152
HEAD_MM3 = 182 * 218 * 182  # the whole template, which simulated scans show
SUBJECTS = 700  # CamCAN has 653, ATLAS v2.0 655
DAY = 1440  # minutes; few partitions allow less


@dataclass(frozen=True)
class Budget:
    """What one job may use."""

    megabytes: int
    minutes: int

    @classmethod
    def of(cls, megabytes: float, seconds: float) -> Budget:
        """Memory rounded up to 500 MB; time twice as long as expected, at least half an hour and at most a day."""
        return cls(500 * math.ceil(megabytes / 500), min(DAY, 30 + math.ceil(2 * seconds / 60)))


def simulate(subjects: float, spacing: float) -> Budget:
    """Of `subjects` raw scans with voxels of `spacing` mm."""
    voxels = HEAD_MM3 / spacing**3 / 1e6
    return Budget.of(1000 + 300 * voxels, subjects * (2 + 5 * voxels))


def preprocess(subjects: float, spacing: float) -> Budget:
    """Of one chunk of `subjects`, one after the other. The raw scans decide: mostly heads of 1 mm, whatever is packed."""
    voxels = BRAIN_MM3 / spacing**3 / 1e6
    return Budget.of(3000 + 300 * voxels, subjects * (60 + 10 * voxels))


def pack(subjects: float, spacing: float) -> Budget:
    """Of `subjects` registered volumes in three arrays, which are written in place."""
    voxels = BRAIN_MM3 / spacing**3 / 1e6
    return Budget.of(1000 + 100 * voxels, subjects * (0.5 + voxels))


def quality(subjects: float, spacing: float) -> Budget:
    """Of one page that shows `subjects`."""
    voxels = BRAIN_MM3 / spacing**3 / 1e6
    return Budget.of(1000 + 2 * subjects + 200 * voxels, subjects * (2 + 2 * voxels))


def train(params: Mapping[str, Any], subjects: float, spacing: float, gpu: bool) -> Budget:
    """Of one training with the hyper-parameters `params` on `subjects` in one modality."""
    return Budget.of(1000, 60)


def test(params: Mapping[str, Any], subjects: float, spacing: float, gpu: bool) -> Budget:
    return Budget.of(1000, 60)


def summarize(files: int) -> Budget:
    return Budget.of(4000, 60 * files)
