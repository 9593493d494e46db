"""Model card of a shared run: README.md with the metadata that the Hugging Face hub reads."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from uadbench import baselines
from uadbench.core import csv_files
from uadbench.core.errors import HarnessError
from uadbench.core.files import sha256
from uadbench.core.modalities import MODALITIES
from uadbench.core.study_folder import HISTORY, StudyFolder
from uadbench.core.templates import template
from uadbench.methods import registry
from uadbench.methods.postprocessing import AS_PUBLISHED, described
from uadbench.paper.budgets import budgets
from uadbench.paper.histories import Histories
from uadbench.paper.results import Results
from uadbench.paper.simulated import REAL, SIMULATED
from uadbench.paper.terms import UNSTATED
from uadbench.paper.writers import markdown
from uadbench.report.methods_section import NORMALISATION, entries
from uadbench.sharing.licences import Origin, strictest
from uadbench.sharing.surroundings import people

TEMPLATE = Path(__file__).with_name("card.md.j2")


def card(
    folder: Path,
    about: dict[str, Any],
    required: dict[str, Any] | None,
    origins: list[Origin],
    licence: str | None,
    repo: str | None,
    files: dict[str, Path],
    by_protocol: dict[str, Results],
    note: str = "",
) -> tuple[str, list[str]]:
    """The card of a run in Markdown, and warnings about what scoring needs besides.

    folder: of the run, in a study or alone; about: its `run.json`; required: that of the run that it builds on;
    origins: of the training data of both; licence: identifier of the weights' licence, None for that of the data;
    repo: OWNER/NAME for the commands, None for a folder; files: local files that scoring needs besides, by their
    setting; by_protocol: results of the study around the run; note: Markdown of whoever shares the run. What a record
    without times lacks is left out.
    Raises HarnessError for a licence that is no identifier.
    """
    if licence is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", licence):
        raise HarnessError(f"--licence {licence}: no identifier of the hub; give one such as cc-by-4.0")
    method, warnings = about["method"], list[str]()
    path, described = registry.BASELINES.path(registry.base(method)), registry.describe(registry.base(method))
    ours = path.parent == Path(baselines.OURS)
    if not ours:
        warnings.append(f"method {method}: its file is not part of uadbench; whoever scores needs it")
    rule = NORMALISATION.get(about["preprocessing"].get("normalisation", ""))
    text = template(TEMPLATE, plain=markdown.escape, code=markdown.code).render(
        about=about,
        required=required,
        described=described,
        family=registry.FAMILIES[described.family],
        file=path.name,
        ours=ours,
        metadata=yaml.safe_dump(_metadata(about, origins, licence), sort_keys=False, allow_unicode=True),
        modality=MODALITIES[about["modality"]].title,
        repo=repo,
        files=files,
        digest=lambda path: sha256(path) if path.is_file() else "unknown",
        cut=lambda part, key, value: getattr(files.get(f"{part}.{key}"), "name", value),
        origins=origins,
        grey=f"; grey values are divided by {rule}" if rule else "",
        steps=_steps(folder / HISTORY),
        people=people(folder, about),
        numbers=[*_numbers(about, by_protocol)],
        terms=_terms(folder, about, by_protocol),
        note=note,
        references=_references(about, required, origins),
    )
    return text, warnings


def _metadata(about: dict[str, Any], origins: list[Origin], licence: str | None) -> dict[str, Any]:
    """The block of metadata, with keys of the hub."""
    origin = strictest(origins)
    found: dict[str, Any] = {"license": licence or origin.identifier}
    if found["license"] == "other":
        found["license_name"] = "agreement-of-the-training-data"
        if origin.release is not None:
            found["license_link"] = origin.release.source
    tags = ["unsupervised-anomaly-detection", "anomaly-detection", "brain-mri", "medical-imaging"]
    tags += [registry.base(about["method"]), about["modality"], *["simulated-data"] * about["simulated"]]
    return {**found, "library_name": "uadbench", "pipeline_tag": "image-segmentation", "tags": tags}


def _steps(history: Path) -> str:
    """Steps of every phase of training, from the history."""
    if not history.is_file():
        return "unknown"
    rows = csv_files.read(history, ("phase", "step"), "train this run again")
    last = {row["phase"]: row["step"] for row in rows}
    if not last:
        return "none, the method has no training of its own"
    return ", ".join(f"{steps} ({phase})" if len(last) > 1 else steps for phase, steps in last.items())


def _terms(folder: Path, about: dict[str, Any], by_protocol: dict[str, Results]) -> dict[str, str]:
    """The terms of the comparison that the numbers come from: time, filter of the maps, data of the choices."""
    found = {"filter of the study": described(about["postprocessing"], "final") or AS_PUBLISHED}
    study, results = StudyFolder.around(folder), next(iter(by_protocol.values()), None)
    if study is None or results is None:
        return found | {"hyper-parameters chosen on": UNSTATED}
    rows = results.rows[results.rows["method"] == about["method"]]
    found["hyper-parameters chosen on"] = next(filter(None, rows["tuned_on"]), UNSTATED)
    known = budgets(Histories.read(study.histories), results) if study.histories.is_file() else []
    times = next((budget.text for budget in known if budget.modality == about["modality"]), "")
    return found | ({"time of all methods, median over seeds": times} if times else {})


def _numbers(about: dict[str, Any], by_protocol: dict[str, Results]) -> Iterator[tuple[str, ...]]:
    """Task, kind of scans, protocol, number of subjects, AP and best Dice of the run, with intervals."""
    method = about["method"]
    for protocol, results in by_protocol.items():
        for task in results.tasks:
            ap, dice = (_number(about, results.values(method, task, "final", metric)) for metric in ("ap", "dice"))
            if ap or dice:
                kind = SIMULATED if results.simulated_at(task, method)[1] else REAL
                yield task, kind, protocol, results.subjects(task, method)[0], ap, dice


def _number(about: dict[str, Any], rows: pd.DataFrame) -> str:
    own = rows[(rows["seed"] == about["seed"]) & (rows["modality"] == about["modality"])]
    if own.empty:
        return ""
    value, low, high = own.iloc[0][["value", "low", "high"]]
    if value != value:
        return "–"
    return f"{value:.3f} ({low:.3f} to {high:.3f})" if low == low and high == high else f"{value:.3f}"


def _references(about: dict[str, Any], required: dict[str, Any] | None, origins: list[Origin]) -> list[str]:
    """BibTeX entries of the methods and of the training data."""
    keys = [registry.base(run["method"]) for run in (about, required) if run]
    keys += [origin.release.layout for origin in origins if origin.release is not None]
    known = entries()
    return [known[key] for key in dict.fromkeys(keys) if key in known]
