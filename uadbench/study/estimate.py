"""Estimate of what a study takes before it runs: download, disk, and hours of each stage from budgets of its jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from uadbench.data.download import selection, tables
from uadbench.data.index import release
from uadbench.study import budget as budgets
from uadbench.study.budget import Budget
from uadbench.study.experiment import Experiment

REGISTERED = 0.85  # bytes of a voxel of a compressed registered brain in its box, measured at 4 mm
PACKED = 2.0  # float16


def table(study: Experiment) -> Iterator[str]:
    """Lines in Markdown: a row for each stage, and for training and scoring of each method."""
    yield "| stage | jobs | one core, h | slow GPU, h | disk, GB |"
    yield "|---|--:|--:|--:|--:|"
    downloads = {entry.source: entry.subjects for entry in study.datasets.values() if entry.source}
    size = sum(file.bytes for name, number in downloads.items() for file in selection.select(tables.load(name), number))
    yield f"| download | {len(downloads)} | | | {size / 1e9:.1f} |"
    spacing, chunks = study.preprocessing.spacing, study.config.chunks
    numbers = {name: subjects(study, name) for name in study.datasets}
    data = [make(n, spacing) for n in numbers.values() for make in (budgets.preprocess, budgets.pack, budgets.quality)]
    volumes = sum(subjects(study, name, kind) for name in numbers for kind in study.registered(name))
    disk = volumes * budgets.voxels(spacing) * (REGISTERED + PACKED) / 1e3
    yield f"| preprocess, pack, quality | {len(numbers) * (chunks + 2)} | {_hours(data)} | | {disk:.1f} |"
    for method in study.methods:
        runs = [run for run in study.runs if run.method == method and study.describe(method).trains]
        if runs:
            spent = [[_trained(study, run.method, run.part, gpu) for run in runs] for gpu in (False, True)]
            yield f"| train {method} | {len(runs)} | {_hours(spent[0])} | {_hours(spent[1])} | |"
        tests = [test for test in study.tests if test.method == method]
        if runs:
            spent = [[_scored(study, test.method, test.part, gpu) for test in tests] for gpu in (False, True)]
            yield f"| score {method} | {len(tests)} | {_hours(spent[0])} | {_hours(spent[1])} | |"


def subjects(study: Experiment, dataset: str, kind: str = "subjects") -> int:
    """Subjects of a data set, or those with a `kind` of scan, as config and release state them.

    At most: `where` and unusable scans leave fewer.
    """
    entry, known = study.datasets[dataset], study.releases.get(dataset)
    stated = vars(release.find(known)) if known else {}
    masks = stated.get("masks") if entry.unmasked == "leave_out" else None
    counts = (study.simulated.get(dataset), entry.subjects, masks, stated.get("subjects"), stated.get(kind))
    return min((count for count in counts if count is not None), default=budgets.SUBJECTS)


def _trained(study: Experiment, method: str, modality: str, gpu: bool) -> Budget:
    params, spacing = study.settings(method, modality).values, study.preprocessing.spacing
    return budgets.train(params, subjects(study, study.train), spacing, gpu)


def _scored(study: Experiment, method: str, task: str, gpu: bool) -> Budget:
    about, spacing = study.task(task), study.preprocessing.spacing
    params = study.settings(method, about.modality).values
    return budgets.test(params, subjects(study, about.dataset), spacing, len(study.protocols), gpu)


def _hours(spent: Iterable[Budget]) -> str:
    return f"{sum(budget.seconds for budget in spent) / 3600:.1f}"
