"""Tidy table of results: reading, validation and summary over seeds; readers of the other CSV files use `read_rows`."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from uadbench.core import csv_files
from uadbench.core.errors import HarnessError
from uadbench.core.files import atomic
from uadbench.core.patients import counted
from uadbench.core.study_folder import RESULTS, StudyFolder
from uadbench.evaluation.voxels.columns import COLUMNS, COUNTS, LATER, MISSING, NUMBERS, SIMULATED, UNTRAINED
from uadbench.paper.simulated import statement
from uadbench.paper.summary import SUMMARISED, Summary, summarise

REMEDY = "write it with `uadbench summarize`"
KEY = ["method", "seed", "task", "score", "metric"]


@dataclass(frozen=True)
class Results:
    """Rows of results.csv of one protocol; all orders (tasks, methods) are those of first appearance."""

    rows: pd.DataFrame
    path: str
    protocol: str = "full"

    @classmethod
    def read(cls, path: str | Path) -> dict[str, Results]:
        """Read results.csv, by protocol in the order of first appearance.

        Raises HarnessError if the file is absent, empty, lacks a column or holds a value twice.
        """
        if (file := _found(Path(path))) not in (None, Path(path)):
            raise HarnessError(f"{path}: is a folder; name {file} in it")
        rows = read_rows(path, COLUMNS, [*NUMBERS, "patients", "n_eff"], REMEDY, SIMULATED, LATER)
        rows["patients"] = rows["patients"].fillna(rows["subjects"])  # each scan has a patient of its own
        if rows.empty:
            raise HarnessError(f"{path}: holds no result; {REMEDY}")
        twice = rows[rows.duplicated([*KEY, "protocol"])]
        if not twice.empty:
            which = ", ".join(f"{key}={twice.iloc[0][key]}" for key in KEY)
            raise HarnessError(f"{path}: {which} occurs twice; keep one experiment in the file")
        parts = rows.groupby("protocol", sort=False)
        return {str(protocol): cls(part.reset_index(drop=True), str(path), str(protocol)) for protocol, part in parts}

    @cached_property
    def simulated(self) -> str:
        """Statement which scans are simulated, of training and of the test; empty where all are real."""
        facts = zip(("title", "task"), SIMULATED, strict=True)
        return statement(*(zip(self.rows[name], self.rows[fact], strict=True) for name, fact in facts))

    @property
    def missing(self) -> str:
        """Statement which methods of an experiment have no results; empty where all have."""
        named = self._named(MISSING)
        return named and f"Not complete: no results of {named}, whose jobs failed or have not ended."

    @property
    def untrained(self) -> str:
        """Statement which training subjects preprocessing lost; empty without any."""
        named = self._named(UNTRAINED)
        return named and f"Lost in preprocessing, and not trained on: {named}."

    def _named(self, column: str) -> str:
        """The names in a column that most files lack, each entry once."""
        return ", ".join(dict.fromkeys(filter(None, self.rows.get(column, []))))

    def simulated_at(self, task: str, method: str) -> tuple[bool, bool]:
        """Whether the scans that trained a method, and those of a task that it was tested on, are simulated."""
        return self._simulated.get((task, method), (False, False))

    @cached_property
    def _simulated(self) -> dict[tuple[str, str], tuple[bool, bool]]:
        flags = self.rows.groupby(["task", "method"], sort=False)[list(SIMULATED)].any()
        return {key: (bool(trained), bool(tested)) for key, trained, tested in flags.itertuples(name=None)}

    @cached_property
    def spaces(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Voxel size (mm) and space of each method on each task, empty where not stated."""
        rows = self.rows.drop_duplicates(["method", "task"])
        columns = (rows[name] for name in ("method", "task", "voxel_mm", "space"))
        return {(method, task): (voxel, space) for method, task, voxel, space in zip(*columns, strict=True)}

    @cached_property
    def tasks(self) -> list[str]:
        return list(dict.fromkeys(self.rows["task"]))

    @cached_property
    def methods(self) -> list[tuple[str, str, str]]:
        """(method, title, family) of each method; the title defaults to the name."""
        first = self.rows.drop_duplicates("method")
        return [(m, t or m, f) for m, t, f in zip(first["method"], first["title"], first["family"], strict=True)]

    @cached_property
    def experiments(self) -> dict[str, list[str]]:
        """Titles of the methods of each experiment."""
        titles = self.rows.groupby("experiment", sort=False)["title"]
        return {str(experiment): list(part.unique()) for experiment, part in titles}

    def experiment(self, method: str) -> str:
        """Names of the experiments that a method's numbers are from."""
        return self._experiments.get(method, "")

    @cached_property
    def _experiments(self) -> dict[str, str]:
        names = self.rows.groupby("method", sort=False)["experiment"]
        return {str(method): ", ".join(part.unique()) for method, part in names}

    def title(self, method: str) -> str:
        return {name: title for name, title, _ in self.methods}.get(method, method)

    def scores(self, method: str) -> list[str]:
        return list(dict.fromkeys(self.rows.loc[self.rows["method"] == method, "score"]))

    def values(self, method: str, task: str, score: str, metric: str) -> pd.DataFrame:
        """The rows of one number, in the order of the seeds."""
        return self._in_order.iloc[self._positions.get((method, task, score, metric), [])]

    @cached_property
    def _in_order(self) -> pd.DataFrame:
        return self.rows.sort_values("seed", kind="stable")

    @cached_property
    def _positions(self) -> dict[Any, Any]:
        """Those of the rows of each number, in `_in_order`."""
        return self._in_order.groupby(["method", "task", "score", "metric"]).indices

    @cached_property
    def _numbers(self) -> pd.DataFrame:
        """What a summary is made of alone, since pandas takes rows column by column."""
        return self._in_order[list(SUMMARISED)].copy()

    def get(self, method: str, task: str, score: str, metric: str) -> Summary | None:
        """One number over seeds, or None if results.csv does not hold it."""
        positions = self._positions.get((method, task, score, metric))
        return None if positions is None else summarise(self._numbers.iloc[positions])

    def chance(self, task: str) -> float | None:
        """Chance level of AP: the fraction of anomalous voxels among those evaluated."""
        rows = self.rows[["task", "voxels", "positives", "subjects"]]
        rows = rows[(rows["task"] == task) & (rows["voxels"] > 0)].dropna(subset=["positives"])
        if rows.empty:
            return None
        # Methods may differ in the subjects they could score; the set with most subjects represents the task.
        row = rows.sort_values("subjects", kind="stable").iloc[-1]
        return float(row["positives"] / row["voxels"])

    def lesions(self, task: str) -> int | None:
        """Number of lesions of a task; the maximum over methods if they differ."""
        found = self.rows.loc[(self.rows["task"] == task) & (self.rows["metric"] == "lesions"), "value"]
        return None if found.empty else int(found.max())

    def subjects(self, task: str, method: str | None = None) -> tuple[str, str]:
        """Numbers of subjects (used, left out) of a task, or of one method on it; a range if rows differ."""
        used, left_out, *_ = self._counted(task, method)
        return used, left_out

    def population(self, task: str) -> str:
        """Subjects of a task in words: "24 scans of 6 patients (2: anna, bert)", in brackets those left out."""
        used, left_out, patients, lost = self._counted(task)
        return f"{counted(used, patients)} ({': '.join(filter(None, (left_out, lost)))})"

    def _counted(self, task: str, method: str | None = None) -> tuple[str, str, str, str]:
        """Subjects, left out, patients, and names of those left out."""
        rows = self._counts
        entries = [entry[2:] for entry in rows if entry[0] == task and method in (None, entry[1])]
        used, left_out, patients, lost = zip(*entries, strict=True) if entries else ((), (), (), ())
        return _range(used), _range(left_out), _range(patients), "; ".join(dict.fromkeys(filter(None, lost)))

    @cached_property
    def _counts(self) -> list[tuple[Any, ...]]:
        """(task, method, subjects used, left out, patients, names), each combination of the rows once."""
        columns = (self.rows[column] for column in ("task", "method", "subjects", "left_out", "patients", "lost"))
        return list(dict.fromkeys(zip(*columns, strict=True)))


