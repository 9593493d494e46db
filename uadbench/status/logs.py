"""Reading of the last lines of a job's log: progress of its training, or its final error."""

import re
from dataclasses import dataclass
from pathlib import Path

from uadbench.core.study_folder import StudyFolder

#: bytes at the end of a log that are read
TAIL = 20_000
#: progress lines of uadbench/training/progress.py
STEP = re.compile(
    r"step (?P<step>\d+) of (?P<steps>\d+)"
    r"(, loss (?P<loss>[^\s,]+))?(, validation (?P<validation>[^\s,]+))?"
    r"(, (?P<rate>[\d.e+]+) steps/s, (?P<left>\d+) s left)?$"
)


@dataclass(frozen=True)
class Failure:
    """A job whose log ends in an error."""

    job: str
    error: str
    log: str
    last_seen: float


def failure(folder: StudyFolder, log: Path) -> Failure | None:
    """The error at the end of a log: the harness's one line, or the last line of a traceback; None without one."""
    lines = tail(log)
    errors = [line for line in lines[-5:] if line.startswith("error: ")]
    if not errors and "Traceback (most recent call last):" in lines:
        # Indented lines are the traceback's frames; some messages continue with indented lines as well.
        after = lines[max(i for i, line in enumerate(lines) if line.startswith("Traceback (most recent call last):")) :]
        errors = [line for line in after[1:] if not line.startswith(" ")][:1]
    if not errors:
        return None
    job = log.relative_to(folder.logs).with_suffix("").as_posix().replace("/", " ", 1)
    return Failure(job, errors[-1].removeprefix("error: "), log.as_posix(), log.stat().st_mtime)


def tail(log: Path) -> list[str]:
    """The last non-empty lines of a log; an empty list for a missing log."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()]
