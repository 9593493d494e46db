"""Outputs of a study and the settings that each is made with, recorded beside it and compared when the next run starts.

Snakemake notes settings too, but without their names, and in a folder that copies of the results leave behind.
"""

import base64
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from uadbench.core import checksums, csv_files
from uadbench.core.errors import HarnessError
from uadbench.core.files import note_new, read_json, write_json
from uadbench.core.plugins import literals
from uadbench.core.study_folder import (
    CHUNKS,
    FETCHED,
    FINDINGS,
    INDEX,
    MANIFEST,
    PARAMS,
    RECIPE,
    RUN,
    SHEET,
    Job,
    settings_file,
)
from uadbench.methods import settings
from uadbench.study.experiment import Experiment

Parts = dict[str, Any]
LIBRARY = Path(__file__).resolve().parents[1]
AHEAD = 60.0  # seconds that clocks of one network may differ


@dataclass(frozen=True)
class Output:
    """A file, by which its job is known, and all that decides it besides the input files, by name.

    former: what else in the study tells of this where no record does, as in studies of earlier versions.
    later: parts that records of earlier versions lack, since the config said nothing of them: None.
    """

    path: Path
    parts: Parts
    former: Callable[[], Parts] = dict
    later: tuple[str, ...] = ()

    def stale(self) -> bool:
        """Whether it was made with other settings. A part that its record lacks, as older ones may, counts as equal."""
        made, wanted = self._made() if self.path.exists() else {}, json.loads(json.dumps(self.parts))
        return any(name in made and made[name] != value for name, value in wanted.items())

    def note(self) -> None:
        """Record for the next run what is known of a file without a record, before a job changes what tells of it."""
        if self.path.exists() and not self._record.exists() and (made := self._made()):
            write_json(self._record, made)
            checksums.forget(self._record)  # the shell of a job writes it next, and notes none

    @property
    def _record(self) -> Path:
        """The file that says what it was made with, which may be itself."""
        return self.path if self.path.name in (RECIPE, PARAMS) else settings_file(self.path)

    def _made(self) -> Parts:
        try:
            made = read_json(self._record)
            return self._unset | made if isinstance(made, dict) else {}
        except ValueError:  # cut off when its job was killed
            return {}
        except OSError:
            return self._unset | self.former()

    @property
    def _unset(self) -> Parts:
        return dict.fromkeys(self.later)


def outputs(study: Experiment) -> Iterator[Output]:
    """All outputs of a study that settings decide."""
    for dataset in study.datasets:
        yield from _data(study, dataset)
    for method, modality in study.configured:
        path, parts = study.folder.params(method, modality), json.loads(study.settings(method, modality).text)
        yield Output(path, parts, later=("postprocessing",))
    for run in study.runs:
        path, parts = study.folder.run(*run) / RUN, json.loads(study.settings(run.method, run.part).training)
        yield Output(path, parts | {"data": study.train}, lambda path=path: _of_run(path))  # type: ignore[misc]
    together = {"seeds": sorted(study.seeds)} if one_job(study) else {}
    for test in study.tests:
        yield _test(study, test, together)
    yield from _results(study)


def begin(study: Experiment, written: Iterable[Path]) -> None:
    """Note what the study's files tell before jobs change them. written: outputs of the jobs of this run."""
    for output in outputs(study):
        if study.folder.path in output.path.parents:
            output.note()
    for path in set(_of_shell(study)).intersection(written):
        checksums.forget(path)  # until `end`, which a killed run does not reach


def end(study: Experiment) -> None:
    """Note the checksums of the files that the shell of a rule has written."""
    for path in _of_shell(study):
        note_new(path)


def _of_shell(study: Experiment) -> list[Path]:
    """Files that no command of uadbench writes."""
    params = [study.folder.params(*run) for run in study.configured]
    return [*params, *(study.folder.dataset(name) / RECIPE for name in study.datasets)]


