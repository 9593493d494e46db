"""Memory and time budgets of workflow jobs, which clusters require in advance. Imports no numpy.

Measured on one core of an AMD EPYC (2.5 GHz), peak of the resident memory. A budget adds half to the memory and doubles
the time. Measured usage of each job is in results/EXPERIMENT/benchmarks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BRAIN_MM = (152, 184, 148)  # x, y, z: the box around the brain in MNI152
HEAD_MM3 = 197 * 233 * 189  # the whole template, which simulated scans show
SUBJECTS = 700  # CamCAN has 653, ATLAS v2.0 655
MAPS = 40  # score maps of one volume: DISYRE at all times of Figure 2, with their sums
DAY = 1440  # minutes; few partitions allow more
PATCH = 128**2  # voxels


@dataclass(frozen=True)
class Budget:
    """Memory and time limit of one job, and the time that it is expected to take."""

    megabytes: int
    minutes: int
    seconds: float = 0.0

    @classmethod
    def of(cls, megabytes: float, seconds: float) -> Budget:
        """The budget of a job expected to take `megabytes` and `seconds`: at least half an hour, at most a day."""
        return cls(500 * math.ceil(1.5 * megabytes / 500), min(DAY, 30 + math.ceil(2 * seconds / 60)), seconds)


def simulate(subjects: float, spacing: float) -> Budget:
    """Budget of `subjects` raw scans of `spacing` mm voxels; one took 1.8 GB, 10 s at 1 mm and 0.6 GB, 2 s at 3 mm."""
    head = HEAD_MM3 / spacing**3 / 1e6
    return Budget.of(550 + 145 * head, subjects * (2 + head))


def preprocess(subjects: float, spacing: float) -> Budget:
    """Budget of one chunk of `subjects`, processed in turn; raw heads of 1 mm dominate at any packed voxel size.

    Eight scans of ATLAS took 0.6 GB and 2 s each; T2-weighted ones, external brain extraction and slow disks take more.
    """
    return Budget.of(1500 + 200 * voxels(spacing), 30 * subjects)


def pack(subjects: float, spacing: float) -> Budget:
    """Budget of `subjects` registered volumes: arrays are written in place, 0.1 s per volume of 1 mm."""
    return Budget.of(700, subjects * voxels(spacing) / 4)


def quality(subjects: float, spacing: float) -> Budget:
    """Budget of one quality page of `subjects`; at 1 mm 2 s, and pictures of 0.1 MB, each."""
    return Budget.of(500 + subjects + 50 * voxels(spacing), 2 * subjects)


def train(params: Mapping[str, Any], subjects: float, spacing: float, gpu: bool) -> Budget:
    """Budget of one training with hyper-parameters `params` on `subjects`, whose volumes are in memory (float16).

    DISYRE's network needs 260 MB and 1.1 s of a core for an image of 128 x 128 (50 billion operations), others less.
    On a GPU that memory is the card's, and a slow card does 20 trillion operations a second. A training that is stopped
    by its limit resumes at the next attempt.
    """
    images = params.get("steps", 0) * params.get("batch", 0) * _patch(params, spacing)
    held = 2 * subjects * voxels(spacing)
    if gpu:
        return Budget.of(5000 + held, 0.0025 * images)
    return Budget.of(1000 + held + 260 * params.get("batch", 0) * _patch(params, spacing), 1.1 * images)


def test(params: Mapping[str, Any], subjects: float, spacing: float, protocols: int, gpu: bool) -> Budget:
    """Budget of scoring `subjects` with a run, maps and histograms (uadbench/evaluation/voxels/histogram.py) in memory.

    Forward passes need 115 MB for a window of 128 x 128. DISYRE's 40 passes take 1,000 s of a core for a million
    voxels, and 8 s with a slow card, counting included; others take less.
    """
    maps = MAPS * 12 * voxels(spacing) + MAPS * protocols * (16 + 0.016 * subjects)
    seconds = subjects * voxels(spacing) * (8 if gpu else 1000)
    if gpu:
        return Budget.of(5000 + maps, seconds)
    return Budget.of(1000 + maps + 115 * params.get("score_batch", 0) * _patch(params, spacing), seconds)


def summarize(files: int, methods: int) -> Budget:
    """Budget of summarising `files` of histograms: 3 s each with all maps and 1,000 resamples, 1 s per method pair."""
    return Budget.of(700 + 2 * files, (3 + methods / 2) * files)


def voxels(spacing: float) -> float:
    """Millions of voxels of a packed volume."""
    return math.prod(BRAIN_MM) / spacing**3 / 1e6


def _patch(params: Mapping[str, Any], spacing: float) -> float:
    """Size of a network's input image, in patches of 128 x 128: a patch, or the slice where that is smaller."""
    sides = [min(params.get("patch", 128), side / spacing) for side in BRAIN_MM[:2]]
    return math.prod(sides) / PATCH
