"""Figure 2: AP as a function of t, of single-step restorations and of the anomaly score accumulated down to t."""

from __future__ import annotations

import re

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.errors import HarnessError
from harness.paper import style
from harness.paper.results import Results
from harness.paper.sources import Sources

REQUIRES = "disyre"
SINGLE = r"single/t=(\d+)"
CUMULATIVE = r"cumulative/t=(\d+)"


def make(sources: Sources) -> Figure:
    """Draw one panel per task: mean over seeds, a band of one standard deviation, chance and the paper's Table 1."""
    results, method = sources.results, sources.method
    present = results.scores(method)
    if not any(re.fullmatch(SINGLE, score) for score in present):
        raise HarnessError(
            f"{results.path}: no single-step scores of {method!r}; run a method that writes single/t=… or give --method"
        )
    tasks = results.tasks
    width = style.COLUMN if len(tasks) == 1 else style.PAGE
    figure = style.new(width, 2.35, results.simulated, note=_note(results, method))
    panels = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
    for axes, task in zip(panels, tasks, strict=True):
        _curve(axes, results, method, task, SINGLE, style.BLUE, "o", "single step $t$")
        _curve(axes, results, method, task, CUMULATIVE, style.ORANGE, "s", "multi-step, from $T$ down to $t$")
        _paper(axes, sources, task)
        chance = results.chance(task)
        if chance is not None:
            axes.axhline(chance, color=style.GREY, linestyle=":", linewidth=1, label="chance")
        axes.set(title=task, xlabel="time step $t$", xlim=(0, None), ylim=(0, None))
    panels[0].set_ylabel("average precision (AP)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4)
    return figure


def points(results: Results, method: str, task: str, pattern: str) -> dict[int, dict[int, float]]:
    """AP by t and seed of the scores whose name matches `pattern`."""
    found: dict[int, dict[int, float]] = {}
    for score in results.scores(method):
        match = re.fullmatch(pattern, score)
        if match:
            rows = results.values(method, task, score, "ap").dropna(subset=["value"])
            if len(rows):
                found[int(match[1])] = dict(zip(rows["seed"], rows["value"], strict=True))
    return dict(sorted(found.items()))


def _curve(
    axes: Axes, results: Results, method: str, task: str, pattern: str, colour: str, marker: str, label: str
) -> None:
    by_t = points(results, method, task, pattern)
    if not by_t:
        return
    times = np.array(list(by_t))
    means = np.array([np.mean(list(values.values())) for values in by_t.values()])
    axes.plot(times, means, color=colour, marker=marker, markersize=3, label=label, zorder=3)
    if all(len(values) > 1 for values in by_t.values()):
        stds = np.array([np.std(list(values.values()), ddof=1) for values in by_t.values()])
        axes.fill_between(times, means - stds, means + stds, color=colour, alpha=0.25, linewidth=0, zorder=2)


def _paper(axes: Axes, sources: Sources, task: str) -> None:
    """Hollow markers at the single-step AP that the paper prints."""
    found = []
    for score in sources.published.scores("table1", sources.method):
        match = re.fullmatch(SINGLE, score)
        value = sources.published.get("table1", sources.method, task, score, "ap") if match else None
        if match and value is not None:
            found.append((int(match[1]), value.mean))
    if found:
        axes.plot(
            *zip(*found, strict=True),
            "o",
            color=style.BLUE,
            markerfacecolor="none",
            markersize=6,
            label="paper",
            zorder=4,
        )


def _note(results: Results, method: str) -> str:
    seeds = results.rows.loc[results.rows["method"] == method, "seed"].nunique()
    if seeds == 1:
        return f"{results.title(method)}, one seed."
    return f"{results.title(method)}: mean over {seeds} seeds, band ± 1 sample standard deviation."
