"""Checks of a baseline: declarations, training, resumption after a kill, score maps and restoration."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch

from uadbench.conformance import cohort
from uadbench.core.errors import HarnessError
from uadbench.core.study_folder import HISTORY, PACKED, RUN, STATE
from uadbench.data.packing.store import Store
from uadbench.evaluation.inference.inference import score_volume
from uadbench.methods import registry
from uadbench.methods.base import Method
from uadbench.methods.params import NoParams
from uadbench.methods.seeds import Streams
from uadbench.methods.settings import Settings, resolve
from uadbench.training import run
from uadbench.training.job import train_run
from uadbench.training.loop import Diverged, LoopConfig

CPU = torch.device("cpu")
DARK = 0.02  # factor of grey values
LONGEST = 200  # lines of a baseline's file
COLUMNS = ["phase", "step", "loss", "validation", "learning_rate"]


class Violation(Exception):
    """A check that a baseline does not pass, with the reason and where possible the remedy."""


def require(condition: object, reason: str) -> None:
    """Raise Violation with `reason` unless the condition holds."""
    if not condition:
        raise Violation(reason)


class Candidate:
    """A baseline under test, trained with its SMALL parameters into subfolders of `folder`, each run once.

    A variant that only scores otherwise has the runs of its baseline, also those that are in the folder already.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.about = registry.describe(name)

    @cached_property
    def cohort(self) -> Path:
        packed = self.folder / PACKED
        return packed if packed.is_dir() else cohort.write(packed)

    @cached_property
    def volume(self) -> torch.Tensor:
        """A test subject (D, H, W)."""
        store = Store.open(self.cohort)
        return torch.from_numpy(np.array(store.images("t1")[store.rows("t1", "test")[0]])).float()

    def required(self, seed: int) -> Path | None:
        """The run that this baseline builds on."""
        return Candidate(self.about.requires, self.folder).trained(seed) if self.about.requires else None

    @cached_property
    def trained_as(self) -> Settings:
        base, own = (resolve(name, "t1", {name: self.about.small}) for name in (registry.base(self.name), self.name))
        return base if base.training == own.training else own

    def place(self, seed: int, copy: str = "") -> Path:
        """Folder of the run with a seed; `copy` names a further one."""
        return self.folder / f"{self.trained_as.method}-{seed}{copy}"

    def trained(self, seed: int, copy: str = "", save: float = 60.0) -> Path:
        """The folder with a finished run; `save` is the interval of states in seconds."""
        out = self.place(seed, copy)
        if not (out / RUN).exists():
            config = LoopConfig(history=2, validation=1, save=save)
            train_run(self.trained_as, seed, self.cohort, out, CPU, self.required(seed), config)
        return out

    def history(self, seed: int = 1, copy: str = "") -> pd.DataFrame:
        return pd.read_csv(self.trained(seed, copy) / HISTORY)

    def weights(self, seed: int, copy: str = "") -> dict[str, bytes]:
        """Bytes of the saved networks by file."""
        out = self.trained(seed, copy)
        return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.safetensors")}

    @cached_property
    def loaded(self) -> Method:
        return run.load(self.trained(1), CPU, required=self.required(1), name=self.name)[0]

    def scores(self, volume: torch.Tensor) -> dict[str, torch.Tensor]:
        """Score maps of a volume by the loaded run of seed 1."""
        return score_volume(self.loaded, volume, Streams(1), self.name)

    @cached_property
    def scored(self) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Score maps of `volume`, and the copy of it that was scored."""
        volume = self.volume.clone()
        return self.scores(volume), volume


def declarations(candidate: Candidate) -> None:
    about = candidate.about
    require(about.title, "TITLE is empty")
    require(about.paper, "no PAPER; name the publication of the method")
    require(about.revision >= 1, "REVISION must be 1 or more")
    declared = registry.params_class(candidate.name) is not NoParams
    require(declared or not about.small, "SMALL has hyper-parameters, but there is no class Params that declares them")
    for modality in ("t1", "t2"):
        params = resolve(candidate.name, modality, {registry.base(candidate.name): about.small}).params
        require(
            not hasattr(params, "steps") or "steps" in about.small,
            'no SMALL; add sizes that train in a second or two, such as SMALL = {"steps": 8, "batch": 4, "patch": 32}',
        )


def short_documented_file(candidate: Candidate) -> None:
    text = registry.BASELINES.path(registry.base(candidate.name)).read_text(encoding="utf-8")
    require(text.startswith('"""'), "the file must begin with a docstring, NAME: summary")
    require(text.count("\n") <= LONGEST, f"the file has more than {LONGEST} lines; move parts to uadbench/methods")


def finite_losses(candidate: Candidate) -> None:
    history = candidate.history()
    trains = "steps" in candidate.about.small
    require(trains == bool(len(history)), 'SMALL has "steps" exactly where the method trains')
    require(history.loss.notna().equals(history.step > 0), "a training loss is missing or not finite")
    require(history.validation.notna().all(), "a validation loss is missing or not finite")


def weights_of_the_seed(candidate: Candidate) -> None:
    if candidate.weights(1):
        require(candidate.weights(2) != candidate.weights(1), "two seeds give the same weights")


