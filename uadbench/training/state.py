"""State of an unfinished training, and the file `state.pt` from which a later call resumes."""

import pickle
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from uadbench.compute.precision import Precision
from uadbench.core.faults import FULL
from uadbench.core.files import atomic, disk_faults_named
from uadbench.methods.base import Method, Phase
from uadbench.methods.seeds import Streams


@dataclass
class Position:
    """Progress of a training: all of its state except weights and random states."""

    phase: int = 0
    step: int = 0
    seconds: float = 0.0
    total: float = 0.0  # of the loss since the last row of the history
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Training:
    """A method in training on a device: the complete state that determines its continuation."""

    method: Method
    phases: list[Phase]
    streams: Streams
    precision: Precision
    position: Position = field(default_factory=Position)

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimisers, schedules, random states, position."""
        device = self.precision.device
        self.position.total = float(self.position.total)
        return {
            "method": self.method.state_dict(),
            "optimizers": [[u.optimizer and u.optimizer.state_dict() for u in p.updates] for p in self.phases],
            "schedulers": [[u.scheduler and u.scheduler.state_dict() for u in p.updates] for p in self.phases],
            "scaler": self.precision.state_dict(),
            "streams": self.streams.state_dict(),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
            "position": vars(self.position),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        device = self.precision.device
        self.method.load_state_dict(state["method"])
        for phase, optimizers, schedulers in zip(self.phases, state["optimizers"], state["schedulers"], strict=True):
            for update, optimizer, scheduler in zip(phase.updates, optimizers, schedulers, strict=True):
                if update.optimizer:
                    update.optimizer.load_state_dict(optimizer)
                if update.scheduler:
                    update.scheduler.load_state_dict(scheduler)
        self.precision.load_state_dict(state["scaler"])
        self.streams.load_state_dict(state["streams"])
        torch.set_rng_state(state["torch"])
        if state["cuda"] is not None and device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"], device)
        vars(self.position).update(state["position"])


def save(path: Path, training: Training, fingerprint: str) -> None:
    """Write the state of the training with a fingerprint; on a full disk warn, and keep the last state."""
    content = {"fingerprint": fingerprint, **training.state_dict()}
    try:
        with disk_faults_named(path), atomic(path, noted=False) as partial, open(partial, "wb") as file:
            torch.save(content, file)
    except OSError as error:
        if error.errno not in FULL:
            raise
        print(
            f"warning: {path}: {error.strerror}; the training goes on, but would lose what comes after the last saved "
            "state if it were stopped: make room",
            file=sys.stderr,
            flush=True,
        )


def resume(path: Path, training: Training, fingerprint: str) -> None:
    """Load the state at `path` if its fingerprint matches; others are ignored, a damaged file is renamed."""
    if not path.is_file():
        return
    damage = _damage(path)
    content: dict[str, Any] = {}
    if damage is None:
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            found = content["fingerprint"]
        except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError) as error:
            damage = str(error).splitlines()[0] if str(error) else type(error).__name__
    if damage is not None:
        path.replace(aside(path))
        print(
            f"warning: {path}: the saved state is damaged ({damage}); it is now {aside(path).name} and the training "
            "starts anew",
            file=sys.stderr,
            flush=True,
        )
    elif found == fingerprint:
        training.load_state_dict(content)


def aside(path: Path) -> Path:
    """Path to which a damaged state is renamed."""
    return path.with_name(f"damaged-{path.name}")


def _damage(path: Path) -> str | None:
    """Damage of a file of torch.save, by its parts' checksums, which torch writes but does not verify; or None."""
    try:
        with zipfile.ZipFile(path) as archive:
            part = archive.testzip()
            names = archive.namelist()
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        return str(error)
    if part is not None:
        return f"checksum of {part}"
    return None if any(name.endswith("/data.pkl") for name in names) else "no data.pkl"
