"""What a study will run: jobs by stage, those that are there, and hours, memory and disk of the others.

Times are measured where jobs of the same kind have ended, else estimated by the budgets of the workflow's jobs.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import median

from uadbench.core.errors import HarnessError
from uadbench.core.study_folder import FINDINGS, INDEX, MANIFEST, QUALITY_TABLE, RUN, SHEET, Job, by_seed
from uadbench.methods import settings
from uadbench.status import survey
from uadbench.study import budget as budgets
from uadbench.study import estimate, outputs
from uadbench.study.budget import Budget
from uadbench.study.experiment import Experiment
from uadbench.study.outputs import Output
from uadbench.training.record import Complete, record

HEAD = ("stage", "jobs", "there", "to run", "hours", "memory, GB", "disk, GB", "based on")
UNKNOWN = "–"


@dataclass(frozen=True)
class Work:
    """One job: whether its output is there, what is expected of it, and the file with its measured time and memory.

    kind: of jobs that take the same time. gigabytes: what it leaves on the disk; None where nobody knows. place: the
    file or folder that tells, once a job of its kind has left one.
    """

    stage: str
    kind: str
    there: bool
    budget: Budget | None = None
    benchmark: Path | None = None
    together: int = 1  # jobs of one benchmark
    gigabytes: float | None = None
    place: Path | None = None
    timed: bool | None = None  # whether the benchmark is of these settings; default: there


@dataclass(frozen=True)
class Measured:
    """Times in seconds, peaks of memory in MB and sizes in GB of jobs of one kind that have ended."""

    seconds: list[float]
    megabytes: list[float]
    gigabytes: list[float]


@dataclass(frozen=True)
class Forecast:
    """The plan of an experiment; gpu: whether networks are expected to compute on one.

    rehearsed: expected seconds of a job by kind, in place of estimates.
    """

    study: Experiment
    gpu: bool
    rehearsed: Mapping[str, float] = field(default_factory=dict)

    @property
    def guessed(self) -> set[str]:
        """Kinds of the jobs that are to run and that nothing has measured."""
        return {work.kind for work in self.works if not work.there and not self.measured[work.kind].seconds}

    def lines(self) -> Iterator[str]:
        """The plan as a Markdown table, and notes."""
        yield f"| {' | '.join(HEAD)} |"
        yield "|---" + "|--:" * (len(HEAD) - 2) + "|---|"
        stages: defaultdict[str, list[Work]] = defaultdict(list)
        for work in self.works:
            stages[work.stage].append(work)
        for stage, works in (*stages.items(), ("all", self.works)):
            left = [work for work in works if not work.there]
            cells = [stage, *map(str, (len(works), len(works) - len(left), len(left))), *self._cells(left)]
            yield f"| {' | '.join(cells)} |"

    def _cells(self, left: list[Work]) -> list[str]:
        """Hours and disk of jobs together, the memory of the largest, and what tells."""
        if not left:
            return ["", "", "", ""]
        seconds = [number for work in left if (number := self._seconds(work)) is not None]
        memory = [number for work in left if (number := self._megabytes(work)) is not None]
        disk = [number for work in left if (number := self._gigabytes(work)) is not None]
        timed = {work.kind: len(self.measured[work.kind].seconds) for work in left if self.measured[work.kind].seconds}
        number = sum(timed.values())
        bases = [f"measured ({number} job{'s' * (number > 1)})"] if timed else []
        others = [work for work in left if work.kind not in timed]
        bases += ["rehearsed"] * any(work.kind in self.rehearsed for work in others)
        bases += ["estimated"] * any(work.budget and work.kind not in self.rehearsed for work in others)
        return [
            f"{sum(seconds) / 3600:.3g}" if seconds else UNKNOWN,
            f"{max(memory) / 1e3:.1f}" if memory else UNKNOWN,
            f"{sum(disk):.3g}" if disk else UNKNOWN,
            " and ".join(bases) or UNKNOWN,
        ]

    def _seconds(self, work: Work) -> float | None:
        timed = self.measured[work.kind].seconds
        if timed or work.kind in self.rehearsed:
            return median(timed) if timed else self.rehearsed[work.kind]
        return work.budget.seconds if work.budget else None

    def _megabytes(self, work: Work) -> float | None:
        peaks = self.measured[work.kind].megabytes
        return max(peaks) if peaks else work.budget.megabytes if work.budget else None

    def _gigabytes(self, work: Work) -> float | None:
        sizes = self.measured[work.kind].gigabytes
        return work.gigabytes if work.gigabytes is not None else median(sizes) if sizes else None

    @cached_property
    def works(self) -> list[Work]:
        """All jobs but those of a second or two, in the order of the study."""
        return [*self._data(), *self._trainings(), *self._scorings(), *self._results()]

    @cached_property
    def measured(self) -> defaultdict[str, Measured]:
        """What ended jobs took, by kind; of trainings those of all experiments here with the same settings."""
        found: defaultdict[str, Measured] = defaultdict(lambda: Measured([], [], []))
        for work in self.works:
            timed = work.there if work.timed is None else work.timed
            if timed and work.benchmark and work.benchmark.is_file():
                seconds, megabytes = _benchmark(work.benchmark)
                found[work.kind].seconds.append(seconds / work.together)
                found[work.kind].megabytes.extend(megabytes)
            if work.there and work.place:
                found[work.kind].gigabytes.append(_size(work.place))
        for kind, seconds in self._elsewhere():
            found[kind].seconds.append(seconds)
        return found

    def _elsewhere(self) -> Iterator[tuple[str, float]]:
        """Kinds and times of trainings with the same settings and voxels, which other experiments have."""
        wanted = {(run.method, run.part): self.study.settings(run.method, run.part).training for run in self.study.runs}
        for path in survey.runs():
            try:
                about = record(path, kind=Complete)
                key = about["method"], about["modality"]
                same = key in wanted and settings.read(about, str(path)).training == wanted[key]
                same = same and about["spacing"] == self.study.preprocessing.spacing
            except (HarnessError, LookupError):  # of a version or a baseline that is not here
                continue
            if same and self.study.folder.run(*key, about["seed"]).resolve() != path.resolve():
                yield kind_of("train", *key), float(about["seconds"])

    @cached_property
    def _stale(self) -> dict[Path, Output]:
        """Files of the study that were made with other settings."""
        return {output.path: output for output in outputs.outputs(self.study) if output.stale()}

    def _alike(self, path: Path) -> bool:
        """Whether a scoring that is there has other settings in nothing but the seeds that its job scored together."""
        if (output := self._stale.get(path)) is None:
            return path.exists()
        parts = {name: value for name, value in output.parts.items() if name != "seeds"}
        return not replace(output, parts=parts).stale()

    def _done(self, *paths: Path) -> bool:
        return all(path.exists() and path not in self._stale for path in paths)

    def _packed(self, dataset: str) -> bool:
        """Whether the arrays of a data set are there, made of what the config says."""
        folder, raw = self.study.folder.dataset(dataset), self.study.folder.raw(dataset)
        before = {folder / SHEET, raw / MANIFEST, *outputs.reports(self.study, dataset)}
        return self._done(self.study.folder.packed(dataset) / INDEX) and not before & {*self._stale}

    def _data(self) -> Iterator[Work]:
        study, spacing = self.study, self.study.preprocessing.spacing
        sources = {entry.source: name for name, entry in study.datasets.items() if entry.source}
        for name in sources.values():
            there = Path(str(study.datasets[name].root)).exists() or self._packed(name)
            yield Work("download", "download", there, gigabytes=estimate.download(study, name))
        made = study.config.simulate
        for name in study.simulated if made else ():
            if made and name in study.datasets:
                there = self._packed(name) or self._done(study.folder.raw(name) / MANIFEST)
                yield self._of_dataset("simulate", name, there, budgets.simulate(study.simulated[name], made.spacing))
        for name in study.datasets:
            reports, subjects = outputs.reports(study, name), estimate.subjects(study, name)
            ready = self._packed(name) or study.folder.dataset(name) / SHEET not in self._stale
            each = budgets.preprocess(subjects / len(reports), spacing)
            for report in reports:
                there = self._packed(name) or (ready and self._done(report))
                benchmark = study.folder.benchmarks / "preprocess" / name / f"{report.stem}.tsv"
                yield Work("preprocess", kind_of("preprocess", name), there, each, benchmark)
            size, pack = estimate.arrays(study, name), budgets.pack(subjects, spacing)
            yield self._of_dataset("pack", name, self._packed(name), pack, size)
            there = self._packed(name) and self._done(study.folder.quality(name) / QUALITY_TABLE)
            yield self._of_dataset("quality", name, there, budgets.quality(subjects, spacing))

    def _of_dataset(self, stage: str, name: str, there: bool, budget: Budget, size: float | None = None) -> Work:
        benchmark = self.study.folder.benchmarks / stage / f"{name}.tsv"
        return Work(stage, kind_of(stage, name), there, budget, benchmark, gigabytes=size)

    def _trained(self, run: Job) -> bool:
        parent = self.study.describe(run.method).requires
        before = [self.study.folder.run(parent, run.part, run.seed) / RUN] if parent else []
        return self._packed(self.study.train) and self._done(*before, self.study.folder.run(*run) / RUN)

    def _trainings(self) -> Iterator[Work]:
        for run in self.study.trainings:
            method, modality, seed = run
            benchmark = self.study.folder.benchmarks / "train" / f"{method}-{modality}-seed-{seed}.tsv"
            budget, place = estimate.training(self.study, run, self.gpu), self.study.folder.run(*run)
            kind = kind_of("train", method, modality)
            yield Work(f"train {method}", kind, self._trained(run), budget, benchmark, place=place)

    def _scorings(self) -> Iterator[Work]:
        study, together = self.study, outputs.one_job(self.study)
        for test in study.tests:
            method, task, seed = test
            about = study.task(task)
            run = Job(study.trained_as(method, about.modality), about.modality, seed)
            place, ready = study.folder.scores(*test), self._trained(run) and self._packed(about.dataset)
            name = f"{method}-{task}.tsv" if together else f"{method}-{task}-seed-{seed}.tsv"
            yield Work(
                f"score {method}",
                kind_of("score", method, task),
                ready and self._done(place / FINDINGS),
                estimate.scoring(study, test, self.gpu) if study.describe(method).trains else None,
                study.folder.benchmarks / "test" / name,
                max(1, len(by_seed(place.parent, FINDINGS))) if together else 1,
                place=place,
                timed=self._alike(place / FINDINGS),
            )

    def _results(self) -> Iterator[Work]:
        study, folder = self.study, self.study.folder
        scored = all(work.there for work in self._scorings())
        budget = budgets.summarize(len(study.tests) * len(study.protocols), len(study.methods))
        ready = scored and self._done(folder.results, folder.subgroups, *folder.statements)
        yield Work("summarize", "summarize", ready, budget, folder.benchmarks / "summarize.tsv")
        files = [f"{name}.csv" for name in study.tables] + [f"{name}.pdf" for name in study.figures]
        for path in [*(folder.paper / name for name in files), folder.report]:
            yield Work("tables, figures, report", "paper", ready and self._done(path))


def kind_of(*words: str) -> str:
    """Name of jobs that take the same time: stage, method or data set, and modality or task."""
    return " ".join(words)


def _benchmark(path: Path) -> tuple[float, list[float]]:
    """Seconds of the job of a benchmark of Snakemake, and its peak of memory in MB, unless it ended before that."""
    with path.open(encoding="utf-8", newline="") as stream:
        (row, *_) = csv.DictReader(stream, delimiter="\t")
    peaks = [float(row["max_rss"])] if row["max_rss"].replace(".", "").isdecimal() else []
    return float(row["s"]), peaks


def _size(place: Path) -> float:
    """Gigabytes of a file or of those in a folder."""
    files: Iterable[Path] = place.rglob("*") if place.is_dir() else [place]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e9
