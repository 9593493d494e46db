"""The one training loop: phases, updates, validation, history, and a state to resume from."""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from harness.errors import HarnessError
from harness.files import atomic
from harness.method import Method, Phase
from harness.training.histories import ROW
from harness.training.progress import Progress
from harness.training.sampler import SliceSampler
from harness.training.seeds import Streams


@dataclass(frozen=True)
class Pace:
    """How often the loop looks up from its work; none of it changes the weights."""

    history: int = 50  # steps between rows of the history
    validation: int = 4  # batches of every validation
    save: float = 60.0  # seconds between saved states
    compile: bool = True  # compile networks, on CUDA only


@dataclass
class Position:
    """Where a training stands: everything that is neither a weight nor a random state."""

    phase: int = 0
    step: int = 0
    seconds: float = 0.0
    total: float = 0.0  # of the loss since the last row of the history
    history: list[dict[str, Any]] = field(default_factory=list)


def train(
    method: Method,
    training: SliceSampler,
    validation: SliceSampler | None,
    seed: int,
    folder: Path,
    fingerprint: str,
    pace: Pace | None = None,
) -> list[dict[str, Any]]:
    """Train a method through all its phases and write `folder/history.csv`; returns its rows.

    A phase begins with a row of step 0, the validation loss before any step, unless its loss need not fall: an
    adversarial phase and one without an optimiser have no such row.
    Every `pace.save` seconds the whole state goes to `folder/state.pt`; a later call with the same `fingerprint`
    continues from it, on a CPU to the same bits as without the interruption.
    Raises HarnessError if the loss stops being a finite number.
    """
    pace = pace or Pace()
    device = training.device
    phases = prepare(method, device, pace.compile)
    streams = Streams(seed, device)
    position = Position()
    state = folder / "state.pt"
    _resume(state, fingerprint, method, phases, streams, position)
    saved = time.monotonic()
    with Progress(folder.as_posix(), sum(p.steps for p in phases), _done(phases, position)) as progress:
        for index in range(position.phase, len(phases)):
            phase, position.phase = phases[index], index
            if validation and position.step == 0 and _learning_rate(phase) is not None and not phase.adversarial:
                _row(method, phase, position, validation, pace)
            while position.step < phase.steps:
                started = time.monotonic()
                position.total = position.total + step(method, phase, training, streams)
                position.step += 1
                position.seconds += time.monotonic() - started
                if position.step % pace.history == 0 or position.step == phase.steps:
                    row = _row(method, phase, position, validation, pace)
                    progress.loss(row)
                progress.advance()
                if time.monotonic() - saved > pace.save:
                    _save(state, fingerprint, method, phases, streams, position)
                    saved = time.monotonic()
            position.step = 0
    _write_history(folder / "history.csv", position.history)
    return position.history


def prepare(method: Method, device: torch.device, compile: bool = True) -> list[Phase]:
    """Bring a method to a device for training, networks compiled on CUDA; returns its phases."""
    method.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if compile and device.type == "cuda":
        for child in method.children():
            child.compile()
    return list(method.phases())


def step(method: Method, phase: Phase, sampler: SliceSampler, streams: Streams) -> Any:
    """Make every update of a phase on one batch; returns the last update's loss, on the device."""
    method.train()
    batch = sampler.batch(phase.batch, streams, phase.patch, phase.resize)
    loss = torch.zeros(())
    for update in phase.updates:
        if update.optimizer is None:
            with torch.no_grad(), precision(sampler.device):
                loss = update.loss(batch)
            continue
        with precision(sampler.device):
            loss = update.loss(batch)
        update.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if update.clip is not None:
            parameters = [p for group in update.optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, update.clip)
        update.optimizer.step()
        if update.scheduler is not None:
            update.scheduler.step()
    # A CPU float at once, so that the sum is the same in a resumed run; on CUDA it would stall the queue.
    return loss.item() if sampler.device.type == "cpu" else loss.detach()


