"""Table 1: AP of the single-step and of the multi-step restoration as a function of t and of the step size."""

import re
from collections.abc import Iterable

from uadbench.paper import closest, table
from uadbench.paper.inputs import STEPWISE, Sources
from uadbench.paper.table import Row, Table

REQUIRES = "disyre"
SECTIONS = {  # printed name, name of the number, pattern of the score's name
    "single": ("single-step", "t", r"single/t=\d+"),
    "multi": ("multi-step", "step_size", r"multi/step=\d+"),
}
T = 100  # steps of the corruption in the paper


def make(sources: Sources) -> Table:
    """Build the table for `sources.stepwise` (Naval Marimont et al. 2024, Table 1)."""
    results, published, method = sources.results, sources.published, sources.stepwise
    cols = table.columns(results, published, "table1", ["ap"])
    printed = published.scores("table1", method)
    family = {name: family for name, _, family in results.methods}.get(method, "")
    rows: list[Row] = []
    for key, (section, symbol, pattern) in SECTIONS.items():
        for score in wanted(key, pattern, printed, results.scores(method)):
            label = f"{symbol} = {_number(score)}"
            ours = tuple(results.get(method, column.task, score, "ap") for column in cols)
            paper = tuple(published.get("table1", method, column.task, score, "ap") for column in cols)
            rows.append(Row(section, label, method, results.title(method), family, score, ours, paper))
    done, chances = closest.apart(tuple(rows), cols, sources)
    return Table(
        name="table1",
        caption=(
            f"{results.title(method)}: AP of single-step restorations, AS = |x − P(x, t)|, as a function of the t that "
            "the model is conditioned on (upper section), and of multi-step restorations as a function of step_size "
            "(lower section)."
        ),
        heads=("Restoration", ""),
        columns=cols,
        rows=done,
        notes=(
            *table.notes(results, done),
            *closest.notes(tuple(rows), sources),
            *uneven(row.score for row in rows),
            *sources.unquoted,
        ),
        results=results,
        section_chance=chances,
    )


def wanted(key: str, pattern: str, printed: list[str], present: list[str]) -> list[str]:
    """Scores of one section: for single steps those in the paper, for step sizes all computed ones.

    A run without any of the paper's t shows its own; without a run of the method only the paper's scores are listed.
    """
    printed = [score for score in printed if re.fullmatch(pattern, score)]
    if not any(score.startswith(STEPWISE) for score in present):
        return printed
    computed = sorted((score for score in present if re.fullmatch(pattern, score)), key=_number)
    both = [score for score in computed if score in printed]
    return both if key == "single" and both else computed


def uneven(scores: Iterable[str]) -> list[str]:
    """A note on the last t of step sizes that do not divide T, ours and that of the public code; empty without any."""
    steps = [_number(score) for score in scores if re.fullmatch(SECTIONS["multi"][2], score)]
    ends = [
        f"{step} ends at t = {T % step} (the authors' public code, in even steps, at t = {round(T / (T // step))})"
        for step in steps
        if step < T and T % step
    ]
    return [f"Step sizes that do not divide the paper's T = {T}: {'; '.join(ends)}."] if ends else []


def _number(score: str) -> int:
    return int(score.partition("=")[2])
