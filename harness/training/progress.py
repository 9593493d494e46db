"""Progress of a training: a bar with loss and time left on a terminal, a quiet line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

from tqdm import tqdm

QUIET_SECONDS = 30.0


class Progress:
    """Counts steps; used as a context manager."""

    def __init__(self, title: str, total: int, done: int = 0) -> None:
        self.title, self.total, self.done = title, total, done
        self.first, self.started = done, time.monotonic()
        self.reported = self.started
        self.text = ""
        self.bar = tqdm(total=total, initial=done, desc=title, unit="step") if sys.stderr.isatty() else None
        if done:
            print(f"{title}: resumed at step {done} of {total}", file=sys.stderr)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def loss(self, row: dict[str, Any]) -> None:
        """Show a row of the history from now on."""
        self.text = f"loss {row['loss']:.4g}"
        if row["validation"] is not None:
            self.text += f", validation {row['validation']:.4g}"
        if self.bar is not None:
            self.bar.set_postfix_str(self.text)

    def advance(self) -> None:
        """Count one step."""
        self.done += 1
        if self.bar is not None:
            self.bar.update()
        elif time.monotonic() - self.reported > QUIET_SECONDS or self.done == self.total:
            self.reported = time.monotonic()
            rate = (self.done - self.first) / (self.reported - self.started)
            left = (self.total - self.done) / rate
            line = f"{self.title}: step {self.done} of {self.total}, {self.text}, {rate:.1f} steps/s, {left:.0f} s left"
            print(line, file=sys.stderr, flush=True)