def located(place: Path) -> Path:
    """The results.csv of a study's folder, of its folder `evaluation`, or itself. Raises HarnessError for another."""
    if found := _found(place):
        return found
    raise HarnessError(
        f"{place}: no results.csv; name the folder of a finished study, its evaluation/ or its results.csv"
    )


def located_once(places: Sequence[Path]) -> dict[Path, Path]:
    """The results.csv of each place. Raises HarnessError as `located`, and where two places have the same."""
    files = {place: located(place) for place in places}
    if len({file.resolve() for file in files.values()}) < len(places):
        raise HarnessError(f"{', '.join(map(str, places))}: one experiment is given twice; name each once")
    return files


def _found(place: Path) -> Path | None:
    return next((path for path in (place, StudyFolder(place).results, place / RESULTS) if path.is_file()), None)


def read_table(path: Path) -> pd.DataFrame:
    """The rows of results.csv by protocol, counts as whole numbers. Raises HarnessError like `Results.read`."""
    rows = pd.concat([part.rows for part in Results.read(path).values()], ignore_index=True)
    try:
        return rows.astype(dict.fromkeys([*COUNTS, "patients"], "Int64"))
    except TypeError as error:
        raise HarnessError(f"{path}: a count is no whole number ({error}); {REMEDY}") from None


