"""Settings of a method on one modality: all its hyper-parameters, resolved in one place and read everywhere else.

`resolve` is the only merge of hyper-parameters. The workflow writes its result as `params.json` beside the runs of a
method; `train`, `test`, `score` and `share` read that. Imports no torch.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from uadbench.core import validation
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json
from uadbench.core.modalities import NAMES
from uadbench.core.study_folder import RUN, StudyFolder
from uadbench.methods import registry
from uadbench.methods.params import mark, scoring_key, training_key, unfiltered, without_curves
from uadbench.methods.postprocessing import Postprocessing

Given = Mapping[str, Mapping[str, Any]]  # hyper-parameters by method


class Written(validation.Record):
    """Settings as JSON."""

    method: str
    title: str
    modality: str
    revision: int
    params: dict[str, Any]
    postprocessing: Postprocessing | None = None  # which earlier versions lack


@dataclass(frozen=True)
class Settings:
    """A method with all its hyper-parameters on one modality. Raises HarnessError where `params` are none of it."""

    method: str  # with -VARIANT
    title: str  # in tables
    modality: str
    revision: int  # of the method's code
    params: Any  # its `Params`, complete
    postprocessing: Postprocessing | None = None  # of the study, for all methods; None: as published

    @property
    def values(self) -> dict[str, Any]:
        """All hyper-parameters by name."""
        return asdict(self.params)

    @property
    def text(self) -> str:
        """The settings as JSON, for `read`."""
        about = {name: getattr(self, name) for name in ("method", "title", "modality", "revision")}
        about |= {"params": self.values, "postprocessing": self.filters}
        return json.dumps(about, sort_keys=True, ensure_ascii=False)

    @property
    def filters(self) -> dict[str, Any] | None:
        """The post-processing of the study as JSON has it."""
        return None if self.postprocessing is None else self.postprocessing.model_dump()

    @property
    def training(self) -> str:
        """What determines a run's weights, except seed and data, as JSON: a change of it retrains."""
        return json.dumps({"revision": self.revision, "params": training_key(self.params)}, sort_keys=True)

    @property
    def scoring(self) -> str:
        """What determines the scores of a run, as JSON: a change of it rescores."""
        parts = {"revision": self.revision, "params": scoring_key(self.params), "postprocessing": self.filters}
        return json.dumps(parts, sort_keys=True)

    def without_curves(self) -> "Settings":
        """The same without the scores of a figure's curve."""
        return replace(self, params=without_curves(self.params))

    def other_weights(self, trained: "Settings") -> list[str]:
        """Names of the hyper-parameters of training in which the settings `trained` of a run differ."""
        wanted, had = training_key(self.params), training_key(trained.params)
        return [key for key in {**wanted, **had} if wanted.get(key) != had.get(key)]


def resolve(
    method: str,
    modality: str,
    config: Given | None = None,
    variants: Given | None = None,
    postprocessing: Postprocessing | None = None,
) -> Settings:
    """The settings of a method. The first of these that has a hyper-parameter decides:

    `config[method]`; for a variant its definition, in `variants` or the method's file, then `config` of its baseline;
    `Params.MODALITY`; `Params`. In each but the last, values under a modality (`t1`, `t2`, …) precede the others.
    postprocessing: of the study; unless it is `beside`, hyper-parameters declared by `own_filter` are off.
    Raises HarnessError naming the key for an unknown method, a wrong type or a value out of range.
    """
    config, base = config or {}, registry.base(method)
    about, cls = registry.describe(method, variants), registry.params_class(method)
    layers = {f"params.{base}": config.get(base, {}), f"variants.{method}": about.params}
    layers[f"params.{method}"] = config.get(method, {})  # of a baseline the first, which stays the lowest
    values = dict(getattr(cls, "MODALITY", {}).get(modality, {}))
    for where, layer in layers.items():
        values |= _of_modality(layer, modality, where)
    params = _built(method, values, f"params.{method}")
    if postprocessing is not None and not postprocessing.beside:
        params = unfiltered(params)
    return Settings(method, about.title + mark(asdict(params)), modality, about.revision, params, postprocessing)


