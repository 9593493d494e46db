"""TensorBoard event files of a training: the rows of its history as scalars, and its hyper-parameters."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uadbench import tracking
from uadbench.methods.base import Phase

PATTERN = "events.out.tfevents.*"
SCALARS = ("loss", "validation", "learning_rate")  # columns of history.csv


class EventFiles:
    """Event files in `folder`, replaced at every start: a resumed training writes the rows of its saved state again.

    The file therefore has each point of `history.csv` once, whenever the training was killed, and whether or not
    tracking was on before. Scalars are PHASE/loss, PHASE/validation, PHASE/learning_rate and PHASE/images_per_second;
    their step counts over all phases. Where files cannot be written, a warning ends the tracking, not the training.
    facts: of the run, with its `params`, as in run.json.
    Raises HarnessError where tensorboard is not installed.
    """

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        tracking.check("tensorboard")
        self.folder, self.facts = folder, facts
        self.writer: Any = None

    def start(self, phases: Sequence[Phase], rows: list[dict[str, Any]], seconds: float) -> None:
        """Begin with the rows of a saved state, none for a new training; seconds: of training before this start."""
        self.offsets, self.batches, total = {}, {}, 0
        for phase in phases:
            self.offsets[phase.name], self.batches[phase.name] = total, phase.batch
            total += phase.steps
        self.last: dict[str, Any] = {"phase": None, "step": 0, "seconds": 0.0}
        now = time.time()
        try:
            self._open()
            for row in rows:
                self._add(row, now - seconds + row["seconds"])
            self.writer.flush()
        except OSError as error:
            self._give_up(error)

    def add(self, row: dict[str, Any]) -> None:
        """Add a row of the history; readers see it at once."""
        if self.writer is None:
            return
        try:
            self._add(row, time.time())
            self.writer.flush()
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """End the file."""
        if self.writer is None:
            return
        try:
            self.writer.close()
        except OSError as error:
            self._give_up(error)

    def _open(self) -> None:
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob(PATTERN):
            path.unlink()
        # A TensorBoard that is open drops the points of the removed files.
        self.writer = SummaryWriter(str(self.folder), purge_step=0)
        facts = {key: self.facts[key] for key in ("method", "title", "modality", "seed", "revision", "params")}
        self.writer.add_text("run", f"```json\n{json.dumps(facts, indent=2, ensure_ascii=False)}\n```", 0)
        last = list(self.offsets)[-1:]
        for summary in hparams(_hparams(self.facts), {f"{name}/validation": 0.0 for name in last}):
            self.writer.file_writer.add_summary(summary)

    def _add(self, row: dict[str, Any], when: float) -> None:
        phase, step = row["phase"], row["step"]
        values = {name: row[name] for name in SCALARS if row[name] is not None}
        new = step - (self.last["step"] if self.last["phase"] == phase else 0)
        taken = row["seconds"] - self.last["seconds"]
        if new and taken > 0:
            values["images_per_second"] = new * self.batches[phase] / taken
        for name, value in values.items():
            self.writer.add_scalar(f"{phase}/{name}", value, self.offsets[phase] + step, walltime=when)
        self.last = row

    def _give_up(self, error: OSError) -> None:
        self.writer = None
        reason = error.strerror or str(error)
        print(
            f"warning: {self.folder}: {reason}; the training goes on without TensorBoard's event files",
            file=sys.stderr,
            flush=True,
        )


def _hparams(facts: dict[str, Any]) -> dict[str, Any]:
    """Method, modality, seed and hyper-parameters as values that TensorBoard compares: lists as JSON."""
    chosen = {key: facts[key] for key in ("method", "modality", "seed")} | facts["params"]
    return {
        key: value if isinstance(value, (bool, int, float, str)) else json.dumps(value) for key, value in chosen.items()
    }
