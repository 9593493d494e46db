"""Checks of a config against the disk and the plugins, before any job starts."""

import json
import re
from pathlib import Path
from typing import Any

from uadbench.core import latex_text
from uadbench.core.errors import HarnessError, choices
from uadbench.core.files import read_json
from uadbench.core.study_folder import RECIPE, ROOT
from uadbench.data.index import layout as layouts
from uadbench.data.index import release, splits
from uadbench.data.index import where as selection
from uadbench.data.index.layout import IGNORE
from uadbench.evaluation.protocols.protocols import PROTOCOLS
from uadbench.methods import registry
from uadbench.paper import catalogue as paper
from uadbench.study import sources
from uadbench.study.config import OTHERS, Config, DataSet
from uadbench.study.experiment import Experiment

PATTERN = re.compile(r"\{[^{}]*\}|<[a-z][a-z0-9_]*>")  # a wildcard or a pathvar of Snakemake


def experiment(values: dict[str, Any]) -> Experiment:
    """The study of a parsed config, checked. Raises HarnessError naming key, reason and remedy at the first mistake."""
    study = Experiment(Config.of(values))
    _check_names(study)
    sources.check(study)
    for name, entry in study.datasets.items():
        _check_dataset(study, name, entry)
    _check_methods(study)
    _check_template(study)
    _check_choices(study)
    _check_shared(study)
    for task in study.tasks:
        if task.dataset == study.train:
            raise HarnessError(
                f"tasks.{task.name}.dataset: {study.train} is the training set (train); name a data set "
                "that nobody is trained on"
            )
    return study


def _check_names(study: Experiment) -> None:
    defined = study.config.datasets
    for key, name in [("train", study.train), *((f"tasks.{task.name}", task.dataset) for task in study.tasks)]:
        if name not in defined:
            raise HarnessError(f"{key}: no data set {name!r} under datasets; {choices(name, defined)}")
    names = [task.name for task in study.tasks]
    if len(set(names)) < len(names):
        raise HarnessError(f"tasks: two tasks have the same name; names are {', '.join(names)}")


def _check_dataset(study: Experiment, name: str, entry: DataSet) -> None:
    where, root = f"datasets.{name}", entry.root
    try:
        entities = {key: str(value) for key, value in entry.entities.items()}
        layout = layouts.load(entry.layout, entities, entry.masks, entry.contrast)
    except HarnessError as error:
        raise HarnessError(f"{where}: {error}") from None
    if name in study.simulated:
        if root is not None:
            raise HarnessError(f"{where}.root: the data set is simulated; remove root, or simulate.subjects.{name}")
    elif root is None:
        raise HarnessError(f"{where}: no root; name the folder of the release, or add simulate.subjects.{name}")
    elif "$" in root:
        raise HarnessError(f"{where}.root: {root}: set this environment variable, or name a folder")
    elif entry.fetch:  # into a folder that may not be there yet
        pass
    elif not Path(root).exists():
        raise HarnessError(f"{where}.root: no folder {root}; name the folder of the release")
    elif Path(root).is_file() != layout.reads_file:
        raise HarnessError(f"{where}.root: {root} is not what the layout reads: {layout.expected}")
    _check_file_name(f"{where}.root", root or "")
    if entry.split is not None:
        _check_file_name(f"{where}.split", entry.split)
        splits.read_list(Path(entry.split))
        if entry.validation is not None or entry.split_seed is not None:
            raise HarnessError(f"{where}.split: the list decides; remove validation and split_seed")
    if entry.subset not in splits.SUBSETS:
        raise HarnessError(f"{where}.subset: {entry.subset!r} is unknown; {choices(entry.subset, splits.SUBSETS)}")
    if entry.release is not None:
        release.find(entry.release)
    if both := {*(entry.lesion or ())} & {*(entry.ignored or ())}:
        raise HarnessError(f"{where}: label {min(both)} is in both lesion and ignored; remove it from one")
    if name not in study.simulated and root is not None and Path(root).exists():
        _check_labels(where, entry, layout.labels(Path(root)))
        try:
            if entry.where and not entry.fetch:  # of which the table may not be there yet
                selection.check(layout.participants(Path(root)), entry.conditions)
        except HarnessError as error:
            raise HarnessError(f"{where}.{error}") from None


def _check_labels(where: str, entry: DataSet, stated: dict[int, str]) -> None:
    """Compare label values of the config with those that files of the data set state, if any."""
    listed = ", ".join(f"{value} {name}" for value, name in stated.items())
    for key, values in (("lesion", entry.lesion or []), ("ignored", entry.ignored or [])):
        for value in (value for value in values if stated and value not in stated):
            raise HarnessError(
                f"{where}.{key}: {value} is no label of the data set, whose files name {listed}; correct {key}"
            )
    for value, name in stated.items():
        if name == IGNORE and not entry.lesion and value not in (entry.ignored or []):
            raise HarnessError(f"{where}.ignored: the data set names its label {value} {name}; add ignored: [{value}]")


