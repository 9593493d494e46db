"""Times of trainings and scorings on this device, from a few steps and slices of noise of each: `plan --rehearse`."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from uadbench.compute.precision import Precision
from uadbench.conformance.benchmark import noise
from uadbench.core.errors import HarnessError
from uadbench.core.study_folder import Job
from uadbench.evaluation.inference.inference import countable, ready, score_volume
from uadbench.evaluation.voxels.histogram import ScoreHistogram
from uadbench.methods.base import Context, Method, Phase
from uadbench.methods.seeds import Streams, seed_everything
from uadbench.methods.settings import Settings
from uadbench.status.forecast import kind_of
from uadbench.study import estimate, outputs
from uadbench.study.experiment import Experiment
from uadbench.training import run
from uadbench.training.loop import LoopConfig, prepare, step
from uadbench.training.memory import enough_memory
from uadbench.training.sampler import SliceSampler

SUBJECTS, SLICES = 2, 8
ENOUGH, MOST = 0.5, 20  # seconds and calls of each that are measured
AT_ONCE = 4 * 128**2  # voxels of a batch on a CPU, whose time grows with the batch
FORWARD = 1 / 3  # of the time of a step: a validation's pass without gradients


@dataclass(frozen=True)
class Rehearsal:
    """Measurement of the trainings and scorings of a study on a device.

    start: seconds that a job takes before its first step, to start and import. Not measured: reading of files, the end
    of a fit such as the choice of PatchCore's bank, findings and their surfaces.
    """

    study: Experiment
    device: torch.device
    start: float
    _known: dict[tuple[str, ...], float] = field(default_factory=dict)

    def seconds(self, kinds: Collection[str]) -> dict[str, float]:
        """Expected seconds of a job, by kind of `forecast.Work`, of these kinds; scorings are means over seeds.

        A method that cannot be built here, for lack of memory or a file, has none; a line says why.
        """
        study, found = self.study, dict[str, float]()
        for job in {(job.method, job.part): job for job in study.runs}.values():
            kind = kind_of("train", job.method, job.part)
            if kind in kinds:
                with _named(kind):
                    found[kind] = self.training(job)
        for job in {(job.method, job.part): job for job in study.tests}.values():
            kind, task = kind_of("score", job.method, job.part), study.task(job.part)
            if kind in kinds:
                with _named(kind):
                    each = [self._scored(study.settings(job.method, task.modality, seed)) for seed in study.seeds]
                    started = self.start / (len(study.seeds) if outputs.one_job(study) else 1)
                    found[kind] = started + float(np.mean(each)) * estimate.subjects(study, task.dataset)
        return found

    def _scored(self, settings: Settings) -> float:
        """`subject` of the same settings, measured once."""
        key = settings.method, settings.modality, settings.scoring
        if key not in self._known:
            self._known[key] = self.subject(settings)
        return self._known[key]

    def training(self, job: Job) -> float:
        """Seconds of a training: its steps and validations."""
        method = self._method(self.study.settings(job.method, job.part))
        precise = Precision(self.device, method.float16)
        total, streams = self.start, Streams(0, self.device)
        volumes = noise(self.study.preprocessing.spacing, SUBJECTS)
        sampler = SliceSampler(volumes, np.arange(SUBJECTS), self.device)
        validations = LoopConfig.validation / LoopConfig.history * FORWARD
        for phase in prepare(method, self.device):
            part = self._part(phase, *volumes.shape[2:])
            first, each = _timed(partial(step, method, part, sampler, streams, precise), self.device, phase.steps)
            factor = phase.batch / part.batch
            total += first - each + phase.steps * each * factor * (1 + validations)
        return total

    def subject(self, settings: Settings) -> float:
        """Seconds of a volume of this study: its score maps, and their counts by each protocol."""
        method = ready(run.freeze(self._method(settings)), self.device)
        volume = noise(self.study.preprocessing.spacing, 1)[0]
        few, streams = torch.from_numpy(volume[:SLICES]).float().to(self.device), Streams(0, self.device)
        _, scored = _timed(lambda: score_volume(method, few, streams, settings.method), self.device, MOST)
        maps, labels = score_volume(method, few, streams, settings.method), np.zeros(few.shape, bool)
        labels.flat[0] = True
        final = countable(maps["final"])
        _, counted = _timed(lambda: ScoreHistogram().add("subject", final.ravel(), labels.ravel()), self.device, MOST)
        counts = counted * len(maps) * len(self.study.protocols)
        return (scored + counts) * len(volume) / len(few)

    def _method(self, settings: Settings) -> Method:
        """The method with random weights, also of its backbone, and if it needs one a parent likewise."""
        seed_everything(0)
        params = settings.params
        if hasattr(params, "weights"):  # which would have to be fetched
            params = replace(params, weights="random")
        spacing, parent = self.study.preprocessing.spacing, self.study.describe(settings.method).requires
        required = None
        if parent:
            required = run.freeze(self._method(self.study.settings(parent, settings.modality))).to(self.device)
        context = Context(settings.modality, spacing, required, settings.postprocessing)
        return run.build(settings.method, params, context).to(self.device)

    def _part(self, phase: Phase, height: int, width: int) -> Phase:
        """A phase with as many images as a CPU computes at a time; on a GPU the whole batch."""
        if self.device.type == "cuda":
            return phase
        pixels = min(phase.patch, height) * min(phase.patch, width)
        return replace(phase, batch=min(phase.batch, max(2, math.ceil(AT_ONCE / pixels))))


@contextmanager
def _named(kind: str) -> Iterator[None]:
    """Name what is measured; an error of this kind is named, too, and ends it alone."""
    print(f"plan: {kind} …", file=sys.stderr, flush=True)
    try:
        with enough_memory(f"rehearsing {kind}", "give a smaller batch, or leave --rehearse out"):
            yield
    except HarnessError as error:
        print(f"plan: {kind} is not rehearsed: {error}", file=sys.stderr, flush=True)


def _timed(work: Callable[[], Any], device: torch.device, most: int) -> tuple[float, float]:
    """Seconds of the first call, which may compile, and of a later one; of the first alone if that is all there are."""

    # Other processes do not count where one thread computes.
    clock = time.process_time if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter

    def seconds() -> float:
        started = clock()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return clock() - started

    first, later = seconds(), list[float]()
    while sum(later) < ENOUGH and len(later) < min(most, MOST) and (first < 10 * ENOUGH or device.type == "cuda"):
        later.append(seconds())
    return first, float(np.median(later)) if later else first
