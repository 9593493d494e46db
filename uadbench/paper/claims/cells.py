"""Cells of Tables 1 and 2: the printed number, that of each study, and whether the first is in the interval of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uadbench.evaluation.summary.runs import SCORE
from uadbench.paper.claims.evidence import SAME, SUBJECT, TASKS, Evidence, Printed
from uadbench.paper.claims.finding import minus
from uadbench.paper.summary import Summary
from uadbench.paper.table import PRINTED


@dataclass(frozen=True)
class Grid:
    """One metric of one table: for each row its label, method and score map."""

    title: str
    metric: str
    rows: tuple[tuple[str, str, str], ...]


def grids(paper: Printed) -> list[Grid]:
    """Table 1, and both metrics of Table 2."""
    steps = {"single/t": "single step, t = ", "multi/step": "step size "}
    first = [
        (steps[score.partition("=")[0]] + score.partition("=")[2], SUBJECT, score)
        for score in paper.published.scores("table1", SUBJECT)
    ]
    second = tuple((title, name, SCORE) for name, title, _ in paper.published.methods("table2"))
    return [
        Grid("Table 1, AP of DISYRE", "ap", tuple(first)),
        Grid("Table 2, AP", "ap", second),
        Grid("Table 2, ⌈Dice⌉", "dice", second),
    ]


def inside(printed: Summary, ours: Summary) -> bool | None:
    """Whether a printed number, of two digits, is in the interval of ours; None without one."""
    if ours.low is None or ours.high is None:
        return None
    half = 0.5 * 10**-PRINTED
    return ours.low - half <= printed.mean <= ours.high + half


def cell(printed: Summary | None, study: Evidence, ours: Summary | None) -> str:
    """Our number with its interval; on the paper's test sets also the difference, and whether the interval has it."""
    if ours is None:
        return "–"
    bounds = "" if ours.low is None or ours.high is None else f" ({ours.low:.2f}–{ours.high:.2f})"
    text = f"{ours.mean:.2f}{bounds}"
    if study.kind != SAME or printed is None:
        return text
    told = {True: ", within", False: ", outside", None: ""}[inside(printed, ours)]
    return f"{text}; {minus(f'{ours.mean - printed.mean:+.2f}')}{told}"


def counted(grid: Grid, paper: Evidence, study: Evidence) -> str:
    """How many cells of a study on the paper's test sets have the printed number in their interval; of any other study,
    how the order of its rows agrees with the printed one."""
    if study.kind == SAME:
        found = [inside(p, o) for *_, p, o in both(grid, paper, study) if p and o]
        return f"{study.name}: {found.count(True)} of {len(found)} printed numbers are in our interval."
    told = []
    for task in TASKS:
        pairs = [(p.mean, o.mean) for _, at, p, o in both(grid, paper, study) if at == task and p and o]
        if len(pairs) > 2:
            tau = minus(f"{kendall(*zip(*pairs, strict=True)):+.2f}")
            told.append(f"{task} {tau}, {len(pairs)} rows")
    return (
        f"{study.name}: Kendall's τ between the order of its rows and the printed one – {'; '.join(told)}."
        if told
        else ""
    )


def spanless(grid: Grid, study: Evidence) -> str:
    """Which cells have a number and no interval, and why that may be."""
    found = [
        f"{label} on {task}"
        for label, method, score in grid.rows
        for task in TASKS
        if (own := study.closest(method).value(method, task, score, grid.metric)) and own.low is None
    ]
    if not found:
        return ""
    return (
        f"{study.name}: no interval of {', '.join(found)}. The scores of its patients share too few bins for one, "
        "there is but one patient, or the number is the same without each."
    )


def both(grid: Grid, paper: Evidence, study: Evidence) -> list[tuple[str, str, Summary | None, Summary | None]]:
    """Label, task, printed number and ours of every cell."""
    return [
        (label, task, *(one.closest(method).value(method, task, score, grid.metric) for one in (paper, study)))  # type: ignore[misc]
        for label, method, score in grid.rows
        for task in TASKS
    ]


def kendall(one: Sequence[float], other: Sequence[float]) -> float:
    """Kendall's τ-b, NaN where all of one are equal."""
    from scipy.stats import kendalltau  # slow to import

    return float(kendalltau(one, other).statistic)
