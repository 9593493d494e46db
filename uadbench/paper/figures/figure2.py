"""Figure 2: AP as a function of t, of single-step restorations and of anomaly scores accumulated down to t."""

import re
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from uadbench.core.errors import HarnessError
from uadbench.paper import style
from uadbench.paper.inputs import Sources
from uadbench.paper.results import Results

REQUIRES = "disyre"
SINGLE = r"single/t=(\d+)"
CUMULATIVE = r"cumulative/t=(\d+)"


def make(sources: Sources) -> Figure:
    """Draw one panel per task: mean over seeds, single seeds, chance and the paper's Table 1."""
    results, method = sources.results, sources.stepwise
    if not any(re.fullmatch(SINGLE, score) for score in results.scores(method)):
        raise HarnessError(
            f"{results.path}: no single-step scores of {method!r}; run a method that writes single/t=… or give --method"
        )
    wide = sources.width == "page"
    alone = len(results.tasks) == 1 or not wide
    legend = 0.5 if alone else 0.35
    figure, panels = style.panels(
        results.tasks, 1.75 if wide else 1.3, legend, results.simulated, _note(results, method), wide
    )
    for axes, task in zip(panels.flat, results.tasks, strict=False):
        _panel(axes, sources, task)
    # Shared limits are set after all curves are drawn: the axes start at zero, and nothing is cut off above.
    panels[0, 0].set_xlim(left=0)
    panels[0, 0].set_ylim(bottom=0)
    panels[0, 0].xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2.5, 5, 10]))
    for axes in panels[:, 0]:
        axes.set_ylabel("average precision (AP)")
    handles = style.handles(panels)
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=2 if alone else 4)
    return figure


def points(results: Results, method: str, task: str, pattern: str) -> dict[int, np.ndarray]:
    """AP of each shown seed, in ascending order, by t, of the scores whose name matches `pattern`."""
    found: dict[int, np.ndarray] = {}
    seeds = shown_seeds(results, method)
    for score in results.scores(method):
        if match := re.fullmatch(pattern, score):
            ap = results.values(method, task, score, "ap")
            values = ap.loc[ap["seed"].isin(seeds), "value"].to_numpy()
            if np.isfinite(values).any():
                found[int(match[1])] = values
    return dict(sorted(found.items()))


def shown_seeds(results: Results, method: str) -> list[int]:
    """The seeds with most t of the single step: means over different seeds at different t would make a jagged line."""
    rows = results.rows[(results.rows["method"] == method) & results.rows["score"].str.fullmatch(SINGLE)]
    counts = rows.groupby("seed")["score"].nunique()
    return sorted(int(seed) for seed in counts.index[counts == counts.max()])


def _panel(axes: Axes, sources: Sources, task: str) -> None:
    results, method = sources.results, sources.stepwise
    single = points(results, method, task, SINGLE)
    cumulative = points(results, method, task, CUMULATIVE)
    _curve(axes, single, style.BLUE, "o", "single step at $t$")
    _curve(axes, cumulative, style.ORANGE, "s", "multi-step, accumulated from $T$ to $t$")
    _paper(axes, sources, task, max(single, default=0))
    chance = results.chance(task)
    if chance is not None:
        axes.axhline(chance, color=style.GREY, linestyle=":", linewidth=1, label="chance")
    axes.set_xlabel("time step $t$")


def _curve(axes: Axes, by_t: dict[int, np.ndarray], colour: str, marker: str, label: str) -> None:
    if not by_t:
        return
    times = np.array(list(by_t))
    means = np.array([np.nanmean(values) for values in by_t.values()])
    axes.plot(times, means, color=colour, marker=marker, markersize=3, label=label, zorder=3)
    counts = {len(values) for values in by_t.values()}
    if len(counts) == 1 and counts != {1}:
        for seed in zip(*by_t.values(), strict=True):
            axes.plot(times, seed, color=colour, alpha=0.5, linewidth=0.6, zorder=2)


def _paper(axes: Axes, sources: Sources, task: str, last: int) -> None:
    """Hollow markers at the paper's single-step AP, if the run has the paper's T: with another T α_t differs."""
    method, found = sources.stepwise, {}
    for score in sources.published.scores("table1", method):
        value = sources.published.get("table1", method, task, score, "ap")
        if value is not None and (match := re.fullmatch(SINGLE, score)):
            found[int(match[1])] = value.mean
    if found and max(found) == last:
        look: dict[str, Any] = {"color": style.BLUE, "markerfacecolor": "none", "markersize": 6, "clip_on": False}
        axes.plot(*zip(*found.items(), strict=True), "o", label="paper, single step (Table 1)", zorder=4, **look)


def _note(results: Results, method: str) -> str:
    seeds = shown_seeds(results, method)
    every = results.rows.loc[results.rows["method"] == method, "seed"].nunique()
    if len(seeds) == 1:
        return f"{results.title(method)}, {'one seed' if every == 1 else f'seed {seeds[0]} of {every} seeds'}."
    which = f"{len(seeds)} seeds" if len(seeds) == every else f"seeds {', '.join(map(str, seeds))}"
    return f"{results.title(method)}: mean over {which}, each of which is a thin line."
