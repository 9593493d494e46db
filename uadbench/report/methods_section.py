"""The paragraph of methods of a report, to paste into a paper, and its references as BibTeX."""

from __future__ import annotations

import re
from typing import Any

from uadbench.core.modalities import MODALITIES
from uadbench.core.packaged import RESOURCES
from uadbench.methods import registry
from uadbench.report.study import Cohort, Study

REFERENCES = RESOURCES / "references.bib"
NORMALISATION = {
    "p98": "the 98th percentile of the volume with its background",
    "max": "the maximum of the volume",
    "p99_5_brain": "the 99.5th percentile of the brain",
}  # a test compares the rules with those of preprocessing


def paragraph(study: Study) -> str:
    """Data, preprocessing, training and evaluation of a study in a few sentences: plain text with [key] citations."""
    training, tests = study.cohorts[0], study.cohorts[1:]
    made = training.preprocessing
    seeds = study.plan.seeds
    spread = "mean and sample standard deviation over seeds" if len(seeds) > 1 else "of one seed"
    resampled = sorted({row["resampled"] for row in study.differences})
    sentences = [
        _data(training, tests),
        "One scan of every subject, T1-weighted where the data set has such scans, was registered to "
        f"{_template(made)} with an affine transform [ants], its other scans rigidly to that one.",
        f"{_grid(made)}, and grey values were divided by {NORMALISATION[made['normalisation']]}.",
        _methods(study),
        f"Score maps were evaluated on {_list(_tasks(study))} under the protocol{'s' * (len(study.results) > 1)} "
        f"{_list(list(study.results))}: voxel-wise average precision (AP) and the best Dice over thresholds (⌈Dice⌉), "
        f"{spread}.",
    ]
    if resampled:
        sentences.append(f"Methods were compared by a bootstrap over {_list(resampled)} with Holm's correction.")
    return " ".join(sentences)


def bibtex(study: Study) -> str:
    """BibTeX entries of the methods, tools and real data sets of a study; simulated ones hold nobody's data."""
    layouts = [study.plan.datasets[cohort.name].layout for cohort in study.cohorts if not cohort.simulated]
    keys = [*(registry.base(about.name) for about in study.methods), *layouts, "ants"]
    keys += ["upd"] * any("upd" in about.name for about in study.methods)
    keys += ["mni152"] * (study.cohorts[0].preprocessing["template"] == "mni152")
    known = entries()
    return "\n\n".join(known[key] for key in dict.fromkeys(keys) if key in known) + "\n"


def entries() -> dict[str, str]:
    """Entries of uadbench/resources/references.bib by key."""
    found = re.split(r"\n(?=@)", REFERENCES.read_text(encoding="utf-8"))
    return {entry.split("{", 1)[1].split(",", 1)[0]: entry.strip() for entry in found if entry.startswith("@")}


def _cited(study: Study) -> list[registry.Description]:
    return [about for about in study.methods if about.family != registry.CONTROL]


def _methods(study: Study) -> str:
    cited = [f"{about.title} [{registry.base(about.name)}]" for about in _cited(study)]
    if not cited:
        return "Controls alone were run."
    seeds, devices = _count(len(study.plan.seeds), "seed"), sorted({run["device"] for run in study.runs})
    return f"Methods were {_list(cited)}, trained with {seeds}{f' on {_list(devices)}' if devices else ''}."


def _data(training: Cohort, tests: list[Cohort]) -> str:
    """The sentence on data sets; it says which scans are simulated and which are real, unless all are real."""
    said = training.simulated or any(cohort.simulated for cohort in tests)
    kinds = {cohort.name: "simulated scans" if cohort.simulated else "real scans" for cohort in (training, *tests)}
    held_out = training.subjects.get("validation", 0)
    split = f", {held_out} more held out for validation" if held_out else ""
    counts = {cohort.name: _count(sum(cohort.subjects.values()), "subject") for cohort in tests}
    sets = _list([f"{name} ({count}{f', {kinds[name]}' * said})" for name, count in counts.items()])
    healthy = f"{f'{kinds[training.name]} of ' * said}{_count(training.subjects.get('train', 0), 'healthy subject')}"
    return f"Training on {healthy} of {training.name}{split}; test on {sets}."


def _grid(settings: dict[str, Any]) -> str:
    if settings["side"]:
        return (
            f"Slices {settings['spacing']:g} mm apart were resampled to {settings['side']} x {settings['side']} pixels"
        )
    return f"Volumes were resampled to {settings['spacing']:g} mm"


def _template(settings: dict[str, Any]) -> str:
    return "the MNI152 template [mni152]" if settings["template"] == "mni152" else "a skull-stripped T1 template"


def _tasks(study: Study) -> list[str]:
    return [f"{task.name} ({MODALITIES[task.modality].title})" for task in study.plan.tasks]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"
