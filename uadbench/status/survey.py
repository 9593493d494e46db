"""Progress of an experiment, read from the files in its folder."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json
from uadbench.core.study_folder import ROOT, RUN, STATE, Job, StudyFolder
from uadbench.core.validation import check_record
from uadbench.status import logs
from uadbench.study.experiment import Experiment
from uadbench.training.record import Finished

#: seconds without file changes after which a training counts as stopped; it logs a line every 30 s
SILENCE = 300.0


@dataclass(frozen=True)
class Stage:
    """One stage of the study, with the number of its existing outputs."""

    name: str
    done: int
    planned: int | None  # None if known from neither a config nor the folder


@dataclass(frozen=True)
class Training:
    """One training, by its folder and its log."""

    method: str
    modality: str
    seed: int
    state: str  # finished, running, stopped or failed
    last_seen: float  # seconds since 1970
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    validation: float | None = None
    seconds: float | None = None  # duration of the whole training: measured if finished, else estimated
    seconds_left: float | None = None  # of a running training

    @property
    def job(self) -> Job:
        """Its key in a plan."""
        return Job(self.method, self.modality, self.seed)


@dataclass(frozen=True)
class Status:
    """Progress of an experiment."""

    folder: str
    configs: tuple[str, ...]  # source of the plan; empty without one
    stages: list[Stage]
    trainings: list[Training]
    not_begun: int | None
    not_planned: int
    failures: list[logs.Failure]
    last_change: float | None  # seconds since 1970
    seconds_left: float | None = None  # until the last planned training ends, at the current number of parallel runs
    unknown: list[str] = field(default_factory=list)  # waiting methods without any timing: not in seconds_left


def experiments() -> list[Path]:
    """The folders of experiments below `results`."""
    return sorted(path for path in ROOT.glob("*") if StudyFolder(path).logs.is_dir())


def runs(*folders: Path) -> list[Path]:
    """The folders of the finished trainings of experiments, by default of all below `results`."""
    return [run for folder in folders or experiments() for run in StudyFolder(folder).finished()]


def scan(path: Path, plan: Experiment | None, configs: tuple[str, ...], now: float) -> Status:
    """Read the folder of an experiment, such as `results/demo`.

    plan: the experiment of the files `configs`, to count against; now: in seconds since 1970.
    """
    shared = (plan.folder.shared_data, plan.folder.shared_runs) if plan else ()
    folder = StudyFolder(path, *shared)
    wanted, recorded = (set(plan.trainings), set(plan.runs) - set(plan.trainings)) if plan else (set(), set())
    failures = [failure for log in sorted(folder.logs.rglob("*.log")) if (failure := logs.failure(folder, log))]
    failed = {failure.log for failure in failures}
    jobs = [job for job in folder.begun() if job in wanted or not (job in recorded or _untrained(folder.run(*job)))]
    trainings = [_training(folder, job, failed, now) for job in jobs]
    begun = {training.job for training in trainings}
    left, unknown = _time_left(trainings, wanted - begun)
    written = [path.stat().st_mtime for path in _signs(folder)]
    return Status(
        folder=path.as_posix(),
        configs=configs if plan else (),
        stages=_stages(folder, plan, {training.job for training in trainings if training.state == "finished"}),
        trainings=trainings,
        not_begun=len(wanted - begun) if plan else None,
        not_planned=0 if plan is None or plan.config.runs else len(begun - wanted),
        failures=failures,
        last_change=max(written, default=None),
        seconds_left=left if plan else None,
        unknown=unknown,
    )


def _stages(folder: StudyFolder, plan: Experiment | None, finished: set[Job]) -> list[Stage]:
    """The stages in the order of the study, counted against the plan if given."""
    packed = folder.packed_datasets()
    rendered = {path.name for pattern in ("*.md", "*.pdf") for path in folder.paper.glob(pattern)}
    files = [f"{name}.md" for name in plan.tables] + [f"{name}.pdf" for name in plan.figures] if plan else None
    return [
        _subjects(folder, packed),
        _stage("data sets packed", packed, plan.datasets if plan else None),
        _stage("trainings finished", finished, plan.trainings if plan else None),
        _stage("test sets scored", folder.scored(), plan.tests if plan else None),
        _stage("tables and figures", rendered, files),
    ]


def _stage(name: str, done: set[Any], planned: Iterable[Any] | None) -> Stage:
    if planned is None:
        return Stage(name, len(done), None)
    wanted = set(planned)
    return Stage(name, len(done & wanted), len(wanted))


def _subjects(folder: StudyFolder, packed: set[str]) -> Stage:
    """Subjects with finished preprocessing; all of a packed data set, including lost ones."""
    done = planned = 0
    for sheet in folder.sheets():
        rows = max(0, len(sheet.read_bytes().splitlines()) - 1)
        planned += rows
        dataset = sheet.parent.name
        done += rows if dataset in packed else min(rows, len(folder.subjects(dataset)))
    return Stage("subjects preprocessed", done, planned or None)


def _training(folder: StudyFolder, job: Job, failed: set[str], now: float) -> Training:
    run, log = folder.run(*job), folder.training_log(*job)
    if (run / RUN).is_file():
        about = _record(run / RUN)
        last, seen = about.get("final") or {}, (run / RUN).stat().st_mtime
        loss, validation, seconds = last.get("loss"), last.get("validation"), about.get("seconds")
        return Training(*job, "finished", seen, loss=loss, validation=validation, seconds=seconds)
    seen = max((path.stat().st_mtime for path in (run / STATE, log, run) if path.exists()), default=0.0)
    state = "failed" if log.as_posix() in failed else "running" if now - seen < SILENCE else "stopped"
    matches = [match for line in logs.tail(log) if (match := logs.STEP.search(line))]
    if not matches:
        return Training(*job, state, seen)
    found = {name: float(number) if number else None for name, number in matches[-1].groupdict().items()}
    step, steps, rate, left = int(found["step"] or 0), int(found["steps"] or 0), found["rate"], found["left"]
    seconds = steps / rate if rate else None
    if left is not None:
        left = max(0.0, left - (now - log.stat().st_mtime)) if state == "running" else None
    return Training(*job, state, seen, step, steps, found["loss"], found["validation"], seconds, left)


def _untrained(run: Path) -> bool:
    """Whether a folder is the run of a method that has nothing to train."""
    return (run / RUN).is_file() and _record(run / RUN).get("final", {}) is None


def _time_left(trainings: list[Training], waiting: Iterable[Job]) -> tuple[float | None, list[str]]:
    """Seconds until all trainings are finished, and the waiting methods of unknown duration.

    Waiting trainings are expected to take the mean of their method and modality, or else of their method, at the
    current number of parallel runs.
    """
    running = [training for training in trainings if training.state == "running"]
    if not running:
        return None, []
    unknown = set()
    waiting = [*waiting, *(training.job for training in trainings if training.state in ("stopped", "failed"))]
    waiting += [training.job for training in running if training.seconds_left is None]
    left = [training.seconds_left for training in running if training.seconds_left is not None]
    total, longest = sum(left), max(left, default=0.0)
    for method, modality, _ in waiting:
        timed = [t for t in trainings if t.method == method and t.seconds is not None]
        durations = [t.seconds for t in timed if t.modality == modality] or [t.seconds for t in timed]
        if durations:
            total += sum(filter(None, durations)) / len(durations)
        else:
            unknown.add(method)
    return max(longest, total / len(running)), sorted(unknown)


def _record(path: Path) -> dict[str, Any]:
    """A run's record; empty if unreadable, since `status` must not fail where a job does."""
    try:
        content: dict[str, Any] = read_json(path)
        check_record(content, Finished, str(path), "")
    except (OSError, ValueError, HarnessError):
        return {}
    return content


def _signs(folder: StudyFolder) -> list[Path]:
    """Files whose modification times show activity."""
    runs = [path for job in folder.begun() for path in folder.run(*job).glob("*")]
    found = [*folder.logs.rglob("*.log"), *folder.paper.glob("*"), *runs]
    return [path for path in (*found, *folder.subjects()) if path.exists()]
