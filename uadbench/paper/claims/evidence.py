"""What a claim is measured on: the numbers that the paper prints, or the results of a study, by the same questions."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from uadbench.core.archive import SYNTHESIS
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json
from uadbench.core.study_folder import COMPARISONS, HISTORIES, PROFILES, RESTORATIONS, SPEED, SUBSETS, StudyFolder
from uadbench.core.study_folder import SYNTHESIS as SYNTHESIS_FILE
from uadbench.evaluation.summary import profiles, restorations, subsets
from uadbench.evaluation.summary.comparisons import OTHER
from uadbench.evaluation.summary.runs import SCORE
from uadbench.methods.registry import CONTROL
from uadbench.paper import quoting
from uadbench.paper.claims.difference import Difference, of_row
from uadbench.paper.histories import Curve, Histories
from uadbench.paper.inputs import ALPHA, read_comparisons
from uadbench.paper.published import Published, made_by
from uadbench.paper.results import Results, located, read_rows
from uadbench.paper.summary import Summary

TASKS = tuple(quoting.TESTS)
SUBJECT = "disyre"
PAPER, SIMULATED, REAL, SAME = "paper", "simulated scans", "real scans", "the paper's test sets"


class Evidence(ABC):
    """Numbers by method, task, score map and metric; tasks have the paper's names."""

    name: str
    kind: str

    @property
    @abstractmethod
    def tasks(self) -> list[str]:
        """The paper's tasks that there are numbers for, in its order."""

    @property
    @abstractmethod
    def rivals(self) -> list[str]:
        """Methods other than DISYRE and controls."""

    @abstractmethod
    def title(self, method: str) -> str:
        """Name of a method in tables."""

    @abstractmethod
    def value(self, method: str, task: str, score: str = SCORE, metric: str = "ap") -> Summary | None:
        """A number: mean, deviation over seeds, and its 95 % interval over patients and seeds."""

    @abstractmethod
    def by_seed(self, method: str, task: str, score: str) -> dict[int, float]:
        """AP by seed, of the seeds that have a number."""

    @abstractmethod
    def difference(self, task: str, other: str, score: str = SCORE, metric: str = "ap") -> Difference | None:
        """DISYRE's final map minus the final one of another method, or minus another map of its own."""

    @abstractmethod
    def scores(self, task: str, kind: str) -> list[str]:
        """DISYRE's score maps of a kind, "single/t" or "multi/step", by their number.

        Those with AP of every seed that the final map has one of.
        """

    def closest(self, method: str) -> Evidence:
        """The same under the protocol closest to that of the paper's row of a method, on its test sets."""
        return self


class Printed(Evidence):
    """The numbers of Tables 1 and 2, which have no intervals."""

    name, kind = "paper", PAPER

    def __init__(self, published: Published) -> None:
        self.published = replace(published, tasks=None)

    @property
    def tasks(self) -> list[str]:
        return list(TASKS)

    @property
    def rivals(self) -> list[str]:
        return [name for name, _, _ in self.published.methods("table2") if name != SUBJECT]

    def title(self, method: str) -> str:
        return {name: title for name, title, _ in self.published.methods("table2")}.get(method, method)

    def value(self, method: str, task: str, score: str = SCORE, metric: str = "ap") -> Summary | None:
        return self.published.get("table2" if score == SCORE else "table1", method, task, score, metric)

    def by_seed(self, method: str, task: str, score: str) -> dict[int, float]:
        found = self.value(method, task, score)
        return {} if found is None else {0: found.mean}

    def difference(self, task: str, other: str, score: str = SCORE, metric: str = "ap") -> Difference | None:
        one, two = self.value(SUBJECT, task, SCORE, metric), self.value(other, task, score, metric)
        if one is None or two is None:
            return None
        return Difference(one.mean - two.mean, ratio=(one.mean / two.mean, None, None))

    def scores(self, task: str, kind: str) -> list[str]:
        return [score for score in self.published.scores("table1", SUBJECT) if score.startswith(f"{kind}=")]


