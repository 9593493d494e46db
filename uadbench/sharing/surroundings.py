"""What the study that a run lies in knows of it: results, thresholds of healthy scans, people it was trained on."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

from uadbench.core.errors import HarnessError
from uadbench.core.study_folder import INDEX, RUN, SHEET, StudyFolder
from uadbench.data.index import sheet
from uadbench.data.packing.store import read_index
from uadbench.paper.results import Results
from uadbench.sharing.contents import HEALTHY
from uadbench.training.record import record

THRESHOLD = "threshold@"


def results(folder: Path, warnings: list[str]) -> dict[str, Results]:
    """Results of the study that the run lies in, by protocol; empty without them or where the run is newer."""
    study = StudyFolder.around(folder)
    if study is None or not study.results.is_file():
        return {}
    if study.results.stat().st_mtime < (folder / RUN).stat().st_mtime:
        warnings.append(f"{study.results}: older than the run, so the card has no evaluation; run snakemake again")
        return {}
    return Results.read(study.results)


def thresholds(about: dict[str, Any], by_protocol: dict[str, Results]) -> dict[str, float]:
    """Thresholds of the run's final map by the fraction of voxels of held-out healthy brains that reaches each."""
    for found in by_protocol.values():
        rows = found.rows
        keys = {"method": about["method"], "seed": about["seed"], "modality": about["modality"], "score": "final"}
        own = rows[(rows[list(keys)] == list(keys.values())).all(axis=1)]
        own = own[own["metric"].str.startswith(THRESHOLD)].drop_duplicates("metric")  # all tasks have the same
        if len(own):
            rates = own["metric"].str.removeprefix(THRESHOLD)
            return {rate: float(value) for rate, value in zip(rates, own["value"], strict=True)}
    return {}


def healthy_threshold(folder: Path, about: dict[str, Any], score: str = "final") -> tuple[float | None, str]:
    """Threshold of a run's map `score` that a fraction HEALTHY of healthy voxels reaches; or None and why, in one line.

    folder, about: of the run and its record, as `training.run.load` returns it. The results of its study state the
    threshold, or the record of a shared run does.
    """
    try:
        known, why = _known(folder, about) if score == "final" else ({}, f"none is known of the map {score}")
    except HarnessError as error:
        known, why = {}, str(error)
    if math.isfinite(known.get(HEALTHY, math.nan)):
        return known[HEALTHY], ""
    return None, f"no threshold of healthy voxels, so no findings: {why}, or give --threshold"


def _known(folder: Path, about: dict[str, Any]) -> tuple[dict[str, float], str]:
    """Thresholds of the final map, and what it means if HEALTHY is not among them."""
    study, old = StudyFolder.around(folder), list[str]()
    if known := thresholds(about, results(folder, old)):
        return known, f"{study and study.results} has none of {HEALTHY}; run snakemake again"
    shared = about.get("thresholds") or {}
    if shared and record(folder)["method"] == about["method"]:  # not of another variant
        return shared, f"{folder / RUN} has none of {HEALTHY}"
    if study is None:
        return {}, f"{folder / RUN} states none of {about['method']}, and the run lies in no study"
    if not study.results.is_file():
        return {}, f"{study.results} is not there yet; run snakemake"
    if old:
        return {}, f"{study.results} is older than the run; run snakemake again"
    return {}, f"{study.results} has none of {about['method']}; hold out healthy subjects for validation"


def people(folder: Path, about: dict[str, Any]) -> str:
    """Age range and sex, in words, of the subjects of the training data set that are packed, as its sheet states them.

    Empty without any.
    """
    study = StudyFolder.around(folder)
    if study is None:
        return ""
    listed, packed = study.dataset(about["dataset"]) / SHEET, study.packed(about["dataset"]) / INDEX
    if not listed.is_file() or not packed.is_file():
        return ""
    used = {subject["subject"] for subject in read_index(packed)["subjects"]}
    rows = [row for row in sheet.read(listed).rows if row.subject in used]
    ages = [float(row.age) for row in rows if row.age.replace(".", "", 1).isdecimal()]
    sexes = Counter(row.sex for row in rows if row.sex)
    said = [f"{min(ages):g} to {max(ages):g} years (stated for {len(ages)} of {len(rows)})"] if ages else []
    return "; ".join(said + [", ".join(f"{count} {sex}" for sex, count in sorted(sexes.items()))] * bool(sexes))
