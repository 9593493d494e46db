"""Training loop of every method: phases, updates, validation, history, and a state to resume from."""

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from uadbench.compute import networks
from uadbench.compute.precision import Precision
from uadbench.core.errors import HarnessError
from uadbench.core.study_folder import HISTORY, STATE
from uadbench.methods.base import Batch, Method, Phase
from uadbench.methods.seeds import Streams
from uadbench.training import memory as memories
from uadbench.training import state as states
from uadbench.training.histories import HistoryFile
from uadbench.training.progress import Progress
from uadbench.training.sampler import SliceSampler
from uadbench.training.state import Training


class Diverged(HarnessError):
    """A loss that is not finite; `what` says which, without the remedy."""

    def __init__(self, what: str) -> None:
        remedy = (
            "lower learning_rate in params of this method, or look for broken images in the report of preprocessing"
        )
        super().__init__(f"{what}; {remedy}")
        self.what = what


@dataclass(frozen=True)
class LoopConfig:
    """Settings of the loop, which do not affect the weights."""

    history: int = 50  # steps between rows of the history
    validation: int = 4  # batches of every validation
    save: float = 60.0  # seconds between saved states
    write: float = 10.0  # seconds between versions of history.csv while it grows
    compile: bool = True  # compile networks, on CUDA only


def train(
    method: Method,
    training: SliceSampler,
    validation: SliceSampler | None,
    seed: int,
    folder: Path,
    fingerprint: str,
    config: LoopConfig | None = None,
) -> list[dict[str, Any]]:
    """Train a method through all its phases and write `folder/history.csv` as it goes on; returns its rows.

    A phase begins with a row of step 0, the validation loss before any step, unless its loss need not fall: adversarial
    phases and those without an optimiser have no such row.
    Every `config.save` seconds the whole state goes to `folder/state.pt`; a later call with the same `fingerprint`
    resumes from it, on a CPU bit-identical to an uninterrupted training.
    Raises Diverged if the loss is no longer finite.
    """
    config = config or LoopConfig()
    device = training.device
    memory = memories.of(device)
    phases = prepare(method, device, config.compile)
    run = Training(method, phases, Streams(seed, device), Precision(device, method.float16))
    states.resume(folder / STATE, run, fingerprint)
    position = run.position
    saved = started = time.monotonic()
    done = sum(phase.steps for phase in phases[: position.phase]) + position.step

    def waited() -> None:
        """Add the time since `started`, once the device has made the steps: reading their loss waits for it."""
        position.total = float(position.total)
        position.seconds += time.monotonic() - started

    def record(phase: Phase) -> dict[str, Any]:
        row = _row(run, phase, validation, config)
        file.update()
        return row

    with (
        HistoryFile(folder / HISTORY, position.history, config.write) as file,
        Progress(folder.as_posix(), sum(p.steps for p in phases), done) as progress,
    ):
        for index in range(position.phase, len(phases)):
            phase, position.phase = phases[index], index
            memories.stream((training, validation), memory)
            if validation and position.step == 0 and _learning_rate(phase) is not None and not phase.adversarial:
                record(phase)
            measured = min(position.step + memories.MEASURED, phase.steps)
            started = time.monotonic()
            while position.step < phase.steps:
                position.total = position.total + step(method, phase, training, run.streams, run.precision)
                position.step += 1
                if position.step == measured:
                    memories.place((training, validation), memory)
                if position.step % config.history == 0 or position.step == phase.steps:
                    waited()
                    progress.loss(record(phase))
                    started = time.monotonic()
                progress.advance()
                if time.monotonic() - saved > config.save:
                    waited()
                    states.save(folder / STATE, run, fingerprint)
                    saved = started = time.monotonic()
            position.step = 0
    return position.history


def prepare(method: Method, device: torch.device, compile: bool = True) -> list[Phase]:
    """Move a method to a device for training, with networks compiled on CUDA; returns its phases."""
    networks.arrange(method, device)
    if compile and device.type == "cuda":  # only there it pays off
        networks.compile_calls(method.children())
    return list(method.phases())