def _range(numbers: Iterable[float]) -> str:
    whole = sorted({int(number) for number in numbers if number == number})
    if not whole:
        return ""
    return str(whole[0]) if len(whole) == 1 else f"{whole[0]}–{whole[-1]}"


def write_rows(path: Path, rows: pd.DataFrame) -> None:
    """Write rows as CSV, with nine digits and the apostrophes of `csv_files.quoted`, atomically."""
    texts = rows.select_dtypes(exclude=["number", "bool"])
    with atomic(path) as partial:
        written = rows.assign(**{str(name): texts[name].map(csv_files.quoted) for name in texts})
        written.to_csv(partial, index=False, float_format="%.9g")


def read_rows(
    path: str | Path,
    columns: Sequence[str],
    numbers: Sequence[str],
    remedy: str,
    flags: Sequence[str] = (),
    later: Sequence[str] = (),
) -> pd.DataFrame:
    """Rows of a CSV file: text, but `numbers` as float (NaN if empty), `flags` as bool and `seed` as int.

    later: columns that files of earlier versions lack, which then are empty.
    Raises HarnessError, which ends with `remedy`, as `csv_files.read`, and for a malformed number or flag. Pandas,
    which large tables need, fills rows that are too short with NaN.
    """
    text = csv_files.text(path, remedy)
    if not text.strip():
        csv_files.check_columns(path, (), columns, remedy)
    with csv_files.faults_named(path, remedy):
        rows = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    csv_files.check_columns(path, [*map(str, rows)], [column for column in columns if column not in later], remedy)
    short = rows.isna().any(axis=1)
    rows = rows.assign(**{column: "" for column in later if column not in rows})
    if "'" in text:
        rows = rows.map(csv_files.unquoted, na_action="ignore")
    if short.any():
        raise HarnessError(f"{path}, row {int(short.argmax()) + 1}: fewer cells than columns; {remedy}")
    csv_files.check_end(path, text, remedy)
    try:
        for column in numbers:
            rows[column] = pd.to_numeric(rows[column].where(rows[column] != "")).astype(float)
        if "seed" in columns:
            rows["seed"] = rows["seed"].astype(int)
        for column in {*COUNTS, "step"} & {*numbers}:
            if np.isinf(rows[column]).any() or (column == "step" and rows[column].isna().any()):
                raise ValueError(f"{column} is no count in every row")
    except (ValueError, OverflowError) as error:
        raise HarnessError(f"{path}: a number is malformed ({error}); {remedy}") from error
    for column in flags:
        words = rows[column].str.lower()
        if not words.isin(["true", "false"]).all():
            raise HarnessError(f"{path}: {column} is True or False in every row; {remedy}")
        rows[column] = words == "true"
    return rows