class Measured(Evidence):
    """The results of a study, a file results.csv with others beside it. Raises HarnessError as `Results.read`."""

    def __init__(self, place: Path, protocol: str = "full") -> None:
        self.results_csv = located(place)
        found = Results.read(self.results_csv)
        if protocol not in found:
            raise HarnessError(f"{self.results_csv}: no row has the protocol {protocol!r}; there is {', '.join(found)}")
        self.results = found[protocol]
        self.protocols = list(found)
        self.name = ", ".join(self.results.experiments)
        same, _ = quoting.tasks(self.results)
        own = {theirs: ours for ours, theirs in same.items()} or {task: task for task in self.results.tasks}
        self._tasks = {task: own[task] for task in TASKS if task in own}
        self.kind = SIMULATED if self.results.simulated else SAME if same else REAL

    @property
    def tasks(self) -> list[str]:
        return list(self._tasks)

    @property
    def rivals(self) -> list[str]:
        return [name for name, _, family in self.results.methods if family != CONTROL and name != SUBJECT]

    def title(self, method: str) -> str:
        return self.results.title(method)

    def value(self, method: str, task: str, score: str = SCORE, metric: str = "ap") -> Summary | None:
        found = self.results.get(method, self._tasks.get(task, ""), score, metric)
        return found and with_seeds(found)

    def by_seed(self, method: str, task: str, score: str) -> dict[int, float]:
        return self._by_seed.get((method, self._tasks.get(task, ""), score), {})

    def difference(self, task: str, other: str, score: str = SCORE, metric: str = "ap") -> Difference | None:
        rows = self._comparisons
        rows = rows[(rows["task"] == self._tasks.get(task, "")) & (rows["metric"] == metric)]
        own, of_maps = rows["method"] == SUBJECT, rows["method"] == rows["other"]
        if other == SUBJECT:
            found, turned = rows[own & of_maps & (rows["score"] == score) & (rows[OTHER] == SCORE)], True
        else:
            rows = rows[~of_maps & (rows["score"] == score)]
            found, turned = rows[(rows["method"] == SUBJECT) & (rows["other"] == other)], False
            if found.empty:
                found, turned = rows[(rows["method"] == other) & (rows["other"] == SUBJECT)], True
        if found.empty or not np.isfinite(found["difference"].iloc[0]):
            return None
        return of_row(found.iloc[0], turned)

    def scores(self, task: str, kind: str) -> list[str]:
        seeds = self.by_seed(SUBJECT, task, SCORE).keys()
        listed = [score for score in self.results.scores(SUBJECT) if score.startswith(f"{kind}=")]
        known = {score: self.by_seed(SUBJECT, task, score).keys() for score in listed}
        complete = [score for score, own in known.items() if own and own >= seeds]
        return sorted(complete, key=number_of)

    @property
    def unmeasured(self) -> list[str]:
        """Methods with the tasks and score maps whose AP is empty in results.csv for a seed, in words."""
        rows, theirs = self.results.rows, {ours: task for task, ours in self._tasks.items()}
        rows = rows[(rows["metric"] == "ap") & rows["value"].isna() & rows["task"].isin([*theirs])]
        return [
            f"{self.title(str(method))} on {theirs[str(task)]} ({', '.join(own['score'].unique())})"
            for (method, task), own in rows.groupby(["method", "task"], sort=False)
        ]

    def closest(self, method: str) -> Evidence:
        wanted = made_by(method)
        if self.kind != SAME or wanted not in self.protocols or wanted == self.results.protocol:
            return self
        if wanted not in self._others:
            self._others[wanted] = Measured(self.results_csv, wanted)
        return self._others[wanted]

    def file(self, name: str) -> Path | None:
        """A further file of the study; None without it."""
        path = self.results_csv.with_name(name)
        return path if path.is_file() else None

    @cached_property
    def _by_seed(self) -> dict[Any, dict[int, float]]:
        """AP by seed of each method, task and score map."""
        rows = self.results.rows
        rows = rows[(rows["metric"] == "ap") & np.isfinite(rows["value"])].sort_values("seed", kind="stable")
        parts = rows.groupby(["method", "task", "score"])
        return {key: dict(zip(map(int, own["seed"]), own["value"], strict=True)) for key, own in parts}

    @cached_property
    def _others(self) -> dict[str, Measured]:
        return {}

    @cached_property
    def _comparisons(self) -> pd.DataFrame:
        rows = read_comparisons(self.results_csv.with_name(COMPARISONS), maps=True)
        return rows[rows["protocol"] == self.results.protocol]

    @cached_property
    def synthesis(self) -> dict[str, np.ndarray] | None:
        """The arrays of Figure 1; None without the file."""
        path = self.file(SYNTHESIS_FILE)
        return None if path is None else SYNTHESIS.load(path, "x0", "xt", "t", "alpha")

    @cached_property
    def subsets(self) -> pd.DataFrame:
        """Rows of subsets.csv on the paper's tasks, with its names; none without the file."""
        numbers = ("share", "patients", "drawn", "value", "bias", "error", "low", "high")
        return self._rows(SUBSETS, subsets.COLUMNS, numbers)

    @cached_property
    def profiles(self) -> pd.DataFrame:
        """The same of profiles.csv, of DISYRE."""
        rows = self._rows(PROFILES, profiles.COLUMNS, profiles.NUMBERS)
        return rows[rows["method"] == SUBJECT]

    @cached_property
    def restorations(self) -> pd.DataFrame:
        """The same of restorations.csv, which no protocol divides."""
        rows = self._rows(RESTORATIONS, restorations.COLUMNS, restorations.NUMBERS)
        return rows[(rows["method"] == SUBJECT) & rows["task"].notna()]

    @cached_property
    def curves(self) -> list[Curve]:
        """DISYRE's trainings, from histories.csv beside results.csv or in the folder of the study."""
        beside, study = self.file(HISTORIES), StudyFolder(self.results_csv.parents[1]).histories
        path = beside or (study if study.is_file() else None)
        return [] if path is None else [one for one in Histories.read(path).curves if one.method == SUBJECT]

    def _rows(self, name: str, columns: list[str], numbers: Sequence[str]) -> pd.DataFrame:
        """Rows of a file of `summarize` on the paper's tasks, under the study's protocol where it has several."""
        path = self.file(name)
        if path is None:
            return pd.DataFrame(columns=columns)
        rows = read_rows(path, columns, numbers, "run `uadbench summarize` again")
        rows = rows[rows["protocol"] == self.results.protocol] if "protocol" in columns else rows
        theirs = {ours: task for task, ours in self._tasks.items()}
        return rows.assign(task=rows["task"].map(theirs))

    @cached_property
    def speed(self) -> dict[str, Any]:
        """Seconds of a volume by step size, as `uadbench bench --step-sizes` prints them; empty without the file."""
        path = self.file(SPEED)
        try:
            found = {} if path is None else read_json(path)
            return {"device": found["device"], "step_sizes": found["step_sizes"]} if found else {}
        except (json.JSONDecodeError, KeyError) as error:
            raise HarnessError(f"{path}: no output of `uadbench bench --step-sizes` ({error}); run it again") from None


def number_of(score: str) -> int:
    """The number behind the name of a score map."""
    return int(score.partition("=")[2])


def with_seeds(found: Summary) -> Summary:
    """A number whose interval over patients is widened by that of its mean over seeds, as if both were independent."""
    if found.low is None or found.high is None or found.std is None:
        return found
    seeds = interval(found.std, len(found.seeds))
    low, high = (np.hypot(found.mean - found.low, seeds), np.hypot(found.high - found.mean, seeds))
    return replace(found, low=max(0.0, found.mean - float(low)), high=min(1.0, found.mean + float(high)))


def interval(std: float, count: int, level: float = 1 - ALPHA) -> float:
    """Half the width of the interval of the mean of `count` values."""
    from scipy.stats import t as student  # slow to import

    return float(student.ppf((1 + level) / 2, count - 1) * std / np.sqrt(count))
