"""Experiment config: validated as a whole before anything runs, and read through one object. Imports no torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from uadbench import baselines, registry
from uadbench.config_files import check_characters, check_schema, filled_in
from uadbench.data.index import layout as layouts
from uadbench.data.index import release, splits
from uadbench.data.preprocessing import settings as preprocessing
from uadbench.errors import HarnessError
from uadbench.evaluation.protocols import PROTOCOLS
from uadbench.methods.params import scoring_key, training_key, without_curves
from uadbench.modalities import NAMES
from uadbench.paper import catalogue as paper

DEFAULTS = {
    "preprocessing": {},
    "max_lost": 0.1,
    "chunks": 4,
    "params": {},
    "evaluation": {},
    "paper": {},
    "device": "auto",
    "threads": {},
}


@dataclass(frozen=True)
class Task:
    """A test set in one modality: a column of the tables."""

    name: str
    dataset: str
    modality: str


class Experiment:
    """A validated config. Raises HarnessError naming the key, the reason and the remedy at the first error."""

    def __init__(self, config: dict[str, Any]) -> None:
        check_characters(config, "config")
        check_schema(config)
        self.config = {**DEFAULTS, **{key: value for key, value in config.items() if value is not None}}
        baselines.add_named()
        if own := filled_in(self.config, "baselines").get("baselines"):
            baselines.add(own)
        self.name: str = self.config["experiment"]
        self.tasks = [Task(**task) for task in self.config["tasks"]]
        self.methods: list[str] = self.config["methods"]
        self.seeds: list[int] = self.config["seeds"]
        self.train: str = self.config["train"]
        self.chunks: int = self.config["chunks"]
        self.simulated: dict[str, Any] = self.config.get("simulate") or {}
        self._known: dict[tuple[str, str], Any] = {}  # cached hyper-parameters by method and modality
        self.config["preprocessing"] = filled_in(self.config["preprocessing"], "template")
        self._check_datasets()
        self._check_methods()
        self._check_preprocessing()
        self._check_choices()

    @cached_property
    def datasets(self) -> dict[str, dict[str, Any]]:
        """Data sets in use, training first, with their entries in the config."""
        used = dict.fromkeys([self.train, *(task.dataset for task in self.tasks)])
        return {name: filled_in(self.config["datasets"][name], "root") for name in used}

    @cached_property
    def modalities(self) -> list[str]:
        """Modalities that methods are trained on."""
        return list(dict.fromkeys(task.modality for task in self.tasks))

    def task(self, name: str) -> Task:
        """The task of a name."""
        return next(task for task in self.tasks if task.name == name)

    def modalities_of(self, dataset: str) -> list[str]:
        """Modalities of a data set that the experiment uses."""
        if dataset == self.train:
            return self.modalities
        return list(dict.fromkeys(task.modality for task in self.tasks if task.dataset == dataset))

    def registered(self, dataset: str) -> list[str]:
        """Modalities of a data set to register: always T1 and T2, so that fewer tasks repeat no preprocessing."""
        return [name for name in NAMES if name in ("t1", "t2", *self.modalities_of(dataset))]

    def as_json(self) -> str:
        """The config, defaults too, as sorted JSON, without keys that change no result."""
        other = ("threads", "device", "baselines")
        deciding = {key: value for key, value in self.config.items() if key not in other}
        return json.dumps(deciding, sort_keys=True)

    def params(self, method: str, modality: str) -> dict[str, Any]:
        """All hyper-parameters of a method on a modality."""
        return asdict(self._params(method, modality))

    def training_settings(self, method: str, modality: str) -> str:
        """Settings that determine a run's weights, except seed and data, as sorted JSON: a change of them retrains."""
        params = self._params(method, modality)
        about = {"revision": registry.describe(method).revision, "params": training_key(params)}
        return json.dumps(about, sort_keys=True)

    def scoring_settings(self, method: str, modality: str, seed: int) -> str:
        """Settings that determine the scores of a seed's trained run, as sorted JSON: a change of them rescores."""
        params = self._params(method, modality)
        if seed not in self.curve_seeds:
            params = without_curves(params)
        about = {"revision": registry.describe(method).revision, "params": scoring_key(params)}
        return json.dumps(about, sort_keys=True)

    def trained_as(self, method: str, modality: str) -> str:
        """Method whose run of the same seed is scored: the baseline of a variant that differs only in scoring."""
        base = registry.base(method)
        same = self.training_settings(base, modality) == self.training_settings(method, modality)
        return base if same else method

    def preprocessing_settings(self) -> str:
        """All preprocessing settings, including defaults, as sorted JSON."""
        return json.dumps(asdict(preprocessing.settings(self.config["preprocessing"])), sort_keys=True)

    @property
    def template(self) -> str:
        """The name or the file of the template."""
        return preprocessing.settings(self.config["preprocessing"]).template

    def _check_datasets(self) -> None:
        defined = self.config["datasets"]
        for key, name in [("train", self.train), *((f"tasks.{task.name}", task.dataset) for task in self.tasks)]:
            if name not in defined:
                raise HarnessError(f"{key}: no data set {name!r} under datasets; there are {', '.join(defined)}")
        names = [task.name for task in self.tasks]
        if len(set(names)) < len(names):
            raise HarnessError(f"tasks: two tasks have the same name; names are {', '.join(names)}")
        for name, dataset in self.datasets.items():
            where = f"datasets.{name}"
            try:
                layouts.load(dataset["layout"], dataset.get("entities"))
            except HarnessError as error:
                raise HarnessError(f"{where}: {error}") from None
            if name in self.simulated.get("subjects", {}):
                if "root" in dataset:
                    raise HarnessError(
                        f"{where}.root: the data set is simulated; remove root, or simulate.subjects.{name}"
                    )
            elif "root" not in dataset:
                raise HarnessError(f"{where}: no root; name the folder of the release, or add simulate.subjects.{name}")
            elif "$" in dataset["root"]:
                raise HarnessError(f"{where}.root: {dataset['root']}: set this environment variable, or name a folder")
            elif not Path(dataset["root"]).exists():
                raise HarnessError(f"{where}.root: no folder {dataset['root']}; name the folder of the release")
            elif Path(dataset["root"]).is_file() != layouts.load(dataset["layout"]).reads_file:
                expected = layouts.load(dataset["layout"]).expected
                raise HarnessError(f"{where}.root: {dataset['root']} is not what the layout reads: {expected}")
            self._check_split(where, dataset)

    def _check_split(self, where: str, dataset: dict[str, Any]) -> None:
        if "split" in dataset:
            splits.read_list(Path(dataset["split"]))
            if {"validation", "split_seed"} & dataset.keys():
                raise HarnessError(f"{where}.split: the list decides; remove validation and split_seed")
        if dataset.get("subset", "all") not in splits.SUBSETS:
            known = ", ".join(splits.SUBSETS)
            raise HarnessError(f"{where}.subset: {dataset['subset']!r} is unknown; there are {known}")
        if "release" in dataset:
            release.find(dataset["release"])
        if both := {*dataset.get("lesion", [])} & {*dataset.get("ignored", [])}:
            raise HarnessError(f"{where}.ignored: {min(both)} is lesion as well; keep it in one of the two")

    def _check_methods(self) -> None:
        for method in self.methods:
            for modality in self.modalities:
                self.params(method, modality)
        trained = {self.trained_as(method, modality) for method in self.methods for modality in self.modalities}
        for method in self.methods:
            required = registry.describe(method).requires
            if required and required not in trained:
                raise HarnessError(f"methods: {method} builds on {required}; add {required} to methods")
        for method in self.config["params"]:
            if method not in registry.every():
                raise HarnessError(f"params.{method}: no such method; there are {', '.join(registry.every())}")

    def _params(self, method: str, modality: str) -> Any:
        """Hyper-parameters; those that a variant does not set default to the config's values for its baseline."""
        if (method, modality) not in self._known:
            given, base = self.config["params"], registry.base(method)
            common = registry.of_modality(given.get(base, {}), modality, f"params.{base}") if base != method else {}
            own = registry.of_modality(given.get(method, {}), modality, f"params.{method}")
            made = registry.params(method, {**common, **registry.describe(method).params, **own}, modality)
            self._known[method, modality] = made
        return self._known[method, modality]

    def _check_preprocessing(self) -> None:
        template = self.template
        if "$" in template:
            raise HarnessError(f"preprocessing.template: {template}: set this environment variable, or name a file")
        if template != "mni152" and not Path(template).is_file():
            raise HarnessError(f"preprocessing.template: no file {template}; name a skull-stripped T1, or mni152")

    def _check_choices(self) -> None:
        for key, chosen, known in (
            ("evaluation.protocols", self.protocols, list(PROTOCOLS)),
            ("paper.tables", self.tables, paper.names("tables")),
            ("paper.figures", self.figures, paper.names("figures")),
        ):
            for name in chosen:
                if name not in known:
                    raise HarnessError(f"{key}: {name!r} is unknown; there are {', '.join(known)}")
        for seed in self.curve_seeds:
            if seed not in self.seeds:
                known_seeds = ", ".join(map(str, self.seeds))
                raise HarnessError(f"evaluation.curve_seeds: {seed} is none of the seeds; there are {known_seeds}")

    @property
    def curve_seeds(self) -> list[int]:
        """Seeds that the curve of Figure 2 is scored for; by default the first."""
        return self.config["evaluation"].get("curve_seeds", self.seeds[:1])

    @property
    def protocols(self) -> list[str]:
        """Names of the evaluation protocols."""
        return self.config["evaluation"].get("protocols", ["full"])

    @property
    def tables(self) -> list[str]:
        """Names of the tables to render; by default all."""
        return self.config["paper"].get("tables", paper.names("tables", self.methods, self.protocols))

    @property
    def figures(self) -> list[str]:
        """Names of the figures to render; by default all."""
        return self.config["paper"].get("figures", paper.names("figures", self.methods))

    @property
    def illustrated(self) -> str:
        """The method that the figures show."""
        chosen = self.config["paper"].get("illustrated", "disyre")
        return chosen if chosen in self.methods else self.methods[0]