def reports(study: Experiment, dataset: str) -> list[Path]:
    """Reports of the preprocessing of a data set, one of each of `chunks` jobs.

    A packed data set has the jobs that it was made with: another number would make the same volumes again.
    """
    folder, number = study.folder.dataset(dataset) / CHUNKS, study.config.chunks
    if (study.folder.packed(dataset) / INDEX).is_file() and not all(path.is_file() for path in _parts(folder, number)):
        numbers = {int(path.stem.partition("-of-")[2]) for path in folder.glob("*-of-*.csv")}
        whole = [number for number in numbers if all(path.is_file() for path in _parts(folder, number))]
        number = max(whole, key=lambda number: _parts(folder, number)[0].stat().st_mtime, default=number)
    return _parts(folder, number)


def one_job(study: Experiment) -> bool:
    """Whether one job scores a task with the runs of all seeds, as the config says: scores that are there stay."""
    findings = (study.folder.scores(*test) / FINDINGS for test in study.tests)
    records = [made for path in findings if settings_file(path).is_file() and (made := Output(path, {})._made())]
    return any("seeds" in made for made in records) if records else study.config.seeds_together


def ahead(paths: Iterable[Path]) -> str | None:
    """The warning, in one line, of files whose times lie ahead of this computer's clock; None without such files."""
    now, times = time.time(), {path: path.stat().st_mtime for path in paths if path.exists()}
    later = [path for path in times if times[path] > now + AHEAD]
    if not later:
        return None
    first = max(later, key=times.__getitem__)
    return (
        f"{first}: and {len(later) - 1} other results are newer than this computer's clock, by up to "
        f"{(times[first] - now) / 3600:.1f} hours; set the clock if it is slow, else give the files the present time: "
        "repeat the command with --touch --forceall"
    )


def _parts(folder: Path, number: int) -> list[Path]:
    return [folder / f"{part}-of-{number}.csv" for part in range(1, number + 1)]


def _revision(module: str) -> int:
    """REVISION of a module of the library, raised when its results change."""
    return int(literals(LIBRARY / f"{module}.py")["REVISION"])


def _data(study: Experiment, dataset: str) -> Iterator[Output]:
    folder, recipe = study.folder.dataset(dataset), study.recipe(dataset)

    def noted(*keys: str) -> Callable[[], Parts]:
        """What recipe.json tells: parts that differ, unnamed, where it has other values under these keys."""

        def former() -> Parts:
            made = read_json(folder / RECIPE) if (folder / RECIPE).is_file() else recipe
            wanted = json.loads(json.dumps({key: value for key, value in recipe.items() if key.startswith(keys)}))
            same = all(made.get(key) == value for key, value in wanted.items())
            return {} if same else {"options": None, "settings": None}

        return former

    yield Output(folder / RECIPE, recipe, later=tuple(recipe))
    if dataset in study.simulated and (made := study.config.simulate):
        manifest = study.folder.raw(dataset) / MANIFEST
        parts = {"layout": study.datasets[dataset].layout, "seed": made.seed, "spacing": made.spacing}
        parts |= {"subjects": made.subjects[dataset], "revision": _revision("simulation/cohort")}
        yield Output(manifest, parts, lambda: _of_manifest(manifest))
    if study.datasets[dataset].fetch:
        yield Output(folder / FETCHED, {"options": study.fetch_options(dataset)})
    yield Output(folder / SHEET, {"options": study.selection(dataset)}, noted("role", f"datasets.{dataset}."))
    parts = {"settings": vars(study.preprocessing), "modalities": study.registered(dataset)}
    parts |= {"revision": _revision("data/preprocessing/records/record")}
    for report in reports(study, dataset):
        yield Output(report, parts, noted("preprocessing.", "modalities"))


