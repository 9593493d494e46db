"""Estimates of what a study takes before it runs: subjects, download, disk, and budgets of its jobs."""

from __future__ import annotations

from uadbench.core.study_folder import Job
from uadbench.data.download import selection, tables
from uadbench.data.index import release
from uadbench.study import budget as budgets
from uadbench.study.budget import Budget
from uadbench.study.experiment import Experiment

REGISTERED = 0.85  # bytes of a voxel of a compressed registered brain in its box, measured at 4 mm
PACKED = 2.0  # float16


def download(study: Experiment, dataset: str) -> float:
    """Gigabytes of the files of a data set with a source; 0 of another."""
    entry = study.datasets[dataset]
    files = selection.select(tables.load(entry.source), entry.subjects) if entry.source else []
    return sum(file.bytes for file in files) / 1e9


def arrays(study: Experiment, dataset: str) -> float:
    """Gigabytes of the registered volumes and packed arrays of a data set."""
    volumes = sum(subjects(study, dataset, kind) for kind in study.registered(dataset))
    return volumes * budgets.voxels(study.preprocessing.spacing) * (REGISTERED + PACKED) / 1e3


def subjects(study: Experiment, dataset: str, kind: str = "subjects") -> int:
    """Subjects of a data set, or those with a `kind` of scan, as config and release state them.

    At most: `where` and unusable scans leave fewer.
    """
    entry, known = study.datasets[dataset], study.releases.get(dataset)
    stated = vars(release.find(known)) if known else {}
    masks = stated.get("masks") if entry.unmasked == "leave_out" else None
    counts = (study.simulated.get(dataset), entry.subjects, masks, stated.get("subjects"), stated.get(kind))
    return min((count for count in counts if count is not None), default=budgets.SUBJECTS)


def training(study: Experiment, run: Job, gpu: bool) -> Budget:
    """Budget of a training."""
    params, spacing = study.settings(run.method, run.part).values, study.preprocessing.spacing
    return budgets.train(params, subjects(study, study.train), spacing, gpu)


def scoring(study: Experiment, test: Job, gpu: bool) -> Budget:
    """Budget of scoring a test set with one run."""
    about, spacing = study.task(test.part), study.preprocessing.spacing
    params = study.settings(test.method, about.modality).values
    return budgets.test(params, subjects(study, about.dataset), spacing, len(study.protocols), gpu)
