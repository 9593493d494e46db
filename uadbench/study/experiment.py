"""What a config means: data sets in use, settings of methods, and all runs, tests, tables and figures."""

import json
import re
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from uadbench import baselines
from uadbench.core.errors import HarnessError
from uadbench.core.files import expanded
from uadbench.core.modalities import NAMES
from uadbench.core.study_folder import ROOT, Job, StudyFolder
from uadbench.data.download import tables
from uadbench.data.index import release
from uadbench.data.preprocessing.settings import Preprocessing
from uadbench.methods import registry
from uadbench.methods.settings import Settings, resolve
from uadbench.paper import catalogue as paper
from uadbench.study.config import OTHERS, Config, DataSet, Task

OPEN = Path("data", "open")  # folder of downloaded data sets, in the working folder


class Experiment:
    """The study of a config. Raises HarnessError for a wrong folder of baselines; `checks` finds all other mistakes."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.name = config.experiment
        self.tasks, self.seeds, self.train = config.tasks, config.seeds, config.train
        self.methods = [method for method in config.methods if method not in config.without]
        self._settings: dict[tuple[str, str], Settings] = {}
        baselines.add_named()
        if config.baselines:
            baselines.add(expanded(config.baselines))

    @cached_property
    def folder(self) -> StudyFolder:
        """Where its files are, relative to the working folder."""
        shared, runs = self.config.data or self.config.runs, self.config.runs
        data, training = (ROOT / name if name else None for name in (shared, runs))
        return StudyFolder(ROOT / self.name, data, training, partial=bool(self.config.without))

    @cached_property
    def datasets(self) -> dict[str, DataSet]:
        """Data sets in use, training first, with their entries in the config; variables in paths are replaced."""
        used = dict.fromkeys([self.train, *(task.dataset for task in self.tasks)])
        entries = {name: self.config.datasets[name] for name in used}
        found = {}
        for name, entry in entries.items():
            paths = {key: expanded(path) for key in ("root", "split") if (path := getattr(entry, key))}
            if entry.source and entry.root is None:
                try:
                    paths["root"] = (OPEN / tables.load(entry.source).name).as_posix()
                except HarnessError as error:
                    raise HarnessError(f"datasets.{name}.source: {error}") from None
            found[name] = entry.model_copy(update=paths)
        return found

    @cached_property
    def simulated(self) -> dict[str, int]:
        """Number of subjects of each simulated data set."""
        return self.config.simulate.subjects if self.config.simulate else {}

    @cached_property
    def modalities(self) -> list[str]:
        """Modalities that methods are trained on."""
        return list(dict.fromkeys(task.modality for task in self.tasks))

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """All settings of preprocessing; variables in the template's path are replaced."""
        values = self.config.preprocessing
        if "template" in values:
            values = {**values, "template": expanded(str(values["template"]))}
        return self.config.model_copy(update={"preprocessing": values}).prepared

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

    def describe(self, method: str) -> registry.Description:
        """The declarations of a method, also of a variant that the config defines."""
        return registry.describe(method, self.config.variants)

    def settings(self, method: str, modality: str, seed: int | None = None) -> Settings:
        """All hyper-parameters of a method on a modality; with `seed` those that this seed's runs are scored with."""
        if (method, modality) not in self._settings:
            given = self.config.params, self.config.variants, self.config.postprocessing
            self._settings[method, modality] = resolve(method, modality, *given)
        settings = self._settings[method, modality]
        return settings if seed is None or seed in self.curve_seeds else settings.without_curves()

    def trained_as(self, method: str, modality: str) -> str:
        """Method whose run of the same seed is scored: the baseline of a variant that differs only in scoring."""
        base = registry.base(method)
        same = self.settings(base, modality).training == self.settings(method, modality).training
        return base if same and self.describe(base).requires == self.describe(method).requires else method

    @cached_property
    def runs(self) -> list[Job]:
        """All trained methods, also those with nothing to train, in the order of the config; variants may share one."""
        jobs = product(self.methods, self.modalities, self.seeds)
        return list(dict.fromkeys(Job(self.trained_as(m, modality), modality, seed) for m, modality, seed in jobs))

    @property
    def trainings(self) -> list[Job]:
        """The runs of methods that train."""
        return [run for run in self.runs if self.describe(run.method).trains]

    @cached_property
    def configured(self) -> list[tuple[str, str]]:
        """Method and modality of all settings that runs are trained or scored with."""
        trained = [(run.method, run.part) for run in self.runs]
        return list(dict.fromkeys([*product(self.methods, self.modalities), *trained]))

    @cached_property
    def tests(self) -> list[Job]:
        """All scored test sets."""
        return [Job(m, task.name, seed) for m in self.methods for task in self.tasks for seed in self.seeds]

    @property
    def curve_seeds(self) -> list[int]:
        """Seeds that the curve of Figure 2 is scored for; by default the first."""
        chosen = self.config.evaluation.curve_seeds
        return self.seeds[:1] if chosen is None else chosen

    @property
    def protocols(self) -> list[str]:
        """Names of the evaluation protocols; tables and figures show the first."""
        return self.config.evaluation.protocols

    @cached_property
    def tables(self) -> list[str]:
        """Names of the tables to render; by default all."""
        return self._rendered(self.config.paper.tables, paper.names("tables", self.methods, self.protocols))

    @cached_property
    def figures(self) -> list[str]:
        """Names of the figures to render; by default all."""
        return self._rendered(self.config.paper.figures, paper.names("figures", self.methods))

    def _rendered(self, chosen: list[str] | None, fitting: list[str]) -> list[str]:
        """Those that are chosen; without some methods, of these only what the others can fill."""
        if chosen is None:
            return fitting
        return [name for name in chosen if name in fitting or not self.config.without]

    @property
    def illustrated(self) -> str:
        """The method that the figures show."""
        chosen = self.config.paper.illustrated
        return chosen if chosen in self.methods else self.methods[0]

    @property
    def missing(self) -> list[str]:
        """Titles of the methods that are left out."""
        return [self.describe(name).title for name in self.config.without]

    @cached_property
    def titles(self) -> dict[str, str]:
        """Titles that the config gives to variants."""
        own = {name: values["title"] for name, values in self.config.variants.items() if "title" in values}
        return {name: self.settings(name, self.modalities[0]).title for name in own if name in self.methods}

    @cached_property
    def tuned_on(self) -> dict[str, str]:
        """What each method's hyper-parameters were chosen on, as the config states it, with the test sets it names."""
        stated, found = self.config.tuned_on or {}, dict[str, str]()
        for method in self.methods:
            if key := next((key for key in (method, registry.base(method), OTHERS) if key in stated), None):
                seen = [task.name for task in self.tasks if self._is_named(task, stated[key])]
                found[method] = stated[key] + f", with these test sets in view: {', '.join(seen)}" * bool(seen)
        return found

    def _is_named(self, task: Task, text: str) -> bool:
        """Whether a text names a task, its data set, or the seed that simulates it."""
        names, simulation = [task.name, task.dataset], self.config.simulate
        names += [f"seed {simulation.seed}"] if simulation and task.dataset in simulation.subjects else []
        pattern = "|".join(map(re.escape, names))
        return re.search(rf"(?<![\w-])({pattern})(?![\w-])", text, re.IGNORECASE) is not None

    @property
    def releases(self) -> dict[str, str]:
        """The release of each data set that is one: as the config states it, else by the layout's name."""
        known = release.releases()
        stated = {name: self._release(name) or entry.layout for name, entry in self.datasets.items()}
        return {name: of for name, of in stated.items() if of in known and name not in self.simulated}

    def index_options(self, dataset: str) -> list[str]:
        """Options of `index` for a data set."""
        stated = self._release(dataset)
        return [*self.selection(dataset), *(["--release", stated] if stated else [])]

    def _release(self, dataset: str) -> str | None:
        entry = self.datasets[dataset]
        return tables.load(entry.source).short if entry.source and not entry.release else entry.release

    def fetch_options(self, dataset: str) -> list[str]:
        """Options of `download` for a data set with a source."""
        entry = self.datasets[dataset]
        number = [] if entry.subjects is None else ["--subjects", str(entry.subjects)]
        return [str(entry.source), "--to", Path(str(entry.root)).parent.as_posix(), *number]

    def selection(self, dataset: str) -> list[str]:
        """Those of them that decide the sheet: the files, the subjects and their splits."""
        entry, role = self.datasets[dataset], "healthy" if dataset == self.train else "test"
        root = self.folder.raw(dataset).as_posix() if dataset in self.simulated else entry.root
        options: list[Any] = ["--root", root, "--layout", entry.layout, "--role", role]
        if role == "test":
            options += ["--subset", entry.subset, *(["--unmasked", entry.unmasked] if entry.unmasked else [])]
        elif entry.split is not None:
            options += ["--split", entry.split]
        else:
            options += ["--validation", entry.validation or 0, "--split-seed", entry.split_seed or 0]
        if entry.subjects is not None:
            options += ["--chosen", f"{entry.source}:{entry.subjects}"]
        for key, value in entry.entities.items():
            options += ["--entity", f"{key}={value}"]
        for key, chosen in (("masks", entry.masks), ("contrast", entry.contrast)):
            options += [f"--{key}", chosen] if chosen else []
        for column, values in entry.conditions.items():
            options += [word for value in values for word in ("--where", f"{column}={value}")]
        for subject in entry.exclude:
            options += ["--exclude", subject]
        return [str(option) for option in options]

    def label_options(self, dataset: str) -> str:
        """Options of `test` and `quality` for a data set: lesion labels and ignored labels."""
        entry = self.datasets[dataset]
        lists = {"lesion": entry.lesion, "ignored": entry.ignored}
        return " ".join(f"--{key} {','.join(map(str, values))}" for key, values in lists.items() if values)

    def recipe(self, dataset: str) -> dict[str, Any]:
        """All that decides the packed arrays of a data set, by key of the config: equal recipes, equal data.

        None where the config says nothing, as for keys of the config that a recipe of an earlier version lacks.
        """
        made, simulation = self.config.simulate, dict[str, Any]()
        if made and dataset in self.simulated:
            simulation = {"seed": made.seed, "spacing": made.spacing, f"subjects.{dataset}": made.subjects[dataset]}
        entry = self.datasets[dataset].model_dump(exclude={"lesion", "ignored", "release", "source", "fetch"})
        return {
            "role": "healthy" if dataset == self.train else "test",
            **{f"simulate.{key}": value for key, value in simulation.items()},
            **{f"datasets.{dataset}.{key}": value for key, value in entry.items()},
            **{f"preprocessing.{key}": value for key, value in json.loads(self.preprocessing_text).items()},
            "modalities": self.registered(dataset),
        }

    @property
    def preprocessing_text(self) -> str:
        """All preprocessing settings, including defaults, as sorted JSON."""
        return json.dumps(vars(self.preprocessing), sort_keys=True)