def _check_methods(study: Experiment) -> None:
    known = [*registry.every(), *study.config.variants]
    for key, names in (("params", study.config.params), ("variants", study.config.variants)):
        for method in names:
            if registry.base(method) not in registry.names() or (key == "params" and method not in known):
                raise HarnessError(f"{key}.{method}: no such method; {choices(method, known)}")
            if key == "variants" and method in registry.every():
                raise HarnessError(f"variants.{method}: the method's file defines this variant; choose another name")
    for method in [*study.methods, *study.config.variants]:
        for modality in study.modalities:
            weights = study.settings(method, modality).values.get("weights")
            _check_file_name(f"params.{method}.weights", weights or "")
    for name in study.config.without:
        if name not in study.config.methods:
            raise HarnessError(f"without: {name} is none of the methods; {choices(name, study.config.methods)}")
    if not study.methods:
        raise HarnessError("without: leaves no method; remove one of them")
    trained = {run.method for run in study.runs} | {*study.config.without}
    for method in study.methods:
        required = study.describe(method).requires
        if required and not {study.trained_as(required, modality) for modality in study.modalities} <= trained:
            raise HarnessError(f"methods: {method} builds on {required}; add {required} to methods")


def _check_file_name(key: str, path: str) -> None:
    """Refuse an input of a rule whose path Snakemake would read as a pattern: paths have no escape for it."""
    if (found := PATTERN.search(path)) and Path(path).is_file():
        raise HarnessError(f"{key}: {path}: Snakemake would replace {found[0]}; rename the file or its folder")


def _check_template(study: Experiment) -> None:
    template = study.preprocessing.template
    _check_file_name("preprocessing.template", template)
    if "$" in template:
        raise HarnessError(f"preprocessing.template: {template}: set this environment variable, or name a file")
    if template != "mni152" and not Path(template).is_file():
        raise HarnessError(f"preprocessing.template: no file {template}; name a skull-stripped T1, or mni152")


def _check_choices(study: Experiment) -> None:
    for key, chosen, known in (
        ("evaluation.protocols", study.protocols, list(PROTOCOLS)),
        ("paper.tables", study.tables, paper.names("tables")),
        ("paper.figures", study.figures, paper.names("figures")),
        ("paper.references", study.config.paper.references, paper.references()),
    ):
        for name in chosen:
            if name not in known:
                raise HarnessError(f"{key}: {name!r} is unknown; {choices(name, known)}")
    for method, text in (study.config.tuned_on or {}).items():
        if method not in (known := [*registry.every(), *study.config.variants, OTHERS]):
            raise HarnessError(f"tuned_on.{method}: no such method; {choices(method, known)}")
        if odd := latex_text.unknown(text):
            signs = " ".join(map(repr, odd))
            raise HarnessError(f"tuned_on.{method}: LaTeX cannot print {signs}; spell it in other letters")
    for seed in study.curve_seeds:
        if seed not in study.seeds:
            seeds = ", ".join(map(str, study.seeds))
            raise HarnessError(f"evaluation.curve_seeds: {seed} is none of the seeds; there are {seeds}")


def _check_shared(study: Experiment) -> None:
    """Data and runs of another experiment must be what this config asks for: its jobs would overwrite them."""
    config, folder = study.config, study.folder
    if config.runs and config.data not in (None, config.runs):
        raise HarnessError(f"data: the runs are those of {config.runs}, which has other data; remove data")
    for key, name in (("data", config.data), ("runs", config.runs)):
        if name == config.experiment:
            raise HarnessError(f"{key}: {name} is this experiment; remove the key")
        if name and not (ROOT / name).is_dir():
            raise HarnessError(f"{key}: no folder {ROOT / name}; name an experiment that has been run here")
    for name in study.datasets if folder.shared_data else ():
        made, remedy = folder.dataset(name), "remove `data`, or give the data set another name"
        if made.is_dir():
            _compare(f"data: {made}", made / RECIPE, study.recipe(name), remedy)
    for method, modality in study.configured if folder.shared_runs else ():
        path, wanted = folder.params(method, modality), json.loads(study.settings(method, modality).text)
        if path.parent.is_dir():
            remedy = "write what it was made with, name a variant of it under `variants`, or remove `runs`"
            wanted = {key: value for key, value in wanted.items() if key != "params"} | wanted["params"]
            _compare(f"runs: {method} on {modality}", path, wanted, remedy)


def _compare(what: str, path: Path, wanted: dict[str, Any], remedy: str) -> None:
    """Raise HarnessError unless a record of another experiment has the wanted content."""
    try:
        made = read_json(path)
        made = {key: value for key, value in made.items() if key != "params"} | made.get("params", {})
    except (OSError, ValueError, AttributeError, TypeError):
        raise HarnessError(f"{what}: no record {path}; run snakemake for that experiment first") from None
    wanted = json.loads(json.dumps(wanted))
    for key in wanted:
        if wanted.get(key) != made.get(key):
            raise HarnessError(f"{what}: made with {key} {made.get(key)!r}, not {wanted.get(key)!r}; {remedy}")
