"""FROC: sensitivity to lesions against false positives per subject, at thresholds set on healthy subjects."""

from __future__ import annotations

import re
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from uadbench.methods.registry import CONTROL
from uadbench.paper import style
from uadbench.paper.inputs import Sources
from uadbench.paper.results import Results

PROTOCOL = "full"  # findings count every voxel of the brain, under any protocol
SENSITIVITY = r"sensitivity@([\d.e-]+)"  # of lesions of every size
ACROSS = 3  # panels in a row
COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.SKY, style.VERMILLION, style.BLACK)
MARKERS = "osD^vPX*<>hd"
COLOURED = 6  # methods distinguishable by colour and marker; of more, the most sensitive are in colour
OTHERS = "other methods"
ABSENT = "no thresholds:\nno healthy subject was held out"


def make(sources: Sources) -> Figure:
    """Draw one panel per task: means over seeds, bars of one standard deviation, one marker per threshold.

    False positives are on a linear scale up to one per subject and on a logarithmic one above. Components merge as the
    threshold falls, and a map that is one component has no false positive at all: to avoid rewarding this, counts are
    the running maximum from stricter thresholds on. Panels without such numbers in results.csv display a notice.
    """
    results = sources.under(PROTOCOL)
    tasks = results.tasks
    looks = _looks(results)
    across = min(ACROSS, len(tasks))
    down = -(-len(tasks) // across)
    width = style.COLUMN if across == 1 else style.PAGE
    legend = 0.15 * -(-len(looks) // (3 if across == 1 else 6))
    figure = style.new(width, 1.9 * down + 0.25 + legend, results.simulated, _note(results), constrained=True)
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for axes, task in zip(panels.flat, tasks, strict=False):
        axes.set_title(task, fontweight="bold")
        axes.set_xlabel("false positives per subject")
        drawn = [_curve(axes, results, method, task, look) for method, look in looks.items()]
        if any(drawn):
            lesions = "" if (count := results.lesions(task)) is None else f"{count} lesions"
            axes.text(0.03, 1, lesions, transform=axes.transAxes, va="top", fontsize=7, color=style.GREY)
        else:
            axes.text(0.5, 0.5, ABSENT, transform=axes.transAxes, ha="center", va="center", color=style.GREY)
    for axes in panels.flat[len(tasks) :]:
        axes.set_axis_off()
    panels[0, 0].set_xscale("symlog", linthresh=1)
    panels[0, 0].set_xlim(left=0)
    panels[0, 0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panels[0, 0].set_ylim(0, 1.02)
    panels[0, 0].yaxis.set_major_locator(MaxNLocator(5))
    for axes in panels[:, 0]:
        axes.set_ylabel("sensitivity to lesions")
    handles = {
        label: handle for axes in panels.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if handles:
        names = list(dict.fromkeys(look["label"] for look in looks.values() if look["label"] in handles))
        columns = min(len(names), 3 if across == 1 else 6)
        figure.legend([handles[name] for name in names], names, loc="outside upper center", ncols=columns)
    return figure


def points(results: Results, method: str, task: str) -> dict[float, np.ndarray]:
    """False positives per subject and sensitivity (2, seeds), of seeds with both, by ascending healthy rate."""
    found = {}
    for metric in results.metrics(method, task):
        match = re.fullmatch(SENSITIVITY, metric)
        if not match:
            continue
        alarms, sensitivity = (
            results.values(method, task, "final", name) for name in (f"false_positives@{match[1]}", metric)
        )
        by_seed = dict(zip(alarms.seed, alarms.value, strict=True))
        pairs = np.array(
            [(by_seed.get(s, np.nan), v) for s, v in zip(sensitivity.seed, sensitivity.value, strict=True)]
        )
        pairs = pairs[np.isfinite(pairs).all(axis=1)]
        if len(pairs):
            found[float(match[1])] = pairs.T
    return dict(sorted(found.items()))


def _looks(results: Results) -> dict[str, dict[str, Any]]:
    """Plot style and legend entry of each method: ranked ones in colour, controls grey, dotted and last.

    Of more than COLOURED ranked methods the most sensitive, on average over tasks, thresholds and seeds, are in colour,
    and the others thin and grey, before them.
    """
    ranked = [method for method, _, family in results.methods if family != CONTROL]
    coloured = sorted(ranked, key=lambda method: -_sensitivity(results, method))[:COLOURED]
    colours, markers = cycle(COLOURS), cycle(MARKERS)
    looks: dict[str, dict[str, Any]] = {}
    for method, title, family in sorted(results.methods, key=lambda entry: (entry[2] == CONTROL, entry[0] in coloured)):
        own: dict[str, Any]
        if family == CONTROL:
            own = {"color": style.GREY, "linestyle": ":", "markerfacecolor": "white", "marker": next(markers)}
        elif method in coloured:
            own = {"color": next(colours), "linestyle": "-", "markerfacecolor": None, "marker": next(markers)}
        else:
            own = {"color": style.GREY, "linestyle": "-", "alpha": 0.5, "marker": "", "label": OTHERS}
        looks[method] = {"label": title, **own}
    return looks


def _sensitivity(results: Results, method: str) -> float:
    """Mean of all sensitivities of a method; 0 without any."""
    found = [values[1].mean() for task in results.tasks for values in points(results, method, task).values()]
    return float(np.mean(found)) if found else 0.0


def _curve(axes: Axes, results: Results, method: str, task: str, look: dict[str, Any]) -> bool:
    """Draw one method; returns whether it has data."""
    found = points(results, method, task)
    if not found:
        return False
    alarms, sensitivity = np.array([values.mean(axis=1) for values in found.values()]).T
    alarms = np.maximum.accumulate(alarms)
    bars: dict[str, Any] = {}
    if _barred(results) and all(values.shape[1] > 1 for values in found.values()):
        spread = np.array([values[1].std(ddof=1) for values in found.values()])
        bars = {"yerr": np.minimum(spread, [sensitivity, 1 - sensitivity]), "elinewidth": 0.6}
    axes.errorbar(alarms, sensitivity, **bars, **look, markersize=3, linewidth=1, clip_on=False)
    return True


def _barred(results: Results) -> bool:
    """Whether methods are few enough for distinguishable error bars."""
    return sum(family != CONTROL for _, _, family in results.methods) <= COLOURED


def _note(results: Results) -> str:
    shares = sorted(
        {rate for method, _, _ in results.methods for task in results.tasks for rate in points(results, method, task)}
    )
    if not shares:
        return ""
    seeds = results.rows["seed"].nunique()
    bars = ", bars: ± 1 sample standard deviation of the sensitivity" if _barred(results) else ""
    spread = "One seed." if seeds == 1 else f"Means over seeds{bars}."
    grey = "" if _barred(results) else f" In colour: the {COLOURED} methods that are the most sensitive on average."
    return (
        f"Markers: thresholds that {', '.join(f'{100 * share:g}' for share in shares)} % of healthy brain voxels reach."
        f" {spread}{grey}"
    )
