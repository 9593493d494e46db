"""Folder of a study, results/EXPERIMENT: the one place that says where each of its files is. Imports nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path("results")

# Names of files and folders, which no other module quotes (tests/core/test_study_folder.py); what is in them:
# docs/architecture.md
SIMULATED = "SIMULATED"  # marks simulated scans
MANIFEST = "manifest.csv"  # of simulated scans
PARTICIPANTS = "participants.tsv"  # of BIDS
SIMULATIONS = ".simulated"  # folder with a record of each simulated subject
SIMULATING = "lock"  # in that folder
FETCHED = "fetched.json"  # what was downloaded
SHEET = "subjects.csv"
RECIPE = "recipe.json"  # the settings that a data set was made with
CHUNKS, REGISTERED, PACKED, QUALITY = "chunks", "registered", "packed", "quality"  # folders
SUBJECT = "subject.json"  # of a registered subject
BEFORE = "before.npz"  # pictures of its scan
INDEX = "index.json"  # of packed arrays
QUALITY_TABLE, QUALITY_PAGE = "quality.csv", "quality.html"
PARAMS = "params.json"  # the hyper-parameters of the runs beside it
RUN = "run.json"  # the record of a finished run
HISTORY = "history.csv"
WEIGHTS = "weights"  # folder
PATCH = "code.patch"  # of code that differs from its commit
STATE = "state.pt"  # of an unfinished training
HISTORIES = "histories.csv"
FINDINGS = "findings.npz"
EXAMPLES = "examples.npz"
VOLUMES = "volumes.npz"
RESULTS = "results.csv"
COMPARISONS = "comparisons.csv"
ORDER = "order.csv"
SUBSETS, SUBGROUPS = "subsets.csv", "subgroup_means.csv"
PROFILES, RESTORATIONS = "profiles.csv", "restorations.csv"
SPEED = "speed.json"  # of step sizes, which a command measures
SYNTHESIS = "synthesis.npz"
REPORT = "report.html"
TENSORBOARD = "tensorboard"  # folder
PARTIAL = "partial"  # folder of what is made of the results of some methods, while others have none
CHECKSUMS = ".checksums"  # folder with those of all files
CONFIG = "config.json"  # in an excerpt, the config of its study
LOCK = ".running"  # of a folder in which a process works

TRAINING_LOG = re.compile(r"(?P<method>.+)-(?P<modality>[^-]+)-seed-(?P<seed>\d+)")


class Job(NamedTuple):
    """A training, or with a task in place of the modality the scoring of a test set."""

    method: str
    part: str  # modality or task
    seed: int


class StudyFolder:
    """Paths of a study. Methods with names of data sets, methods, … also accept Snakemake's wildcards such as `{seed}`.

    path: results/EXPERIMENT; shared_data, shared_runs: the same of the experiments whose data and runs it uses.
    partial: whether methods are left out, so that results and all that is made of them are in a folder apart.
    """

    def __init__(
        self, path: Path, shared_data: Path | None = None, shared_runs: Path | None = None, partial: bool = False
    ) -> None:
        self.path, self.shared_data, self.shared_runs = path, shared_data, shared_runs
        self.data = (shared_data or path) / "data"
        self.training = (shared_runs or path) / "training"
        self.evaluation = path / "evaluation"
        self.logs, self.benchmarks = path / "logs", path / "benchmarks"
        self.final = path / PARTIAL if partial else path
        self.results = self.final / "evaluation" / RESULTS
        self.comparisons = self.results.with_name(COMPARISONS)
        self.order, self.subsets = self.results.with_name(ORDER), self.results.with_name(SUBSETS)
        self.subgroups = self.results.with_name(SUBGROUPS)
        self.statements = [self.results.with_name(PROFILES), self.results.with_name(RESTORATIONS)]
        self.synthesis = self.results.with_name(SYNTHESIS)
        self.histories = self.final / "training" / HISTORIES
        self.paper = self.final / "paper"
        self.report = self.final / REPORT

    @property
    def exists(self) -> bool:
        """Whether any stage of an experiment has written there."""
        return any(part.is_dir() for part in (self.path / "data", self.training, self.evaluation, self.logs))

    @property
    def excerpt(self) -> bool:
        """Whether it is an excerpt of a study: with its config, which no study keeps, without logs, which all have."""
        return (self.path / CONFIG).is_file() and not self.logs.is_dir()

    @classmethod
    def around(cls, run: Path) -> StudyFolder | None:
        """The study that a run, results/EXPERIMENT/training/METHOD/MODALITY/seed-N, is in; None for one elsewhere."""
        parents = run.resolve().parents
        return cls(parents[3]) if len(parents) > 3 and parents[2].name == "training" else None

    def raw(self, dataset: str) -> Path:
        """Folder of simulated scans."""
        return self.data / "raw" / dataset

    def dataset(self, name: str) -> Path:
        """Folder of a data set: sheet, reports of chunks, registered subjects, packed arrays, quality."""
        return self.data / name

    def packed(self, dataset: str) -> Path:
        return self.dataset(dataset) / PACKED

    def quality(self, dataset: str) -> Path:
        return self.dataset(dataset) / QUALITY

    def sheets(self) -> list[Path]:
        """Sheets of all data sets, sorted."""
        return sorted(self.data.glob(f"*/{SHEET}"))

    def subjects(self, dataset: str = "*") -> list[Path]:
        """Records of the registered subjects of a data set, or of all, sorted."""
        return sorted(self.data.glob(f"{dataset}/{REGISTERED}/*/{SUBJECT}"))

    def indices(self) -> list[Path]:
        """Indices of the packed arrays of all data sets, sorted."""
        return sorted(self.data.glob(f"*/{PACKED}/{INDEX}"))

    def params(self, method: str, modality: str) -> Path:
        return self.training / method / modality / PARAMS

    def run(self, method: str, modality: str, seed: int | str) -> Path:
        """Folder of a run: record, history and weights."""
        return self.training / method / modality / f"seed-{seed}"

    def scores(self, method: str, task: str, seed: int | str) -> Path:
        """Folder of a scored test set: histograms by protocol, findings, examples, volumes."""
        return self.evaluation / method / task / f"seed-{seed}"

    def training_log(self, method: str, modality: str, seed: int | str) -> Path:
        return self.logs / "train" / f"{method}-{modality}-seed-{seed}.log"

    def begun(self) -> list[Job]:
        """Trainings that have a folder or a log, sorted."""
        jobs = {_job(path) for path in self.training.glob("*/*/seed-*") if path.is_dir()}
        for log in self.training_log("*", "*", "*").parent.glob("*.log"):
            if name := TRAINING_LOG.fullmatch(log.stem):
                jobs.add(Job(name["method"], name["modality"], int(name["seed"])))
        return sorted(jobs)

    def finished(self) -> Iterator[Path]:
        """Folders of finished runs, sorted."""
        return (path.parent for path in sorted(self.training.glob(f"*/*/seed-*/{RUN}")))

    def archives(self) -> list[Path]:
        """Files of arrays of all scored test sets, and of the synthesis, sorted."""
        return sorted(self.evaluation.rglob("*.npz"))

    def scored(self) -> set[Job]:
        """Scored test sets."""
        return {_job(path.parent) for path in self.findings()}

    def findings(self) -> list[Path]:
        """Findings of all scored test sets, sorted."""
        return sorted(self.evaluation.glob(f"*/*/seed-*/{FINDINGS}"))

    def packed_datasets(self) -> set[str]:
        return {path.parent.parent.name for path in self.indices()}


def volume_file(image: str) -> str:
    """File of a registered volume: of a modality, `brain` or `mask`."""
    return f"{image}.nii.gz"


def array_file(image: str) -> str:
    """File of a packed array: of a modality or `mask`."""
    return f"{image}.npy"


def histogram_file(protocol: str) -> str:
    """File of the histograms of a scored test set."""
    return f"{protocol}.npz"


def settings_file(output: Path) -> Path:
    """Record of the settings that an output was made with, beside it."""
    return output.with_name(f".{output.name}.settings")


def reports(subject: Path) -> list[Path]:
    """Reports of the preprocessing of a data set, sorted, by the record of a registered subject of it."""
    return sorted(subject.parents[2].glob(f"{CHUNKS}/*.csv"))


def by_seed(folder: Path, name: str) -> dict[int, Path]:
    """The files `name` of the seeds in a folder METHOD/MODALITY or METHOD/TASK, by seed, ascending."""
    found = {_job(path.parent).seed: path for path in folder.glob(f"seed-*/{name}")}
    return dict(sorted((seed, path) for seed, path in found.items() if seed >= 0))


def _job(folder: Path) -> Job:
    """The job of a folder METHOD/MODALITY/seed-N or METHOD/TASK/seed-N."""
    number = folder.name.removeprefix("seed-")
    return Job(folder.parent.parent.name, folder.parent.name, int(number) if number.isdecimal() else -1)