def _test(study: Experiment, test: Job, together: Parts) -> Output:
    task = study.task(test.part)
    parts = json.loads(study.settings(test.method, task.modality, test.seed).scoring)
    parts |= {"modality": task.modality, "data": task.dataset, "labels": study.label_options(task.dataset)}
    parts |= {"healthy": study.train, "run": study.trained_as(test.method, task.modality)}
    parts |= {"scoring": _revision("evaluation/inference/inference"), **together}
    if test.method == study.illustrated and test.seed == study.seeds[0]:  # which Figure 3 shows
        parts |= {"examples": study.config.evaluation.examples}

    path, noted = study.folder.scores(*test) / FINDINGS, study.folder.params(test.method, task.modality)

    def former() -> Parts:
        made = _noted(path, **{name: parts[name] for name in ("labels", "examples") if name in parts})
        if not noted.is_file():
            return made | together
        scored = settings.read(read_json(noted), str(noted))
        return (
            made
            | together
            | json.loads((scored if test.seed in study.curve_seeds else scored.without_curves()).scoring)
        )

    return Output(path, parts, former, later=("postprocessing",))


def _results(study: Experiment) -> Iterator[Output]:
    folder, modality = study.folder, study.modalities[0]
    everything = {"methods": sorted(study.methods), "seeds": sorted(study.seeds)}
    tests = {"tasks": sorted(task.name for task in study.tasks), "protocols": sorted(study.protocols)}
    parts = {**everything, **tests, "resamples": study.config.evaluation.resamples, "titles": study.titles}
    parts |= {"revision": _revision("evaluation/summary/comparisons"), "tuned_on": study.tuned_on or None}
    parts |= {"missing": study.missing or None, "compared": sorted(study.config.evaluation.compared)}
    parts |= {"releases": study.releases}
    former = partial(_noted, folder.results, resamples=study.config.evaluation.resamples)
    yield Output(folder.results, parts, former, later=("tuned_on", "missing"))
    runs = sorted({f"{run.method}/{run.part}" for run in study.runs})
    parts = {"runs": runs, "seeds": everything["seeds"], "titles": study.titles}
    yield Output(folder.histories, {**parts, "revision": _revision("training/histories")})
    yield Output(
        folder.synthesis,
        {**json.loads(study.settings(study.illustrated, modality).training), "modality": modality, "data": study.train},
    )
    shown: Parts = {"method": study.illustrated, "protocol": study.protocols[0]}
    paper = study.config.paper
    quoted: Parts = {"references": paper.references or None, "width": None if paper.width == "page" else paper.width}
    files: dict[Path, Parts] = {folder.paper / f"{table}.csv": shown | quoted for table in study.tables}
    files |= {
        folder.paper / f"{figure}.pdf": shown | {"width": quoted["width"], "seed": study.seeds[0]}
        for figure in study.figures
    }
    for path, parts in files.items():
        yield Output(path, parts, lambda path=path: _noted(path, **shown), later=("references", "width"))  # type: ignore[misc]
    config = study.config.deciding
    yield Output(folder.report, {"config": config}, lambda: _noted(folder.report, config=config))


def _noted(path: Path, **parts: Any) -> Parts:
    """Parts that differ, as None, from what Snakemake noted, where earlier versions left that to it."""
    record = Path(".snakemake", "metadata", base64.urlsafe_b64encode(path.as_posix().encode()).decode())
    try:
        values = read_json(record)["params"]
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return {name: None for name, value in parts.items() if repr(value) not in values}


def _of_manifest(path: Path) -> Parts:
    try:
        rows = csv_files.read(path, ("seed", "spacing"), "simulate again")
        return {"subjects": len(rows), "seed": int(rows[0]["seed"]), "spacing": float(rows[0]["spacing"])}
    except (HarnessError, ValueError, IndexError):
        return {}


def _of_run(path: Path) -> Parts:
    try:
        about = read_json(path)
        return {**json.loads(settings.read(about, str(path)).training), "data": about["dataset"]}
    except ValueError:  # damaged: whoever reads it says so
        return {}
    except (HarnessError, LookupError, TypeError):  # of other hyper-parameters than the method has now
        return {"params": None}
