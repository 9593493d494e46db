"""The paragraph of methods of a report, to paste into a paper, and its references as BibTeX."""

import re
from collections.abc import Iterator
from typing import Any

from uadbench.core.modalities import MODALITIES
from uadbench.core.packaged import RESOURCES
from uadbench.methods import registry
from uadbench.methods.params import own_filters
from uadbench.methods.postprocessing import FILTERED, described
from uadbench.paper import budgets, terms
from uadbench.report.study import Study
from uadbench.training.facts import UNUSED

REFERENCES = RESOURCES / "references.bib"
NORMALISATION = {
    "p98": "the 98th percentile of the volume with its background",
    "max": "the maximum of the volume",
    "p99_5_brain": "the 99.5th percentile of the brain",
}  # a test compares the rules with those of preprocessing


def paragraph(study: Study) -> str:
    """Data, preprocessing, training and evaluation of a study in a few sentences: plain text with [key] citations."""
    made = study.cohorts[0]["preprocessing"]
    template = "the MNI152 template [mni152]" if made["template"] == "mni152" else "a skull-stripped T1 template"
    grid = f"Volumes were resampled to {made['spacing']:g} mm"
    if side := made["side"]:
        grid = f"Slices {made['spacing']:g} mm apart were resampled to {side} x {side} pixels"
    tasks = [f"{task.name} ({MODALITIES[task.modality].title})" for task in study.plan.tasks]
    spread = "mean and sample standard deviation over seeds" if len(study.plan.seeds) > 1 else "of one seed"
    resampled = sorted({row["resampled"] for row in study.differences})
    sentences = [
        _data(*study.cohorts),
        "One scan of every subject, T1-weighted where the data set has such scans, was registered to "
        f"{template} with an affine transform [ants], its other scans rigidly to that one.",
        f"{grid}, and grey values were divided by {NORMALISATION[made['normalisation']]}.",
        _methods(study),
        f"Score maps were evaluated on {enumeration(tasks)} under the protocol{'s' * (len(study.results) > 1)} "
        f"{enumeration(list(study.results))}: voxel-wise average precision (AP) and the best Dice over thresholds "
        f"(⌈Dice⌉), {spread}.",
    ]
    sentences += [*_filters(study), *_terms(study)]
    if resampled:
        sentences.append(
            f"Methods were compared by Student's t over {enumeration(resampled)} (jackknife) with Holm's correction."
        )
    return " ".join(sentences)


def bibtex(study: Study) -> str:
    """BibTeX entries of the methods, tools and real data sets of a study; simulated ones hold nobody's data."""
    real = [cohort["name"] for cohort in study.cohorts if not cohort["simulated"]]
    layouts = [study.plan.datasets[name].layout for name in real]
    keys = [*(registry.base(about.name) for about in study.methods), *layouts, "ants"]
    keys += ["upd"] * any("upd" in about.name for about in study.methods)
    keys += ["mni152"] * (study.cohorts[0]["preprocessing"]["template"] == "mni152")
    known = entries()
    return "\n\n".join(known[key] for key in dict.fromkeys(keys) if key in known) + "\n"


def entries() -> dict[str, str]:
    """Entries of uadbench/resources/references.bib by key."""
    found = re.split(r"\n(?=@)", REFERENCES.read_text(encoding="utf-8"))
    return {entry.split("{", 1)[1].split(",", 1)[0]: entry.strip() for entry in found if entry.startswith("@")}


def _methods(study: Study) -> str:
    described = [about for about in study.methods if about.family != registry.CONTROL]
    cited = [f"{about.title} [{registry.base(about.name)}]" for about in described]
    if not cited:
        return "Controls alone were run."
    seeds, devices = count(len(study.plan.seeds), "seed"), sorted({run["device"] for run in study.runs} - {UNUSED})
    return f"Methods were {enumeration(cited)}, trained with {seeds}{f' on {enumeration(devices)}' if devices else ''}."


def _filters(study: Study) -> Iterator[str]:
    """Sentences on the filters of score maps: of the study for all methods, and of methods' own."""
    chosen = study.plan.config.postprocessing
    own = {about.title: _own_filters(study, about.name) for about in study.methods}
    if listed := [f"{title} ({values})" for title, values in own.items() if values]:
        yield f"Of the methods, {enumeration(listed)} alone filtered score maps, by hyper-parameters of their own."
    elif chosen is None or chosen.beside:
        yield "No method filtered its score maps."
    if chosen is not None:
        said = described(chosen.model_dump(), FILTERED)
        yield (
            f"Beside them, the maps of all methods without such filters were filtered alike ({said})."
            if chosen.beside
            else f"The score maps of all methods were filtered alike, in place of their own filters ({said})."
        )


def _own_filters(study: Study, method: str) -> str:
    """The hyper-parameters by which a method filters its maps, of the first modality that has some."""
    found = (own_filters(study.plan.settings(method, modality).params) for modality in study.plan.modalities)
    values = next(filter(None, found), {})
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def _terms(study: Study) -> Iterator[str]:
    """Sentences on what the trainings took, and on the data that hyper-parameters were chosen on."""
    yield from budgets.note(study.budgets)
    yield terms.chosen_on(study.first)


def _data(training: dict[str, Any], *tests: dict[str, Any]) -> str:
    """The sentence on data sets; it says which scans are simulated and which are real, unless all are real."""
    said = any(cohort["simulated"] for cohort in (training, *tests))
    kinds = ["simulated scans" if cohort["simulated"] else "real scans" for cohort in (training, *tests)]
    held_out = training["subjects"]["validation"]
    split = f", {held_out} more held out for validation" if held_out else ""
    described = zip(tests, kinds[1:], strict=True)
    sets = enumeration([f"{cohort['name']} ({cohort['people']}{f', {kind}' * said})" for cohort, kind in described])
    numbers = {each["name"]: len({entry["subject"] for entry in each["left_out"]}) for each in (training, *tests)}
    lost = "".join(f" Preprocessing lost {count(n, 'subject')} of {name}." for name, n in numbers.items() if n)
    visits = f" The training set has {training['people']}." if " of " in training["people"] else ""
    healthy = f"{f'{kinds[0]} of ' * said}{count(training['subjects']['train'], 'healthy subject')}"
    return f"Training on {healthy} of {training['name']}{split}; test on {sets}.{visits}{lost}"


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 seed", "4 seeds"."""
    return f"{number} {noun}{'s' * (number != 1)}"


def enumeration(names: list[str]) -> str:
    """Names as in a sentence: "DAE, VAE and DISYRE"; "none" without any."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"
