"""Trace of a row of results.csv: the files that it was computed from, each compared with what its scores state."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from uadbench.core import csv_files
from uadbench.core.errors import HarnessError, choices
from uadbench.core.files import read_json, sha256
from uadbench.core.study_folder import FINDINGS, INDEX, RUN, WEIGHTS, StudyFolder, array_file, histogram_file
from uadbench.evaluation.summary.tidy_results import tidy
from uadbench.evaluation.voxels import source
from uadbench.evaluation.voxels.histogram import load
from uadbench.methods import registry

CLOSE = 1e-8  # relative; results.csv has nine digits
SHOWN = 12  # digits of a checksum
NAMED = ("method", "task", "seed", "score", "protocol", "metric", "value")  # columns that a trace reads


@dataclass(frozen=True)
class Link:
    """One link of the chain: a file or fact, what it is, and what is wrong with it ("" if nothing)."""

    what: str
    found: str
    wrong: str = ""


def trace(results: Path, row: Mapping[str, Any], study: StudyFolder) -> Iterator[Link]:
    """The chain from a row of results.csv to weights, data, code and settings.

    The row is computed again from its file of scores. Raises HarnessError where that file is not in the study.
    """
    scores = study.scores(row["method"], row["task"], int(row["seed"]))
    path = scores / histogram_file(row["protocol"])
    if not path.is_file():
        raise HarnessError(f"{results}: no {path}; trace the results.csv of a study in its own folder")
    _, meta = load(path)
    yield Link("row", " ".join(str(row[key]) for key in ("method", "task", "score", "protocol", "metric")))
    yield _number(row, path)
    for file in (path, scores / FINDINGS):
        yield Link("scores", f"{file} {_short(sha256(file))}")
    stated = meta.get(source.SOURCE)
    if not stated:
        yield Link("source", "not stated: scored by an earlier version, or by another program")
        return
    digest = source.digest(stated)
    yield Link("source", digest, "" if row.get(source.SOURCE) in ("", None, digest) else "not that of the row")
    yield from _run(study.run(row["method"], meta["modality"], int(row["seed"])), stated)
    yield from _data("test set", study.packed(meta["dataset"]), stated["test_set"], (meta["modality"], "mask"))
    yield from _code(row["method"], stated)
    yield Link("parameters", ", ".join(f"{key}={value}" for key, value in stated["params"].items()))


def _number(row: Mapping[str, Any], path: Path) -> Link:
    """The value of the row, computed again."""
    again = tidy([path])
    same = (
        (again["score"] == row["score"]) & (again["metric"] == row["metric"]) & (again["protocol"] == row["protocol"])
    )
    if not same.any():
        return Link("value", str(row["value"]), f"no such number follows from {path}")
    value = float(again.loc[same, "value"].iloc[0])
    wrong = "" if np.isclose(value, float(row["value"]), rtol=CLOSE, atol=0) else f"{value} follows from {path}"
    return Link("value", str(row["value"]), wrong)


def _run(folder: Path, stated: Mapping[str, Any]) -> Iterator[Link]:
    """The run: its record and its weights, and the packed cohort that it was trained on."""
    if not (folder / RUN).is_file():
        yield Link("run", str(folder), "missing")
        return
    about = read_json(folder / RUN)
    software = about.get("environment", {})
    text = f"{folder}, trained {software.get('finished', '')} on {about.get('device', '')}"
    replaced = about.get("weights") != stated["weights"]
    yield Link("run", text, "other weights than those that were scored: score again" if replaced else "")
    for name, wanted in stated["weights"].items():
        yield _file("weights", folder / WEIGHTS / name, wanted)
    study = StudyFolder.around(folder)
    if study and about.get("data"):
        yield from _data("trained on", study.packed(about["dataset"]), about["data"], (about["modality"],))


def _data(what: str, packed: Path, wanted: str, images: tuple[str, ...]) -> Iterator[Link]:
    """A packed data set: its index and the arrays of `images`, by the index."""
    link = _file(what, packed / INDEX, wanted)
    yield link
    if not link.wrong:
        arrays = read_json(packed / INDEX)["arrays"]
        for image in images:
            yield _file(what, packed / array_file(image), arrays.get(image, ""))


def _code(method: str, stated: Mapping[str, Any]) -> Iterator[Link]:
    """The file of the method, as it was trained, scored and is now, and the version of the library."""
    path = registry.BASELINES.path(registry.base(method))
    trained, scored = stated["baseline"]["trained"], stated["baseline"]["scored"]
    wrong = "edited between training and scoring" if trained and trained != scored else ""
    now = "" if sha256(path) == scored else "edited since scoring"
    yield Link("code", f"{path.name} {_short(scored)}", wrong or now)
    library = stated["uadbench"]
    changed = ", with changes" if library.get("modified") else ""
    yield Link("code", f"uadbench {library['version']}, commit {library.get('commit') or 'unknown'}{changed}")


def _file(what: str, path: Path, wanted: str) -> Link:
    if not path.is_file():
        return Link(what, str(path), "missing")
    found = sha256(path)
    return Link(
        what, f"{path} {_short(found)}", "" if found == wanted else f"not {_short(wanted)}, as it was scored with"
    )


def _short(checksum: str) -> str:
    return checksum[:SHOWN]


def chosen(results: Path, number: int | None, wanted: Mapping[str, Any]) -> dict[str, str]:
    """The one row with line `number` of results.csv (the first row is line 2), or with the values `wanted`, as text.

    Raises HarnessError for none, for several, and for a file that is no results.csv.
    """
    rows = csv_files.read(results, NAMED, "name the results.csv of a study")
    rows = rows if number is None else rows[number - 2 : number - 1]
    for key, value in wanted.items():
        known = {row[key] for row in rows}
        if str(value) not in known:
            raise HarnessError(f"{results}: no row has {key} {value}; {choices(value, sorted(known))}")
        rows = [row for row in rows if row[key] == str(value)]
    if len(rows) != 1:
        named = ", ".join(f"{key} {value}" for key, value in wanted.items()) or f"line {number}"
        hint = "name method, task, seed, score, protocol and metric" if rows else "see how many the file has"
        raise HarnessError(f"{results}: {len(rows)} rows have {named}; {hint}")
    return rows[0]