def step(method: Method, phase: Phase, sampler: SliceSampler, streams: Streams, precise: Precision) -> Any:
    """Make every update of a phase, on one batch except for fresh ones; returns the last update's loss, on the device.

    With `accumulate` in the method's hyper-parameters each update adds up the gradients of the batch's parts before it
    clips and steps once. Updates without an optimiser get the whole batch, since they store no activations.
    """
    method.train()
    batch, divided = draw(method, phase, sampler, streams)
    loss: Any = torch.zeros(())
    for update in phase.updates:
        if update.fresh:
            batch, divided = draw(method, phase, sampler, streams)
        if update.optimizer is None:
            with torch.no_grad(), precise.autocast():
                loss = update.loss(batch)
            continue
        update.optimizer.zero_grad(set_to_none=True)
        losses = []
        for part in divided:
            with precise.autocast():
                loss = update.loss(part)
            if len(divided) > 1:
                loss = loss * (len(part.images) / phase.batch)
            precise.backward(loss)
            losses.append(loss.detach())
        loss = sum(losses[1:], losses[0])
        if precise.step(update.optimizer, update.clip) and update.scheduler is not None:
            update.scheduler.step()
    # A float on a CPU, so that the sum is the same in a resumed run; on CUDA this would stall the queue.
    return loss.item() if sampler.device.type == "cpu" else loss.detach()


def draw(method: Method, phase: Phase, sampler: SliceSampler, streams: Streams) -> tuple[Batch, list[Batch]]:
    """A batch of a phase, and the same in the parts that `accumulate` in the method's hyper-parameters asks for."""
    batch = sampler.batch(phase.batch, streams, phase.patch, method.slices == "scaled")
    return batch, parts(batch, getattr(method.params, "accumulate", 1))


def parts(batch: Batch, count: int) -> list[Batch]:
    """A batch in `count` parts of nearly equal length: the same slices and foreign slices, in order.

    A method makes all other draws part by part from the same streams.
    """
    if count == 1:
        return [batch]

    def part(i: int) -> Batch:
        images, subjects = batch.images.tensor_split(count), batch.subjects.tensor_split(count)
        return replace(
            batch, images=images[i], subjects=subjects[i], draw_foreign=lambda: batch.foreign.tensor_split(count)[i]
        )

    return [part(i) for i in range(count)]


def _row(run: Training, phase: Phase, validation: SliceSampler | None, config: LoopConfig) -> dict[str, Any]:
    """Append a row to the history: mean loss since the last (None before any step), validation loss, learning rate."""
    position = run.position
    rows = [row for row in position.history if row["phase"] == phase.name]
    steps = position.step - (rows[-1]["step"] if rows else 0)
    loss = float(position.total) / steps if steps else None
    position.total = 0.0
    if loss is not None and not math.isfinite(loss):
        raise Diverged(f"{phase.name}: the loss became {loss} before step {position.step}")
    row = {
        "phase": phase.name,
        "step": position.step,
        "loss": loss,
        "validation": _validate(run, phase, validation, config.validation) if validation else None,
        "learning_rate": _learning_rate(phase),
        "seconds": round(position.seconds, 3),
    }
    position.history.append(row)
    return row


def _learning_rate(phase: Phase) -> float | None:
    """Learning rate of the last update with an optimiser; None for a phase without one."""
    optimizer = next((u.optimizer for u in phase.updates[::-1] if u.optimizer), None)
    return optimizer.param_groups[0]["lr"] if optimizer else None


def _validate(run: Training, phase: Phase, sampler: SliceSampler, batches: int) -> float:
    """Mean loss on held-out subjects, on the same batches and anomalies every time."""
    method, loss = run.method, phase.validation or phase.updates[-1].loss
    streams = Streams("validation", sampler.device)
    method.eval()

    def one() -> Tensor:
        _, divided = draw(method, phase, sampler, streams)
        return torch.stack([loss(part) * (len(part.images) / phase.batch) for part in divided]).sum()

    with torch.random.fork_rng(devices=[]), torch.no_grad(), run.precision.autocast():
        values = [one() for _ in range(batches)]
    return float(torch.stack([value.float() for value in values]).mean())
