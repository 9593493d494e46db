"""Stability of the order: how often each method has each rank when subjects and seeds are drawn again."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uadbench.evaluation.summary.comparisons import BOTH
from uadbench.methods.registry import CONTROL
from uadbench.paper import style
from uadbench.paper.inputs import Sources

ABSENT = "no order: it takes resamples,\ntwo methods and two subjects"
LINE = 0.17  # inches, height of a method
LARGEST = 95  # area in square points of a blob of share 1


def make(sources: Sources) -> Figure:
    """Draw one panel per task: a line per method, the best mean rank on top, a blob per rank whose area is its share.

    Numbers on the right are shares of the first rank. Panels without rows in order.csv display a notice.
    """
    results, rows = sources.results, sources.ranks
    found = {
        task: rows[rows["task"] == task].pivot(index="method", columns="rank", values="share") for task in results.tasks
    }
    most = max(len(shares) for shares in found.values())
    missing = []
    for method, title, family in results.methods:
        lacking = [task for task, shares in found.items() if len(shares) and method not in shares.index]
        lacking = [task for task in lacking if results.get(method, task, "final", "ap")]
        missing += [f"{title} on {', '.join(lacking)}"] * bool(lacking and family != CONTROL)
    note = _note(bool(rows["resampled"].eq(BOTH).all()), missing) if most else ""
    across = min(style.ACROSS, len(results.tasks))
    figure = style.new(
        style.COLUMN if across == 1 else style.PAGE,
        (0.65 + LINE * max(most, 3)) * -(-len(results.tasks) // across),
        results.simulated,
        note,
        constrained=True,
    )
    panels = figure.subplots(-(-len(results.tasks) // across), across, squeeze=False)
    for axes in panels.flat[len(results.tasks) :]:
        axes.set_axis_off()
    for axes, task in zip(panels.flat, results.tasks, strict=False):
        axes.set_title(style.plain(task), fontweight="bold")
        shares = found[task]
        if shares.empty:
            axes.set(xticks=[], yticks=[])
            axes.text(0.5, 0.5, ABSENT, transform=axes.transAxes, ha="center", va="center", color=style.GREY)
            continue
        mean = (shares * shares.columns.to_numpy(float)).sum(axis=1)
        ordered = shares.loc[mean.sort_values(kind="stable").index]
        _panel(axes, ordered.to_numpy(float), [style.plain(results.title(str(name))) for name in ordered.index])
    return figure


def _panel(axes: Axes, shares: np.ndarray, titles: list[str]) -> None:
    """Blobs of shares (methods, ranks)."""
    lines, ranks = np.nonzero(shares > 0)
    axes.scatter(ranks + 1, lines, s=LARGEST * shares[lines, ranks], color=style.BLUE, linewidths=0, clip_on=False)
    count = len(titles)
    step = 1 if count <= 8 else 3
    axes.set_xticks(range(1, count + 1, step))
    axes.set_yticks(range(count), titles)
    axes.set_xlim(0.5, count + 0.5)
    axes.set_ylim(count - 0.5, -0.5)
    axes.grid(color="0.92", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel("rank by AP")
    axes.annotate("first", (1, 1), xycoords="axes fraction", xytext=(4, 1), textcoords="offset points", fontsize=7)
    for line, share in enumerate(shares[:, 0]):
        axes.annotate(
            _percent(share), (1, line), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=7, color=style.BLACK if share > 0 else style.GREY,
        )  # fmt: skip


def _percent(share: float) -> str:
    return (
        "0 %" if share == 0 else "< 1 %" if share < 0.01 else "> 99 %" if 0.99 < share < 1 else f"{100 * share:.0f} %"
    )


def _note(seeds: bool, missing: list[str]) -> str:
    drawn = "subjects and seeds" if seeds else "subjects"
    given = "" if seeds else " One seed is not drawn again."
    text = f"Areas: share of resamples of {drawn} in which a method has a rank; numbers: the first rank."
    lacking = f" Without order: {'; '.join(missing)}, whose scores share a few bins." if missing else ""
    return f"{text} No controls.{given}{lacking}"
