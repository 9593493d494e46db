"""Trainings of a study in numbers: steps, speed and validation losses, and the software that they ran with."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from uadbench.report.study import Study

UNRECORDED = "not recorded"


@dataclass(frozen=True)
class Training:
    """One run: its `run.json`, and numbers from its history; None where the history or the record lacks them."""

    about: dict[str, Any]
    steps: int  # of all phases
    images_per_second: float | None  # steps times batch size, by the time of the steps without validation
    validation: float | None = None  # loss of the last phase at its end
    best: float | None = None  # smallest validation loss of the last phase
    best_step: int | None = None

    @property
    def label(self) -> str:
        """The run in words, such as "DAE, T1, seed 2"."""
        return f"{self.about['title']}, {self.about['modality'].upper()}, seed {self.about['seed']}"

    @property
    def commit(self) -> str:
        """First digits of the commit, with + where the code differed from it."""
        environment = self.about["environment"]
        if not environment["commit"]:
            return UNRECORDED
        return str(environment["commit"])[:10] + "+" * bool(environment["modified"])


def trainings(study: Study) -> list[Training]:
    """All runs of the study with their numbers, in the order of `Study.runs`."""
    histories = study.histories.groupby(["method", "modality", "seed"], sort=False)
    return [_training(run, rows) for run, (_, rows) in zip(study.runs, histories, strict=True)]


def software(trained: list[Training]) -> dict[str, list[tuple[str, list[str]]]]:
    """Values of commit, versions, precision and device, each with the labels of its runs, that of most runs first."""
    found: dict[str, dict[str, list[str]]] = {}
    records = [dict(_recorded(training.about)) for training in trained]
    for name in dict.fromkeys(name for record in records for name in record):
        for training, record in zip(trained, records, strict=True):
            found.setdefault(name, {}).setdefault(record.get(name, UNRECORDED), []).append(training.label)
    return {name: sorted(values.items(), key=lambda item: (-len(item[1]), item[0])) for name, values in found.items()}


def edited(trained: list[Training]) -> list[str]:
    """Titles of methods whose file was edited between their trainings, without a new REVISION."""
    codes: dict[str, set[str]] = {}
    for run in trained:
        codes.setdefault(run.about["title"], set()).update(filter(None, [run.about.get("code")]))
    return [title for title, found in codes.items() if len(found) > 1]


def period(trained: list[Training]) -> tuple[str, str] | None:
    """Start of the first and end of the last run, in UTC; None without a record."""
    records = [run.about["environment"] for run in trained]
    if not records:
        return None
    first, last = min(record["started"] for record in records), max(record["finished"] for record in records)
    return first.removesuffix("+00:00"), last.removesuffix("+00:00")


def _recorded(about: dict[str, Any]) -> Iterator[tuple[str, str]]:
    environment = about["environment"]
    yield "uadbench", about["harness"]
    yield "commit", environment["commit"] or UNRECORDED
    modified = environment["modified"]
    yield "code differs from the commit", UNRECORDED if modified is None else "yes" if modified else "no"
    yield "Python", environment["python"]
    yield from environment["packages"].items()
    yield "precision", about["precision"]
    yield "device", about["device"]


def _training(run: dict[str, Any], rows: pd.DataFrame) -> Training:
    phases = [part for _, part in rows.groupby("phase", sort=False)]
    steps = int(sum(part["step"].max() for part in phases))
    batch, seconds = run["params"].get("batch"), rows["seconds"].max()
    speed = steps * batch / seconds if isinstance(batch, int) and seconds > 0 else None
    losses = phases[-1].dropna(subset=["validation"])
    if losses.empty:
        return Training(run, steps, speed)
    last, best = losses.iloc[-1], losses.iloc[losses["validation"].argmin()]
    return Training(run, steps, speed, float(last["validation"]), float(best["validation"]), int(best["step"]))