def exact_resumption(candidate: Candidate) -> None:
    """A training killed half-way and resumed ends with the same bits."""
    from uadbench.training import loop

    steps = int((candidate.history().step > 0).sum()) * 2
    out = candidate.place(1, copy="-killed")

    class Killed(Exception):
        pass

    def killed(progress: loop.Progress) -> None:
        progress.done += 1
        if progress.done == steps // 2 + 1:
            raise Killed

    if steps and not (out / RUN).exists():
        with patch.object(loop.Progress, "advance", killed), suppress(Killed):
            candidate.trained(1, copy="-killed", save=0)
            raise Violation("the training has fewer steps than its history says")
        require((out / STATE).is_file(), "a killed training leaves no state.pt")
        require(not (out / RUN).exists(), "a killed training counts as finished")
    same = candidate.weights(1, copy="-killed") == candidate.weights(1)
    require(same, "a resumed training gives other weights; keep state in networks, optimisers and batch.rng alone")
    resumed, whole = (candidate.history(1, copy)[COLUMNS] for copy in ("-killed", ""))
    require(resumed.equals(whole), "a resumed training has another history")
    require(not (out / STATE).exists(), "a finished training leaves its state.pt")


def reproducible_weights(candidate: Candidate) -> None:
    """A resumed training with the same weights is a second one; where it has others, another is trained."""
    resumed = (candidate.place(1, "-killed") / RUN).exists()
    copies = ["-killed"] * resumed + ["-again"]
    same = any(candidate.weights(1, copy) == candidate.weights(1) for copy in copies)
    require(same, "two trainings with one seed give different weights; draw random numbers from batch.rng alone")


def valid_score_maps(candidate: Candidate) -> None:
    volume, (maps, _) = candidate.volume, candidate.scored
    require("final" in maps, "no score map `final`")
    for key, values in maps.items():
        require(values.shape == volume.shape, f"map {key}: shape {tuple(values.shape)}, not {tuple(volume.shape)}")
        require(torch.isfinite(values).all(), f"map {key}: values that are not finite")
        require((values >= 0).all(), f"map {key}: negative values")
        require((values[volume == 0] == 0).all(), f"map {key}: values above 0 outside the brain")
    inside = maps["final"][volume > 0]
    require(inside.max() > 0, "map final is 0 everywhere")
    require(inside.min() < inside.max(), "map final has one score in the whole brain, which ranks no voxel")
    if candidate.about.family != registry.CONTROL:
        require(not torch.equal(inside, volume[volume > 0]), "map final is the scan itself")


def reproducible_scores(candidate: Candidate) -> None:
    one, two = candidate.scored[0], candidate.scores(candidate.volume.clone())
    require(one.keys() == two.keys(), "two scorings of one run give different maps")
    for key in one:
        require(torch.equal(one[key], two[key]), f"map {key}: two scorings differ; draw random numbers from rng alone")


def volumes_of_any_shape_and_brightness(candidate: Candidate) -> None:
    require(torch.equal(candidate.scored[1], candidate.volume), "scoring changes the volume in place")
    # Dark, since a network of a few steps gives small values, and what it subtracts from a bright slice stays positive.
    # And half as wide as high, so that scaled slices are no squares.
    larger = torch.nn.functional.pad(DARK * candidate.volume, (9, 4, 33, 38, 1, 0))
    require(candidate.scores(larger)["final"].shape == larger.shape, "a larger volume gets a map of another shape")


def valid_restoration(candidate: Candidate) -> None:
    method = candidate.loaded  # which may be trained here
    with torch.no_grad():
        restored = method.restore(candidate.volume, Streams(0))
    if restored is not None:
        require(restored.shape == candidate.volume.shape, "the restoration has another shape than the volume")
        inside = bool(((restored >= 0) & (restored <= 1)).all())  # False where not finite
        require(inside, "the restoration has values outside 0 to 1")
        require(not restored[candidate.volume == 0].any(), "the restoration has values outside the brain")


CHECKS: dict[str, Callable[[Candidate], None]] = {
    check.__name__.replace("_", " "): check
    for check in (
        declarations,
        short_documented_file,
        finite_losses,
        weights_of_the_seed,
        exact_resumption,
        reproducible_weights,  # from the resumed training, where that has the same weights
        valid_score_maps,
        reproducible_scores,
        volumes_of_any_shape_and_brightness,
        valid_restoration,
    )
}


def outcomes(candidate: Candidate) -> Iterator[tuple[list[str], str]]:
    """Checks in order, each with the reason why it failed, empty where it passed.

    At the end those whose reason is that of an earlier one.
    """
    failed: dict[str, list[str]] = {}
    for title, check in CHECKS.items():
        try:
            check(candidate)
            yield [title], ""
        except Exception as error:
            reason = _reason(error, candidate.name)
            if reason not in failed:
                yield [title], reason
            failed.setdefault(reason, []).append(title)
            if title == "declarations":
                return  # without SMALL, trainings would take hours
    for first, *others in failed.values():
        if others:
            yield others, f"for the same reason as {first}"


def _reason(error: Exception, name: str) -> str:
    """An error in one line; one of the baseline's code with the line in its file, which is the remedy."""
    if isinstance(error, Diverged):
        return f"{error.what}, on sound images; mend the losses that `phases` lists, or lower learning_rate in `Params`"
    if isinstance(error, Violation | HarnessError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == str(registry.BASELINES.path(registry.base(name)))]
    frame = (own or frames)[-1]
    return f"{type(error).__name__} in {frame.filename}, line {frame.lineno}: {error}"
