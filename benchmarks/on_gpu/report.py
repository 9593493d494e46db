"""Steps that run one after the other, each in its time, and their results on disk."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Result = dict[str, Any]
Step = tuple[str, Callable[[], Result], float]
LEAST = 3.0  # seconds that must be left for a step to begin


class OutOfTime(BaseException):
    """The time of a step is over. No Exception, so that no handler within the step takes it for an error of its own."""


class Report:
    """Results in `out/gpu.jsonl`, one line for each step as it ends."""

    def __init__(self, out: Path, seconds: float) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.path, self.end = out / "gpu.jsonl", time.monotonic() + seconds
        self.path.unlink(missing_ok=True)
        self.wrong: list[str] = []

    @property
    def left(self) -> float:
        """Seconds until all steps must have ended."""
        return self.end - time.monotonic()

    def run(self, name: str, work: Callable[[], Result], seconds: float) -> None:
        """Run a step, for at most `seconds` and the time that is left, and write its result, whatever it is."""
        if self.left < LEAST:
            self.write({"step": name, "status": "not reached"})
            return
        started = time.monotonic()
        try:
            with limited(min(seconds, self.left - LEAST / 2)):
                result = {"status": "done", **work()}
        except OutOfTime:
            result = {"status": "out of time"}
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            reason = (str(error).splitlines() or [""])[0][:300]
            place = f"{Path(where.filename).name}:{where.lineno}"
            result = {"status": "failed", "error": f"{type(error).__name__}: {reason}", "place": place}
        self.write({"step": name, **result, "seconds": round(time.monotonic() - started, 2)})

    def write(self, result: Result) -> None:
        unmet = [what for what, holds in result.get("must", {}).items() if not holds]
        if result["status"] in ("failed", "out of time") or unmet:
            self.wrong.append(f"{result['step']}: {', '.join(unmet) or result.get('error', result['status'])}")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(rounded(result)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        print(f"{result['step']}: {result['status']}", *(f"DOES NOT HOLD: {what}" for what in unmet), flush=True)

    def finish(self) -> int:
        """Print what went wrong; returns the exit status."""
        print("\n".join(self.wrong) or "all steps that were reached hold", flush=True)
        return 1 if self.wrong else 0


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise OutOfTime in here after some seconds, where the system has such alarms."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(*_: Any) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.01))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def rounded(value: Any) -> Any:
    """The same with numbers to four digits, and those that JSON has no sign for as text."""
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if abs(value) < float("inf") else str(value)
    return value
