"""Content of a report, read from the folder of a finished study."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import product, starmap
from pathlib import Path
from typing import Any

import pandas as pd

from uadbench.core import checksums, csv_files
from uadbench.core.errors import HarnessError, listed
from uadbench.core.patients import counted
from uadbench.core.study_folder import INDEX, QUALITY_PAGE, QUALITY_TABLE, RUN, VOLUMES, StudyFolder
from uadbench.core.validation import from_json
from uadbench.data.packing.store import read_index
from uadbench.data.preprocessing.settings import settings
from uadbench.methods import registry
from uadbench.paper.budgets import Budget, budgets
from uadbench.paper.histories import Histories
from uadbench.paper.inputs import Sources, read_comparisons
from uadbench.paper.results import Results, read_rows
from uadbench.paper.table import Table
from uadbench.paper.writing import make
from uadbench.study.config import Config
from uadbench.study.config_files import read
from uadbench.study.experiment import Experiment
from uadbench.training.record import Complete, record

TABLES = ("table2", "table1", "detection", "lesions", "subjects", "protocols")  # first in this order, others after them
FIGURES = ("figure3", "figure2", "order", "froc", "curves", "figure1")


@dataclass(frozen=True)
class Study:
    """The folder results/EXPERIMENT of a finished study, and what the config that it was made with means."""

    path: Path
    plan: Experiment

    @classmethod
    def of(cls, path: Path, values: dict[str, Any]) -> Study:
        """The study of a parsed config. Raises HarnessError for a wrong one."""
        return cls(path, Experiment(Config.of(values)))

    @classmethod
    def given(cls, path: Path, config: str) -> Study:
        """The study of a config as the option takes it: JSON, or the path of a file. Raises HarnessError as `of`."""
        remedy = "give the path of a config file, or its content"
        values = from_json(config, "--config", remedy) if config.lstrip().startswith("{") else read(config)
        try:
            return cls.of(path, values)
        except HarnessError as error:
            raise HarnessError(f"--config: {error}; an overlay alone is no config of a study") from None

    @cached_property
    def folder(self) -> StudyFolder:
        """Where its files are: beside one another, wherever results/ is, but in an excerpt all are inside."""
        inside = StudyFolder(self.path).excerpt
        data, runs = (
            self.path.parent / part.name if part and not inside else None
            for part in (self.plan.folder.shared_data, self.plan.folder.shared_runs)
        )
        return StudyFolder(self.path, data, runs, partial=bool(self.plan.config.without))

    @cached_property
    def results(self) -> dict[str, Results]:
        """Results by evaluation protocol."""
        return Results.read(self.folder.results)

    @property
    def first(self) -> Results:
        """Results of the config's first protocol, which tables and figures show."""
        protocol = self.plan.protocols[0]
        if protocol not in self.results:
            raise HarnessError(f"{self.path}: no result under protocol {protocol!r}; give the config of this study")
        return self.results[protocol]

    @cached_property
    def cohorts(self) -> list[dict[str, Any]]:
        """Indices of the packed data sets that were used, the training set first, by the keys of `index.json`.

        Instead of the list of subjects their numbers by split; also `name`, `flagged`, the number of subjects that
        quality control flags, None without its table, `people`, their number in words, and `lost`, the names of those
        that preprocessing lost, in part or whole.
        """
        found = []
        for name in self.plan.datasets:
            path = _there(self._index(name))
            index = read_index(path)
            splits = Counter(subject["split"] for subject in index["subjects"])
            table, flagged = self._quality(name), None
            if checksums.there(table):
                flagged = sum(bool(row["flags"]) for row in csv_files.read(table, ("flags",), "run snakemake again"))
            try:
                index["preprocessing"] = asdict(settings(index["preprocessing"]))
            except HarnessError as error:
                raise HarnessError(f"{path}: {error}; run the study again") from None
            patients = len({subject.get("patient", subject["subject"]) for subject in index["subjects"]})
            people = counted(splits.total(), patients)
            people += "" if splits.total() > patients else f" subject{'s' * (patients != 1)}"
            lost = listed(dict.fromkeys(entry["subject"] for entry in index["left_out"]))
            facts = {"name": name, "subjects": splits, "flagged": flagged, "people": people, "lost": lost}
            found.append({**index, **facts})
        return found

    @cached_property
    def histories(self) -> pd.DataFrame:
        """Rows of histories.csv. Raises HarnessError as `read_rows`."""
        numbers = ("step", "validation", "seconds")
        columns = ("method", "modality", "seed", "phase", *numbers)
        return read_rows(self.folder.histories, columns, numbers, "run the study again")

    @cached_property
    def budgets(self) -> list[Budget]:
        """What the trainings of the first protocol's results took."""
        return budgets(Histories.read(self.folder.histories), self.first)

    @cached_property
    def runs(self) -> list[dict[str, Any]]:
        """`run.json` of every training that histories.csv lists: folders of methods that were dropped may remain.

        Raises HarnessError for a missing file, and for a run of other settings than the config's or other code than
        another seed's.
        """
        found, revisions = [], dict[tuple[str, str], int]()
        for method, modality, seed in self._trainings:
            path = self.folder.run(method, modality, seed) / RUN
            run = {"method": method, **record(_there(path).parent, kind=Complete)}
            known = method in {*registry.every(), *self.plan.config.variants}
            wanted = json.loads(self.plan.settings(method, modality).training)["params"] if known else {}
            made = {"REVISION": run["revision"], **run["params"]}
            wanted |= {"REVISION": revisions.setdefault((method, modality), run["revision"])}
            for key in wanted.keys() & made.keys():
                if made[key] != wanted[key]:
                    raise HarnessError(
                        f"{path}: trained with {key} {made[key]!r}, where the config or another seed has "
                        f"{wanted[key]!r}; run snakemake again"
                    )
            found.append(run)
        return found

    @cached_property
    def methods(self) -> list[registry.Description]:
        """Methods with results, in the order of the config; those of other programs have no description."""
        known = {*registry.every(), *self.plan.config.variants}
        return [self.plan.describe(name) for name, _, _ in self.first.methods if name in known]

    @cached_property
    def tables(self) -> list[Table]:
        """The tables, those of TABLES first, from the results: a file in `paper` may hold anything."""
        for path in (self.folder.comparisons, self.folder.histories):
            _there(path)
        sources = Sources(
            self.folder.results,
            protocol=self.plan.protocols[0],
            method=self.plan.illustrated,
            histories_csv=self.folder.histories,
            references=tuple(self.plan.config.paper.references),
        )
        return [make(name, sources) for name in dict.fromkeys([*TABLES, *self.plan.tables]) if name in self.plan.tables]

    @property
    def figures(self) -> list[Path]:
        """Pictures of the figures, those of FIGURES first."""
        found = {path.stem: path for path in sorted(self.folder.paper.glob("*.png"))}
        return [found[name] for name in dict.fromkeys([*FIGURES, *found]) if name in found]

    @cached_property
    def differences(self) -> list[dict[Any, Any]]:
        """AP of the illustrated method minus that of every other one, by task, with interval and corrected p-value."""
        rows = read_comparisons(_there(self.folder.comparisons))
        rows = rows[(rows["metric"] == "ap") & (rows["protocol"] == self.first.protocol)]
        own = self.plan.illustrated
        found = []
        for row in rows[(rows["method"] == own) | (rows["other"] == own)].to_dict("records"):
            if row["other"] == own:
                row |= {
                    "other": row["method"],
                    "difference": -row["difference"],
                    "low": -row["high"],
                    "high": -row["low"],
                    "better": row["worse"],
                    "worse": row["better"],
                }
            found.append({**row, "other": self.first.title(row["other"])})
        return found

    def page(self, dataset: str) -> str:
        """The quality page of a data set, of this study or the one whose data it shares, from the report's folder.

        An empty text where there is none, as in an excerpt of a study.
        """
        path = self.folder.quality(dataset) / QUALITY_PAGE
        return Path(os.path.relpath(path, self.folder.final)).as_posix() if path.is_file() else ""

    def volumes(self, method: str, task: str) -> Path:
        """Volumes of the example subject of a task, of the first seed; they may be missing."""
        return self.folder.scores(method, task, self.plan.seeds[0]) / VOLUMES

    @property
    def files(self) -> list[Path]:
        """Every file that the report is made of, sorted, and what else stands beside results.csv.

        Raises HarnessError for a missing file, and as `runs` for the config of another study.
        """
        methods, tasks = [name for name, _, _ in self.first.methods], [task.name for task in self.plan.tasks]
        found = {path for path in self.folder.results.parent.iterdir() if path.is_file() and path.name[0] != "."}
        found |= {_there(self.folder.histories), *self.figures}
        found |= {self.folder.run(run["method"], run["modality"], run["seed"]) / RUN for run in self.runs}
        found |= {_there(self._index(name)) for name in self.plan.datasets}
        optional = [*map(self._quality, self.plan.datasets), *starmap(self.volumes, product(methods, tasks))]
        return sorted(found | {path for path in optional if path.is_file()})

    @property
    def _trainings(self) -> list[tuple[str, str, int]]:
        """Method, modality and seed of every training that histories.csv lists."""
        return list(self.histories[["method", "modality", "seed"]].drop_duplicates().itertuples(index=False, name=None))

    def _index(self, dataset: str) -> Path:
        return self.folder.packed(dataset) / INDEX

    def _quality(self, dataset: str) -> Path:
        return self.folder.quality(dataset) / QUALITY_TABLE


def _there(path: Path) -> Path:
    if not path.is_file():
        raise HarnessError(f"{path}: no such file; run the study again, snakemake makes what is missing")
    return path