def of_option(text: str, method: str, modality: str) -> Settings:
    """The settings of a method by the option `--settings`: complete ones as they are, else of its mapping `params`."""
    settings = parse(text)
    if isinstance(settings, dict):
        return resolve(method, modality, {method: settings})
    if (settings.method, settings.modality) != (method, modality):
        raise HarnessError(f"--settings: of {settings.method} on {settings.modality}, not {method} on {modality}")
    return settings


def parse(text: str) -> Settings | dict[str, Any]:
    """The option `--settings`: complete settings, or hyper-parameters. Raises HarnessError for any other text."""
    remedy = 'give a mapping such as {"params": {"steps": 100}}'
    content = validation.from_json(text, "--settings", remedy)
    if not isinstance(content.get("params", {}), dict):
        raise HarnessError(f"--settings {text!r}: no mapping of hyper-parameters; {remedy}")
    return read(content, "--settings") if "method" in content else content.get("params", {})


def read(content: Any, where: str) -> Settings:
    """Settings from the content of `params.json` or `run.json`. Raises HarnessError, `where` first, for any other."""
    validation.check_record(content, Written, where, "run snakemake again, which writes settings of a method")
    method, title, modality, revision = (content[name] for name in ("method", "title", "modality", "revision"))
    params, chosen = _built(method, content["params"], f"{where}: params"), content.get("postprocessing")
    filters = None if chosen is None else Postprocessing.model_validate(chosen)
    return Settings(method, title, modality, revision, params, filters)


def of_run(
    folder: Path, about: dict[str, Any], method: str | None = None, chosen: Settings | dict[str, Any] | None = None
) -> Settings:
    """The settings that a run is scored with, as its own method or as the variant `method`.

    Those of the study that the run lies in, from `params.json`; of a run elsewhere those of its `run.json`, `about`.
    chosen: complete settings instead, or hyper-parameters that override them. Raises HarnessError for another method,
    and where the run's weights were trained with different hyper-parameters.
    """
    trained, name = read(about, str(folder / RUN)), method or about["method"]
    if registry.base(name) != registry.base(trained.method):
        raise HarnessError(f"{folder}: a run of {trained.method}, not of {name}; name a run of that or of a variant")
    settings = chosen if isinstance(chosen, Settings) else _beside(folder, name, trained)
    if isinstance(chosen, dict) and chosen:
        changed = resolve(name, trained.modality, {registry.base(name): settings.values}, {name: chosen})
        settings = replace(settings, params=changed.params)
    if other := settings.other_weights(trained):
        named = ", ".join(other)
        raise HarnessError(f"{folder}: was trained with different {named} than {name} asks for; train it again")
    return settings


def _beside(folder: Path, method: str, trained: Settings) -> Settings:
    """Settings of the study that the run in a folder lies in; without one those it was trained with."""
    study = StudyFolder.around(folder)
    path = study.params(method, trained.modality) if study else None
    if path is not None and path.is_file():
        try:
            return read(read_json(path), str(path))
        except ValueError as error:
            raise HarnessError(f"{path}: no JSON ({error}); remove it and run snakemake again") from None
    if method == trained.method:
        return trained
    return resolve(
        method, trained.modality, {registry.base(method): trained.values}, postprocessing=trained.postprocessing
    )


def _built(method: str, values: dict[str, Any], where: str) -> Any:
    return validation.build(registry.params_class(method), values, where)


def _of_modality(values: Mapping[str, Any], modality: str, where: str) -> dict[str, Any]:
    """Values for one modality: those under its name take precedence. Raises HarnessError for a non-mapping."""
    own = values.get(modality) or {}
    if not isinstance(own, dict):
        raise HarnessError(f"{where}.{modality}: must be a mapping of parameters, not {own!r}")
    return {**{key: value for key, value in values.items() if key not in NAMES}, **own}
