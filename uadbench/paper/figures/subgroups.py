"""Subgroups: mean AP of the subjects of each age, sex, site and scanner, with intervals and the test."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uadbench.evaluation.summary.subgroups import AP, LEAST, SPEARMAN
from uadbench.methods.registry import CONTROL
from uadbench.paper import style
from uadbench.paper.inputs import ALPHA, Sources
from uadbench.paper.tables.detection import PROTOCOL
from uadbench.paper.tables.subgroups import levels

COLOURS = (style.SKY, style.BLUE, style.BLACK, style.ORANGE, style.VERMILLION, style.GREEN, style.PURPLE)
MARKERS = "os^DvPX"
LINE = 0.055  # inches, height of a level
ABSENT = f"no subgroups: no test set states age, sex, site or scanner\nof at least {LEAST} subjects in two groups"


def make(sources: Sources) -> Figure:
    """Draw a row of panels for each variable, one per task: a line per method, a point with its interval per level.

    Of more levels than colours, those of most subjects are drawn. Numbers on the right are corrected p-values.
    """
    results, rows = sources.under(PROTOCOL), sources.subgroups
    rows = rows[(rows["metric"] == AP) & rows["value"].notna()]
    if rows.empty:
        figure = style.new(style.COLUMN, 0.6, results.simulated, constrained=True)
        axes = figure.subplots()
        axes.set_axis_off()
        axes.text(0.5, 0.5, ABSENT, transform=axes.transAxes, ha="center", va="center", color=style.GREY)
        return figure
    tasks = [task for task in results.tasks if task in {*rows["task"]}]
    methods = sorted(results.methods, key=lambda entry: entry[2] == CONTROL)
    titles = {name: style.plain(title) for name, title, _ in methods if name in {*rows["method"]}}
    parts = {variable: _most(rows[rows["variable"] == variable], named) for variable, named in levels(rows)}
    heights = [0.6 + len(titles) * (0.08 + LINE * len(named)) for named in parts.values()]
    note = (
        "Mean AP of subjects with an anomaly, means over seeds; bars: 95 % intervals over subjects. p: after Holm's "
        f"correction, bold below {ALPHA:g}; of age {SPEARMAN}'s correlation. Levels of at least {LEAST} subjects; "
        "the table has the ages of each third."
    )
    width = style.COLUMN if len(tasks) == 1 else style.PAGE
    figure = style.new(width, sum(heights), results.simulated, note, constrained=True)
    panels = figure.subplots(len(parts), len(tasks), sharex=True, squeeze=False, height_ratios=heights)
    for number, (line, (variable, named)) in enumerate(zip(panels, parts.items(), strict=True)):
        for axes, task in zip(line, tasks, strict=True):
            own = rows[(rows["task"] == task) & (rows["variable"] == variable)]
            _panel(axes, own, named, titles)
            axes.set_yticks(range(len(titles)), titles.values() if axes is line[0] else [""] * len(titles))
            title = " " if number else style.plain(task)
            axes.set_title(f"{title}\n \n ", fontweight="bold")  # with room for a legend
        handles = style.handles(line[None])
        legend = line[0].legend(
            handles.values(), handles.keys(), loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles),
            title=variable, alignment="left", borderaxespad=0.2, columnspacing=1, handletextpad=0.2,
        )  # fmt: skip
        legend.set_in_layout(False)  # it is as wide as several panels
    for axes in panels[-1]:
        axes.set_xlabel("subject AP")
    panels[0, 0].set_xlim(0, 1)
    return figure


def _most(rows: pd.DataFrame, named: list[str]) -> list[str]:
    """The levels of most subjects, at most as many as there are colours, in their order."""
    sizes = rows.groupby("level")["patients"].max().sort_values(ascending=False, kind="stable")
    kept = {*sizes.index[: len(COLOURS)]}
    return [level for level in named if level in kept]


def _panel(axes: Axes, rows: pd.DataFrame, named: list[str], titles: dict[str, str]) -> None:
    shifts = np.linspace(-0.3, 0.3, len(named)) if len(named) > 1 else [0.0]
    for level, shift, colour, marker in zip(named, shifts, COLOURS, MARKERS, strict=False):
        own = rows[rows["level"] == level].set_index("method").reindex([*titles])
        place = np.arange(len(own)) + shift
        axes.hlines(place, own["low"], own["high"], color=colour, linewidth=0.9)
        axes.plot(own["value"], place, marker, color=colour, label=style.plain(level), markersize=3.2, clip_on=False)
    p = rows.drop_duplicates("method").set_index("method")["p_holm"].reindex([*titles])
    axes.annotate("p", (1, 1), xycoords="axes fraction", xytext=(4, 1), textcoords="offset points", fontsize=7)
    for line, value in enumerate(p):
        text = (
            "–" if np.isnan(value) else "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0") if value < 1 else "1"
        )
        axes.annotate(
            text, (1, line), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=7, weight="bold" if value < ALPHA else "normal",
        )  # fmt: skip
    axes.set_ylim(len(titles) - 0.5, -0.5)
    axes.grid(axis="x", color="0.92", linewidth=0.5)
    axes.set_axisbelow(True)
