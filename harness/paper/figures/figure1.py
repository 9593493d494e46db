"""Figure 1: what a synthetic anomaly is made from, and the forward process that corrupts an image step by step."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.paper import arrays, style
from harness.paper.sources import Sources

REQUIRES = "disyre"
EXAMPLES = 2  # at most this many, one block of two rows each
WINDOW = (0.0, 1.0)
LIFT = 0.24  # inches of a title line


def make(sources: Sources) -> Figure:
    """Draw x_0, m and x_fp above x_t for several t (Naval Marimont et al. 2024, Figure 1 and eq. 1)."""
    path = sources.given("synthesis", "--synthesis")
    data = arrays.read(path, ["x0", "mask", "foreign", "t", "xt", "alpha"])
    count = min(EXAMPLES, len(data["x0"]))
    across = max(4, len(data["t"]))
    tile = style.PAGE / across
    figure = style.new(
        style.PAGE,
        count * 2 * (tile + LIFT) + 0.3,
        simulated=bool(data.get("simulated", False)),
        note="Grey values: images 0 (black) to 1 (white), mask 0 to 1.",
    )
    grid = figure.subplots(2 * count, across, squeeze=False)
    for k in range(count):
        _inputs(grid[2 * k], data, k)
        _process(grid[2 * k + 1], data, k)
    return figure


def _inputs(row: np.ndarray, data: arrays.Arrays, k: int) -> None:
    titles = ("healthy image $x_0$", "shape mask $m$", "foreign patch $x_{fp}$")
    for axes, key, title in zip(row, ("x0", "mask", "foreign"), titles, strict=False):
        _tile(axes, data[key][k], title, data["x0"][k])
    for axes in row[3:]:
        axes.set_axis_off()
    if len(row) > 4 and k == 0:
        _schedule(row[3:], data)


def _schedule(free: np.ndarray, data: arrays.Arrays) -> None:
    """The factors α_t of the images below, in the space that the inputs leave free."""
    figure = free[0].figure
    grid = free[0].get_subplotspec().get_gridspec()
    row = free[0].get_subplotspec().rowspan.start
    for axes in free:
        axes.remove()
    axes = figure.add_subplot(grid[row, 3:])
    axes.plot(data["t"], data["alpha"], "o-", color=style.BLUE)
    axes.set(xlabel="time step $t$", ylabel=r"interpolation factor $\alpha_t$", ylim=(-0.05, 1.08), xticks=data["t"])


def _process(row: np.ndarray, data: arrays.Arrays, k: int) -> None:
    for axes in row[len(data["t"]) :]:
        axes.set_axis_off()
    for axes, t, alpha, image in zip(row, data["t"], data["alpha"], data["xt"][k], strict=False):
        _tile(axes, image, rf"$t={int(t)}$,  $\alpha_t={alpha:.2f}$", data["x0"][k])


def _tile(axes: Axes, image: np.ndarray, title: str, brain: np.ndarray) -> None:
    half = arrays.frame([(brain, 1.0)], margin=1.0)
    arrays.show(axes, image, 1.0, WINDOW, arrays.centre(brain, 1.0), half)
    axes.set_title(title, pad=3)
