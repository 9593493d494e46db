"""Title and first paragraph of a report: what was compared on what, and with which result."""

from collections.abc import Iterator
from dataclasses import replace

from uadbench.core.modalities import MODALITIES
from uadbench.methods.registry import CONTROL
from uadbench.paper.inputs import ALPHA, UNTESTED, bold_note, significant
from uadbench.paper.summary import ONE_DECIDES, Summary
from uadbench.paper.table import chance_text
from uadbench.report.methods_section import count, enumeration
from uadbench.report.study import Study

UNDECIDED = "It is not significantly better than every other method"
UNKNOWN = "Differences are not tested, which takes two methods with two seeds"


def title(study: Study) -> str:
    """What the study is about, in a line."""
    return f"Unsupervised anomaly detection on {enumeration([task.name for task in study.plan.tasks])}"


def paragraph(study: Study) -> str:
    """What was compared, and for each task the best method by AP, with its interval and whether it is decided."""
    return " ".join([_compared(study), *_results(study)])


def _compared(study: Study) -> str:
    families = {name: family == CONTROL for name, _, family in study.first.methods}
    methods, controls = (
        [study.first.title(name) for name, control in families.items() if control is wanted] for wanted in (False, True)
    )
    training, seeds = study.cohorts[0], count(len(study.plan.seeds), "seed")
    scans = "simulated scans" if training["simulated"] else "scans"
    healthy = count(training["subjects"]["train"], "healthy subject")
    anomaly = "of unsupervised anomaly detection"
    said = [f"{count(len(methods), 'method')} {anomaly} ({enumeration(methods)})"] * bool(methods)
    said += [f"{count(len(controls), 'control')} ({enumeration(controls)})"] * bool(controls)
    return (
        f"This study compares {' and '.join(said)}, trained with {seeds} on {scans} of {healthy} of {training['name']}."
    )


def _results(study: Study) -> Iterator[str]:
    """A sentence for each task, or two; significant here is what is bold in the tables."""
    results, better = study.first, significant(study.folder.results)
    tested = bold_note(study.folder.results) != UNTESTED
    precision = "average precision (AP)"
    for task in study.plan.tasks:
        found = {
            title: (name, family, results.get(name, task.name, "final", "ap"))
            for name, title, family in results.methods
        }
        ranked = sorted(((t, n, f, ap) for t, (n, f, ap) in found.items() if ap), key=lambda entry: -entry[3].mean)
        methods = [entry for entry in ranked if entry[2] != CONTROL]
        if not methods:
            continue
        (title, best, _, ap), *others = methods
        people = results.population(task.name).partition(" (")[0]
        people += "" if " of " in people else " subject" if people == "1" else " subjects"
        simulated = results.simulated_at(task.name, best)[1]
        chance = results.chance(task.name)
        yield (
            f"On {task.name} ({MODALITIES[task.modality].title}, {people}{', simulated' * simulated}), "
            f"{title} has the highest {precision}, {_number(ap)}"
            f"{'' if chance is None else f'; chance is {chance_text(chance)}'}."
        )
        precision = "AP"
        if others:
            decided = all((results.protocol, task.name, "ap", best, other) in better for _, other, _, _ in others)
            says = f"It is significantly better than every other method (p < {ALPHA:g})" if decided else UNDECIDED
            yield f"{says if tested else UNKNOWN}; {others[0][0]} follows with {others[0][3].text()}."
        if above := [f"{t} ({n.text()})" for t, _, family, n in ranked if family == CONTROL and n.mean > ap.mean]:
            yield f"Above it: the control{'s' * (len(above) > 1)} {enumeration(above)}."


def _number(ap: Summary) -> str:
    """A number with its interval, and whether one subject decides it."""
    spread = "" if ap.low is None else ", 95 % interval " + replace(ap, spanned=True).text().partition("(")[2][:-1]
    return f"{ap.text().partition(' ')[0]}{spread}{f' ({ONE_DECIDES})' if ap.one_decides else ''}"
