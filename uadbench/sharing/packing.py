"""Packing of a run: a folder with record, history, weights, model card, and the run that it requires."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uadbench.core import csv_files
from uadbench.core.errors import HarnessError
from uadbench.core.faults import NO_FILE
from uadbench.core.files import atomic, content, verify, write_json
from uadbench.core.study_folder import HISTORY, RUN, WEIGHTS, StudyFolder
from uadbench.methods import registry
from uadbench.methods.settings import of_run
from uadbench.paper.histories import NUMBERS
from uadbench.paper.results import read_rows
from uadbench.sharing import surroundings
from uadbench.sharing.card import card
from uadbench.sharing.contents import CARD, REQUIRED, WEIGHTS_LIMIT, check_method
from uadbench.sharing.licences import Origin, permitted
from uadbench.training.histories import ROW
from uadbench.training.record import Complete, record

DATED = ("seconds", "environment")  # keys of a record that differ between equal trainings, as the history's times do
FILE = re.compile(r"[/\\]|\.(pth?|nii|gz|safetensors)$")  # in a value that is the path of a file


@dataclass(frozen=True)
class Run:
    """A finished run on this machine, whose weights are as `run.json` records them.

    files: paths of local files that scoring needs besides, by their setting in `run.json`, such as `params.weights`.
    """

    folder: Path
    about: dict[str, Any]
    files: dict[str, Path]

    @classmethod
    def open(cls, folder: Path) -> Run:
        """Raises HarnessError where the folder holds no run, one of another revision, or damaged weights."""
        about = record(folder, kind=Complete)
        _check_links(folder, about["weights"])
        check_method(about, str(folder))
        verify(folder / WEIGHTS, about["weights"], "train it again")
        scored = of_run(folder, about)  # as the study that it lies in scores it
        about |= {"params": scored.values, "postprocessing": scored.filters}
        return cls(folder, about, _local_files(about))

    def copy(self, folder: Path, history: bool = True) -> None:
        """Copy record, history and the recorded weights. Paths of this machine are cut to names of files."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / WEIGHTS).mkdir()
        for name in self.about["weights"]:
            target = folder / WEIGHTS / name
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(self.folder / WEIGHTS / name, target)
        if history and (self.folder / HISTORY).is_file():
            csv_files.write(folder / HISTORY, ROW, _history(self.folder / HISTORY))
        about = {**self.about}
        for key, path in self.files.items():
            part, name = key.split(".")
            about[part] = {**about[part], name: path.name}
        write_json(folder / RUN, about)


def pack(
    folder: Path,
    out: Path,
    required: Path | None = None,
    release: str | None = None,
    licence: str | None = None,
    may_share: bool = False,
    repo: str | None = None,
    note: Path | None = None,
    undated: bool = False,
) -> list[str]:
    """Pack the run of a folder, and the one that it requires, into the folder `out`; returns warnings.

    required: that run; by default the one of the same modality and seed in the same study. release: of the training
    data, in datasets.csv; licence: identifier of the weights' licence, by default that of the data. note: Markdown
    file for the card. undated: leave out what differs between two equal trainings, so that both are packed into the
    same bytes.
    Raises HarnessError for an incomplete run, a folder that holds something, and data whose licence is not open.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise HarnessError(f"{out}: exists already; name a new folder")
    warnings: list[str] = []
    run = Run.open(folder)
    parent = _parent(run, required)
    by_protocol = surroundings.results(folder, warnings)
    if found := surroundings.thresholds(run.about, by_protocol):
        run.about["thresholds"] = found
    runs = [run] if parent is None else [run, parent]
    weights = [each.folder / WEIGHTS / name for each in runs for name in each.about["weights"]]
    if sum(path.stat().st_size for path in weights) > WEIGHTS_LIMIT:
        raise HarnessError(f"{folder}: weights of more than {WEIGHTS_LIMIT / 2**30:g} GiB; `score` refuses them")
    origins = [Origin.of(each.about, release) for each in runs]
    warnings += permitted(origins, may_share)
    files = dict(run.files)
    if parent is not None:  # a file of both is listed once
        files |= {f"{REQUIRED}.{key}": path for key, path in parent.files.items() if path not in run.files.values()}
    warnings += [f"{key}: the file {path.name} is not packed; whoever scores needs it" for key, path in files.items()]
    if undated:
        for each in runs:
            for key in DATED:
                each.about.pop(key, None)
            (each.about.get("final") or {}).pop("seconds", None)
    noted = _text(note) if note else ""
    above = parent.about if parent else None
    text, more = card(run.folder, run.about, above, origins, licence, repo, files, by_protocol, noted)
    with atomic(out) as partial:
        run.copy(partial, history=not undated)
        if parent is not None:
            parent.copy(partial / REQUIRED, history=not undated)
        (partial / CARD).write_text(text, encoding="utf-8")
    return warnings + more


def _check_links(folder: Path, weights: Iterable[str]) -> None:
    """Raise HarnessError where a file of a run is a link: it would share what lies elsewhere on this machine."""
    files = {part for name in weights for part in (Path(name), *Path(name).parents)}
    for path in (folder / RUN, folder / HISTORY, *(folder / WEIGHTS / file for file in sorted(files))):
        if path.is_symlink():
            raise HarnessError(f"{path}: is a link; copy the run without links (cp -rL), and share the copy")


def _history(path: Path) -> list[dict[str, Any]]:
    """Rows of a history: names of phases and numbers, and nothing else that the file may hold."""
    rows = read_rows(path, ROW, NUMBERS, "train this run again")
    if wrong := [phase for phase in rows["phase"] if not re.fullmatch(r"\w{1,40}", phase)]:
        raise HarnessError(f"{path}: {wrong[0]!r} is no name of a phase; train this run again")
    return [{name: row[name] for name in ROW} for row in csv_files.read(path, ROW, "train this run again")]


def _text(note: Path) -> str:
    try:
        return content(note).decode("utf-8").strip()
    except (*NO_FILE, UnicodeDecodeError):
        raise HarnessError(f"{note}: no text in UTF-8; give a file of Markdown with --note") from None


def _parent(run: Run, required: Path | None) -> Run | None:
    """The run that another requires. Raises HarnessError where it is missing or of another method or modality."""
    wanted = registry.describe(registry.base(run.about["method"])).requires
    if wanted is None:
        return None
    modality, seed = run.about["modality"], run.about["seed"]
    study = StudyFolder.around(run.folder)
    for folder in (required, run.folder / REQUIRED, study.run(wanted, modality, seed) if study else None):
        if folder is not None and (folder == required or (folder / RUN).is_file()):
            parent = Run.open(folder)
            if registry.base(parent.about["method"]) != wanted or parent.about["modality"] != modality:
                raise HarnessError(f"{folder}: not a run of {wanted} on {modality}; name one with --required")
            return parent
    raise HarnessError(f"{run.folder}: {run.about['method']} builds on a run of {wanted}; name it with --required")


def _local_files(about: dict[str, Any]) -> dict[str, Path]:
    """Hyper-parameters and settings of preprocessing that are paths of files."""
    parts = {part: about.get(part) or {} for part in ("params", "preprocessing")}
    return {
        f"{part}.{key}": Path(value)
        for part, values in parts.items()
        for key, value in values.items()
        if isinstance(value, str) and FILE.search(value)
    }
