"""Status of an experiment as text of at most 100 columns."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from uadbench.status.survey import Status

WIDTH = 100
BAR = 16
#: number of failures shown; the others are counted
FAILURES = 8


def render(status: Status, now: float) -> str:
    """Stages, trainings under way, failures, and outlook; `now` is in seconds since 1970."""
    blocks = [_head(status, now), _stages(status), _trainings(status, now), _failures(status, now), _outlook(status)]
    return "\n\n".join("\n".join(_cut(line) for line in block) for block in map(list, blocks) if block)


def plain(status: Status) -> dict[str, Any]:
    """The status as JSON-compatible values; times in UTC and ISO 8601 format, durations in seconds."""
    content = asdict(status)
    for entry in (content, *content["trainings"], *content["failures"]):
        for key in ("last_change", "last_seen"):
            if entry.get(key) is not None:
                entry[key] = datetime.fromtimestamp(entry[key], UTC).isoformat(timespec="seconds")
    return content


def duration(seconds: float) -> str:
    """A duration in its two largest units: 45 s, 12 min, 3 h 20 min, 2 d 4 h."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if minutes < 100:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // (24 * 60)} d {minutes // 60 % 24} h"


def _head(status: Status, now: float) -> Iterator[str]:
    plan = f"planned by {' '.join(status.configs)}" if status.configs else "no config known, see --configfile"
    change = f", last change {duration(max(0.0, now - status.last_change))} ago" if status.last_change else ""
    yield f"{status.folder}: {plan}{change}"
    if status.not_planned:
        yield f"  {status.not_planned} trainings are not in that plan: give --configfile as Snakemake got it"


def _stages(status: Status) -> Iterator[str]:
    states = Counter(training.state for training in status.trainings)
    states["not begun"] = status.not_begun or 0
    named = ("running", "stopped", "failed", "not begun")
    unfinished = ", ".join(f"{states[state]} {state}" for state in named if states[state])
    for stage in status.stages:
        note = unfinished if stage.name.startswith("trainings") else ""
        planned = f" of {stage.planned}" if stage.planned else ""
        full = BAR * stage.done // stage.planned if stage.planned else 0
        bar = "█" * full + "░" * (BAR - full) if stage.planned else " " * BAR
        yield f"  {stage.name:<22}{bar} {stage.done:>5}{planned:<9} {note}"


def _trainings(status: Status, now: float) -> Iterator[str]:
    under_way = [training for training in status.trainings if training.state in ("running", "stopped")]
    if under_way:
        yield _row("training under way", "step", "loss", "validation", "time left", "seen")
    for training in under_way:
        left = "–" if training.seconds_left is None else duration(training.seconds_left)
        yield _row(
            f"{training.method} {training.modality} seed-{training.seed}",
            "–" if training.step is None else f"{training.step} of {training.steps}",
            "–" if training.loss is None else f"{training.loss:.4g}",
            "–" if training.validation is None else f"{training.validation:.4g}",
            "stopped" if training.state == "stopped" else left,
            f"{duration(max(0.0, now - training.last_seen))} ago",
        )


def _row(*cells: str) -> str:
    name, *others = cells
    widths = (16, 10, 11, 12, 17)
    return f"  {name:<30}" + "".join(f"{cell:>{width}}" for cell, width in zip(others, widths, strict=True))


def _failures(status: Status, now: float) -> Iterator[str]:
    for failure in status.failures[:FAILURES]:
        yield f"  failed {duration(max(0.0, now - failure.last_seen))} ago: {failure.job}"
        yield f"    {failure.error}"
        yield f"    {failure.log}"
    if len(status.failures) > FAILURES:
        yield f"  and {len(status.failures) - FAILURES} jobs more have failed: see {status.folder}/logs"


def _outlook(status: Status) -> Iterator[str]:
    running = sum(training.state == "running" for training in status.trainings)
    if status.configs and all(stage.done == stage.planned for stage in status.stages[1:]):
        yield "  Everything is done."
    elif status.seconds_left is not None:
        least = "at least " if status.unknown else "about "
        yield f"  The trainings end in {least}{duration(status.seconds_left)} if {running} run at once as now."
        if status.unknown:
            yield f"  Not counted, since none has been timed yet: {', '.join(status.unknown)}."
    elif any(training.state == "stopped" for training in status.trainings) and not running:
        yield "  No training is running; the same command goes on with those that were stopped."


def _cut(line: str) -> str:
    line = line.rstrip()
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
