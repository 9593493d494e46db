"""Methods and trainings of a few steps, and trainings that die."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from uadbench.data.packing.store import Store
from uadbench.methods import registry
from uadbench.methods.base import Context, Method
from uadbench.methods.settings import Settings, resolve
from uadbench.training import loop, run
from uadbench.training.job import train_run
from uadbench.training.sampler import SliceSampler

CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(method: str, modality: str = "t1", **changes: Any) -> Settings:
    """The settings of a method with which it trains in seconds."""
    return resolve(method, modality, {method: {**registry.describe(method).small, **changes}})


def built(method: str, required: Method | None = None, spacing: float = 4.0, **changes: Any) -> Any:
    """A small method whose random weights are the same in every test."""
    torch.manual_seed(0)
    return run.build(method, small(method, **changes).values, Context("t1", spacing, required))


def trained(
    method: str,
    cohort: Path,
    out: Path,
    seed: int = 1,
    modality: str = "t1",
    required: Path | None = None,
    save: float = 60.0,
    **changes: Any,
) -> Path:
    """The folder of a run of a small method."""
    config = loop.LoopConfig(history=2, validation=1, save=save)
    train_run(small(method, modality, **changes), seed, cohort, out, CPU, required, config)
    return out


def slices(cohort: Path) -> SliceSampler:
    """The T1-weighted slices that a packed cohort has for training."""
    store = Store.open(cohort)
    return SliceSampler(store.images("t1"), store.rows("t1", "train"))


@contextmanager
def killed_at(step: int) -> Iterator[None]:
    """A training that begins in here dies after a step."""

    class Killed(Exception):
        pass

    def advance(progress: loop.Progress) -> None:
        progress.done += 1
        if progress.done == step:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Progress, "advance", advance)
        with pytest.raises(Killed):
            yield
