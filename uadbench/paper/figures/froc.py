"""FROC: sensitivity to lesions against false positives per subject, at all thresholds and at those of healthy subjects.

Lines join the points of `uadbench.evaluation.detection.froc`, 1/8 to 8 false positives a scan. Markers are thresholds
set on healthy subjects, by the same rule of candidates.
"""

import re
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from uadbench.evaluation.detection.froc_curve import FALSE_POSITIVES
from uadbench.methods.registry import CONTROL
from uadbench.paper import style
from uadbench.paper.inputs import Sources
from uadbench.paper.results import Results

PROTOCOL = "full"  # findings count every voxel of the brain, under any protocol
SENSITIVITY = r"sensitivity@([\d.e-]+)"  # of lesions of every size
COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.SKY, style.VERMILLION, style.BLACK)
MARKERS = "osD^vPX*<>hd"
COLOURED = 6  # methods distinguishable by colour and marker; of more, the most sensitive are in colour
OTHERS = "other methods"
ABSENT = "no thresholds:\nno healthy subject was held out"
Points = dict[float, np.ndarray]  # by healthy rate, ascending: false positives per subject and sensitivity (2, seeds)


def make(sources: Sources) -> Figure:
    """Draw one panel per task: means over seeds; a line by false positives, a marker with bars per healthy threshold.

    Of results without the points of the line, as those of earlier versions, a line joins the markers.
    False positives are on a linear scale up to one per subject and on a logarithmic one above. Components merge as the
    threshold falls, and a map that is one component has no false positive at all: to avoid rewarding this, counts are
    the running maximum from stricter thresholds on. Panels without such numbers in results.csv display a notice.
    """
    results = sources.under(PROTOCOL)
    found = {name: {task: points(results, name, task) for task in results.tasks} for name, _, _ in results.methods}
    ranked = [name for name, _, family in results.methods if family != CONTROL]
    looks, barred = _looks(results, found, ranked), len(ranked) <= COLOURED
    columns = 3 if len(results.tasks) == 1 else 6
    legend = 0.25 + 0.15 * -(-len(looks) // columns)
    figure, panels = style.panels(results.tasks, 1.9, legend, results.simulated, _note(results, found, barred))
    for axes, task in zip(panels.flat, results.tasks, strict=False):
        axes.set_xlabel("false positives per subject")
        drawn = [_method(axes, line(results, name, task), found[name][task], barred, looks[name]) for name in looks]
        if any(drawn):
            lesions = "" if (count := results.lesions(task)) is None else f"{count} lesions"
            axes.text(0.03, 1, lesions, transform=axes.transAxes, va="top", fontsize=7, color=style.GREY)
        else:
            axes.text(0.5, 0.5, ABSENT, transform=axes.transAxes, ha="center", va="center", color=style.GREY)
    panels[0, 0].set_xscale("symlog", linthresh=1)
    panels[0, 0].set_xlim(left=0)
    panels[0, 0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panels[0, 0].set_ylim(0, 1.02)
    panels[0, 0].yaxis.set_major_locator(MaxNLocator(5))
    for axes in panels[:, 0]:
        axes.set_ylabel("sensitivity to lesions")
    if handles := style.handles(panels):
        names = list(dict.fromkeys(look["label"] for look in looks.values() if look["label"] in handles))
        columns = min(len(names), columns)
        figure.legend([handles[name] for name in names], names, loc="outside upper center", ncols=columns)
    return figure


def points(results: Results, method: str, task: str) -> Points:
    """False positives and sensitivities of a method on a task, of seeds with both."""
    rows = results.rows
    rows = rows[(rows["method"] == method) & (rows["task"] == task) & (rows["score"] == "final")]
    by_seed = rows.pivot(index="seed", columns="metric", values="value")
    found = {}
    for metric in by_seed:
        if match := re.fullmatch(SENSITIVITY, str(metric)):
            pairs = by_seed.reindex(columns=[f"false_positives@{match[1]}", metric]).to_numpy()
            pairs = pairs[np.isfinite(pairs).all(axis=1)]
            if len(pairs):
                found[float(match[1])] = pairs.T
    return dict(sorted(found.items()))


def line(results: Results, method: str, task: str) -> dict[float, float]:
    """Sensitivity of a method on a task by false positives a scan, mean over seeds; empty without such numbers."""
    found = {alarms: results.get(method, task, "final", f"froc@{alarms:g}") for alarms in FALSE_POSITIVES}
    return {alarms: summary.mean for alarms, summary in found.items() if summary is not None}


def _looks(results: Results, found: dict[str, dict[str, Points]], ranked: list[str]) -> dict[str, dict[str, Any]]:
    """Plot style and legend entry of each method: ranked ones in colour, controls grey, dotted and last.

    Of more than COLOURED ranked methods the most sensitive, on average over tasks, thresholds and seeds, are in colour,
    and the others thin and grey, before them.
    """
    coloured = sorted(ranked, key=lambda method: -_sensitivity(found[method]))[:COLOURED]
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
        looks[method] = {"label": style.plain(title), **own}
    return looks


def _sensitivity(found: dict[str, Points]) -> float:
    """Mean of all sensitivities of a method; 0 without any."""
    means = [values[1].mean() for numbers in found.values() for values in numbers.values()]
    return float(np.mean(means)) if means else 0.0


def _method(axes: Axes, joined: dict[float, float], marked: Points, barred: bool, look: dict[str, Any]) -> bool:
    """Draw line and markers of a method; without a line the markers are joined. Whether there are any."""
    if joined:
        axes.plot([*joined], [*joined.values()], **look, markersize=3, linewidth=1, markevery=[], clip_on=False)
    if marked:
        _curve(axes, marked, barred, {**look, "linestyle": "", "label": f"_{look['label']}"} if joined else look)
    return bool(joined or marked)


def _curve(axes: Axes, found: Points, barred: bool, look: dict[str, Any]) -> None:
    alarms, sensitivity = np.array([values.mean(axis=1) for values in found.values()]).T
    alarms = np.maximum.accumulate(alarms)
    bars: dict[str, Any] = {}
    if barred and all(values.shape[1] > 1 for values in found.values()):
        spread = np.array([values[1].std(ddof=1) for values in found.values()])
        bars = {"yerr": np.minimum(spread, [sensitivity, 1 - sensitivity]), "elinewidth": 0.6}
    axes.errorbar(alarms, sensitivity, **bars, **look, markersize=3, linewidth=1, clip_on=False)


def _note(results: Results, found: dict[str, dict[str, Points]], barred: bool) -> str:
    shares = sorted({rate for tasks in found.values() for numbers in tasks.values() for rate in numbers})
    if not shares:
        return ""
    bars = ", bars: ± 1 sample standard deviation of the sensitivity" if barred else ""
    spread = "One seed." if results.rows["seed"].nunique() == 1 else f"Means over seeds{bars}."
    grey = "" if barred else f" In colour: the {COLOURED} methods that are the most sensitive on average."
    listed = ", ".join(f"{100 * share:g}" for share in shares)
    lines = "Lines: 1/8 to 8 false positives, of all thresholds. " * any(results.rows["metric"].str.startswith("froc@"))
    return f"{lines}Markers: thresholds that {listed} % of healthy brain voxels reach. {spread}{grey}"
