"""Section "Example subjects" of a report: final maps of all methods on one subject of each task, for the viewer."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from uadbench.core.modalities import MODALITIES
from uadbench.core.thinning import thinned
from uadbench.evaluation.inference.examples import Example, load
from uadbench.report.study import Study
from uadbench.viewer import still, volumes

BUDGET = 9_000_000  # characters of all volumes; beyond, voxels are thinned out

RATE = 0.01  # fraction of voxels above the first threshold, as in compare.js

Step = tuple[int, int, int]
#: every n-th voxel along x, y and z, in turn until the volumes fit: first slices, then whole planes
STEPS: list[Step] = [(step, step, step * thick) for step in range(1, 40) for thick in (1, 2)]


@dataclass(frozen=True)
class Task:
    """A task, its subject, and examples by method: those with the same scan."""

    name: str
    modality: str
    examples: dict[str, Example]

    @property
    def first(self) -> Example:
        return next(iter(self.examples.values()))


@dataclass(frozen=True)
class Still:
    """A task in words, and an axial slice of its subject: scan and maps, by the words below each."""

    title: str
    pictures: list[tuple[str, str]]


@dataclass(frozen=True)
class Section:
    """Content of the section; volumes: identifier and base64 of each."""

    seed: int
    tasks: list[Task]
    missing: list[str]  # method and task without volumes
    coarse: str  # size of the voxels in mm where not every packed voxel is shown, else ""
    volumes: list[tuple[str, str]]
    facts: Markup
    stills: list[Still]


def section(study: Study) -> Section | None:
    """The section of a study; None where no run of the first seed has volumes.

    Raises HarnessError for a damaged file.
    """
    seed = study.plan.seeds[0]
    tasks, missing = [], []
    for about in study.plan.tasks:
        found = {}
        for name, title, _ in study.first.methods:
            path = study.volumes(name, about.name)
            if path.is_file():
                found[name] = load(path)
            elif path.parent.is_dir():
                missing.append(f"{title} on {about.name}")
        same = {name: one for name, one in found.items() if _same(one, next(iter(found.values())))}
        missing += [f"{study.first.title(name)} on {about.name}" for name in found if name not in same]
        if same:
            tasks.append(Task(about.name, MODALITIES[about.modality].title, same))
    if not tasks:
        return None
    for step in STEPS:
        contents = _contents(tasks, step)
        if sum(len(content) for _, content in contents) <= BUDGET:
            break
    whole = max(step) == 1 and all(task.first.stride == 1 for task in tasks)
    sizes = np.sqrt((thinned(tasks[0].first.affine, np.zeros(3), step)[:3, :3] ** 2).sum(axis=0))
    coarse = "" if whole else " × ".join(f"{size:.3g}" for size in sizes)
    return Section(
        seed, tasks, missing, coarse, contents, _facts(study, tasks), [_still(study, task) for task in tasks]
    )


def _same(one: Example, other: Example) -> bool:
    """Whether two methods saw the same scan of the same subject."""
    first, second = (volumes.normalised(example.image).bytes for example in (one, other))
    return one.subject == other.subject and np.array_equal(first, second)


def _contents(tasks: list[Task], step: Step) -> list[tuple[str, str]]:
    """Identifier and base64 of the volumes of all tasks, every `step`-th voxel along each axis."""
    contents, part = [], tuple(slice(None, None, each) for each in step)
    for number, task in enumerate(tasks):
        affine = thinned(task.first.affine, np.zeros(3), step)
        layers = {"scan": volumes.normalised(task.first.image[part]), "truth": volumes.labels(task.first.label[part])}
        for name, one in task.examples.items():
            layers[name] = volumes.quantised(one.score[part].astype(np.float64) * one.highest, 0.0, one.highest)
        for key, layer in layers.items():
            contents.append((_id(number, key), volumes.embedded(volumes.nifti(layer, affine))))
    return contents


def _still(study: Study, task: Task) -> Still:
    """For paper: all maps of a task in the middle of the lesion, each at the threshold with which the viewer starts."""
    first, (_, _, z) = task.first, still.place(task.first.label, task.first.score)
    spacing = tuple(np.linalg.norm(first.affine[:3, :3], axis=0))
    image = first.image.astype(np.float32)
    pictures = [("Scan", still.picture(image, 2, z, spacing, truth=first.label))]
    for name, one in task.examples.items():
        score, reached = one.score.astype(np.float64) * one.highest, np.flatnonzero(np.isclose(one.rates, RATE))
        known = reached.size and one.thresholds.size
        threshold = one.thresholds[reached[0]] if known else np.quantile(score[image > 0], 1 - RATE)
        of = "healthy subjects'" if known else "this brain's"
        words = f"{study.first.title(name)}: above {threshold:.3g}, which {100 * RATE:g} % of {of} voxels reach"
        pictures.append((words, still.picture(image, 2, z, spacing, score, float(threshold), first.label)))
    height = (first.affine @ (0, 0, z, 1))[2]
    return Still(f"{task.name}: {first.subject}, {task.modality}, axial slice at {height:.0f} mm", pictures)


def _facts(study: Study, tasks: list[Task]) -> Markup:
    rates = next((one.rates for task in tasks for one in task.examples.values() if one.rates.size), np.zeros(0))
    listed: list[dict[str, Any]] = []
    for number, task in enumerate(tasks):
        methods = [
            {
                "id": _id(number, name),
                "title": study.first.title(name),
                "thresholds": [float(value) for value in one.thresholds] if np.array_equal(one.rates, rates) else [],
            }
            for name, one in task.examples.items()
        ]
        listed.append({"scan": _id(number, "scan"), "truth": _id(number, "truth"), "methods": methods})
    facts = {"rates": rates.tolist(), "first": study.first.title(study.plan.illustrated), "tasks": listed}
    return Markup(json.dumps(facts).replace("<", "\\u003c"))


def _id(task: int, key: str) -> str:
    return f"ex-volume-{task}-{key}"