@contextmanager
def precision(device: torch.device) -> Iterator[None]:
    """bfloat16 autocast on CUDA, float32 elsewhere."""
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        yield


def _row(method: Method, phase: Phase, position: Position, validation: SliceSampler | None, pace: Pace) -> dict:
    """Close a row of the history: mean loss since the last (None before any step), validation loss, learning rate."""
    rows = [row for row in position.history if row["phase"] == phase.name]
    steps = position.step - (rows[-1]["step"] if rows else 0)
    loss = float(position.total) / steps if steps else None
    position.total = 0.0
    if loss is not None and not math.isfinite(loss):
        raise HarnessError(
            f"{phase.name}: the loss became {loss} before step {position.step}; "
            "lower learning_rate in params of this method, or look for broken images in the report of preprocessing"
        )
    row = {
        "phase": phase.name,
        "step": position.step,
        "loss": loss,
        "validation": _validate(method, phase, validation, pace.validation) if validation else None,
        "learning_rate": _learning_rate(phase),
        "seconds": round(position.seconds, 3),
    }
    position.history.append(row)
    return row


def _learning_rate(phase: Phase) -> float | None:
    """Of the last update that has an optimiser; None if nothing is learned in this phase."""
    optimizer = next((u.optimizer for u in phase.updates[::-1] if u.optimizer), None)
    return optimizer.param_groups[0]["lr"] if optimizer else None


def _validate(method: Method, phase: Phase, sampler: SliceSampler, batches: int) -> float:
    """Mean loss on held-out subjects, on the same batches and anomalies every time."""
    loss: Callable = phase.validation or phase.updates[-1].loss
    streams = Streams("validation", sampler.device)
    method.eval()
    with torch.random.fork_rng(devices=[]), torch.no_grad(), precision(sampler.device):
        values = [loss(sampler.batch(phase.batch, streams, phase.patch, phase.resize)) for _ in range(batches)]
    return float(torch.stack([value.float() for value in values]).mean())


def _done(phases: list[Phase], position: Position) -> int:
    return sum(phase.steps for phase in phases[: position.phase]) + position.step


def _save(
    path: Path, fingerprint: str, method: Method, phases: list[Phase], streams: Streams, position: Position
) -> None:
    position.total = float(position.total)
    state = {
        "fingerprint": fingerprint,
        "method": method.state_dict(),
        "optimizers": [[u.optimizer and u.optimizer.state_dict() for u in p.updates] for p in phases],
        "schedulers": [[u.scheduler and u.scheduler.state_dict() for u in p.updates] for p in phases],
        "streams": streams.state_dict(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if streams.device.type == "cuda" else None,
        "position": vars(position),
    }
    with atomic(path) as partial:
        torch.save(state, partial)


def _resume(
    path: Path, fingerprint: str, method: Method, phases: list[Phase], streams: Streams, position: Position
) -> None:
    """Load a saved state if there is one of this very training; one of another is set aside by being ignored."""
    if not path.is_file():
        return
    state = torch.load(path, map_location=streams.device, weights_only=True)
    if state["fingerprint"] != fingerprint:
        return
    method.load_state_dict(state["method"])
    for phase, optimizers, schedulers in zip(phases, state["optimizers"], state["schedulers"], strict=True):
        for update, optimizer, scheduler in zip(phase.updates, optimizers, schedulers, strict=True):
            if update.optimizer:
                update.optimizer.load_state_dict(optimizer)
            if update.scheduler:
                update.scheduler.load_state_dict(scheduler)
    streams.load_state_dict({name: value.cpu() for name, value in state["streams"].items()})
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] is not None:
        torch.cuda.set_rng_state_all([value.cpu() for value in state["cuda"]])
    vars(position).update(state["position"])


def _write_history(path: Path, rows: list[dict[str, Any]]) -> None:
    with atomic(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ROW, lineterminator=os.linesep)
        writer.writeheader()
        writer.writerows(rows)
