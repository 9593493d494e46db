"""Progress of a training: a bar with loss and time left on a terminal, a line every 30 s elsewhere."""

import sys
import time
from typing import Any

from tqdm import tqdm

QUIET_SECONDS = 30.0


class Progress:
    """Counts steps; used as a context manager."""

    def __init__(self, title: str, total: int, done: int = 0) -> None:
        self.title, self.total, self.done = title, total, done
        self.reported, self.counted = time.monotonic(), done  # when and at which step the last line was
        self.text, self.shown = "", False
        self.bar = tqdm(total=total, initial=done, desc=title, unit="step") if sys.stderr.isatty() else None
        if done:
            print(f"{title}: resumed at step {done} of {total}", file=sys.stderr, flush=True)

    def __enter__(self) -> "Progress":
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
        """Count one step; off a terminal prints a line at the first loss, every QUIET_SECONDS, and at the end."""
        self.done += 1
        if self.bar is not None:
            self.bar.update()
            return
        now = time.monotonic()
        first = bool(self.text) and not self.shown
        if first or now - self.reported > QUIET_SECONDS or self.done == self.total:
            # Over the steps since the last line: the first ones compile networks.
            rate = (self.done - self.counted) / max(now - self.reported, 1e-9)
            self.reported, self.counted, self.shown = now, self.done, bool(self.text)
            left = (self.total - self.done) / rate
            said = [f"step {self.done} of {self.total}", self.text, f"{rate:.3g} steps/s", f"{left:.0f} s left"]
            print(f"{self.title}: {', '.join(filter(None, said))}", file=sys.stderr, flush=True)
