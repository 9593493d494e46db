"""Training curves: training and validation loss of every run, with marks of seeds that may have learned little."""

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from uadbench.paper import style
from uadbench.paper.histories import LEFT, Curve, Histories
from uadbench.paper.inputs import Sources

ACROSS = 4  # panels in a row
FEW = 4  # blocks up to which each has a row of its own
POINTS = 200  # of a line; longer histories are averaged in pieces
DECADE = 10.0  # a logarithmic scale where losses span more
COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.SKY, style.BLACK)
DASHES: tuple[Any, ...] = ("-", (0, (3, 1)), (0, (1, 0.8)))  # colour and dashes together identify a seed
ROOM = 1.3  # factor on the y-axis range, which makes space for the mark of flat seeds
NAMED = 2  # maximum number of flat seeds that a panel's mark lists
NONE = "no method of this study is trained"
NOTE = (
    "Thick: validation loss, on the same batches each time; thin: training loss, mean since the last record. Circle: "
    f"before the first step. Marked: seeds whose validation loss never fell below {100 * LEFT:g} % of that (dotted), "
    "with the lowest share; they may have learned little."
)
UNJUDGED = " Without a circle (adversarial losses, nobody held out) nothing is marked."
LETTERS, BOLD = 20, 15  # characters per inch of a note and of a title
Panels = dict[str, list[Curve]]  # by modality


def make(sources: Sources) -> Figure:
    """Draw one panel per method, phase and modality, one colour per seed; logarithmic where losses span a decade."""
    histories = sources.histories
    blocks = arranged(histories)
    if not blocks:
        figure = style.new(style.COLUMN, 0.5, histories.simulated)
        figure.text(0.5, 0.7, NONE, ha="center", va="center", color=style.GREY)
        return figure
    modalities = list(dict.fromkeys(modality for _, panels in blocks for modality in panels))
    beside = _beside(len(blocks), len(modalities))
    down, across = -(-len(blocks) // beside), beside * len(modalities)
    looks = _looks(histories)
    width = style.COLUMN if across == 1 else style.PAGE
    columns = min(len(looks), 4 if across == 1 else 8)
    body = (1.3 if down <= FEW else 0.95) * down + 0.2 + 0.15 * -(-len(looks) // columns)
    figure = style.new(width, body, histories.simulated, _note(blocks, width), constrained=True)
    grid = figure.subplots(down, across, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for k, (title, panels) in enumerate(blocks):
        row, left = divmod(k, beside)
        for modality, curves in panels.items():
            axes = grid[row, left * len(modalities) + modalities.index(modality)]
            axes.set_axis_on()
            _panel(axes, curves, looks)
            name = textwrap.fill(f"{title}, {modality.upper()}", int(BOLD * width / across))
            axes.set_title(style.plain(name), fontweight="bold")
    for column in grid.T:
        for lowest in [axes for axes in column if axes.axison][-1:]:
            lowest.set_xlabel("step")
    figure.supylabel("loss", fontsize=8)
    figure.legend(
        [Line2D([], [], **look) for look in looks.values()],
        [f"seed {seed}" for seed in looks],
        loc="outside upper center",
        ncols=columns,
    )
    return figure


def arranged(histories: Histories) -> list[tuple[str, Panels]]:
    """Title and curves by modality of each trained phase of each method; titles name the phase if there are several."""
    blocks: dict[tuple[str, str], Panels] = {}
    for curve in histories.curves:
        if curve.trained:
            blocks.setdefault((curve.method, curve.phase), {}).setdefault(curve.modality, []).append(curve)
    methods = [method for method, _ in blocks]
    named = []
    for (method, phase), panels in blocks.items():
        title = next(iter(panels.values()))[0].title
        named.append((f"{title}, {phase}" if methods.count(method) > 1 else title, panels))
    return named


def thinned(curve: Curve) -> np.ndarray:
    """Steps, training and validation loss (3, n) with n ≤ `POINTS` + 1: means of neighbours, step 0 unchanged."""
    start = int(curve.step[0] == 0)
    rows = np.stack([curve.step, curve.loss, curve.validation])
    if rows.shape[1] - start <= POINTS:
        return rows
    means = [piece.mean(axis=1) for piece in np.array_split(rows[:, start:], POINTS, axis=1)]
    return np.concatenate([rows[:, :start], np.transpose(means)], axis=1)


def _beside(blocks: int, modalities: int) -> int:
    """Number of blocks in a row: few methods get wide panels."""
    fit = max(1, ACROSS // modalities)
    return min(blocks, fit) if blocks > FEW or modalities == 1 else 1


def _note(blocks: list[tuple[str, Panels]], width: float) -> str:
    judged = [c.share is not None for _, panels in blocks for curves in panels.values() for c in curves]
    return textwrap.fill(NOTE + UNJUDGED * (not all(judged)), int(LETTERS * width))


def _looks(histories: Histories) -> dict[int, dict[str, Any]]:
    """Colour and dashes of each seed."""
    seeds = sorted({curve.seed for curve in histories.curves if curve.trained})
    many = len(COLOURS)
    return {
        seed: {"color": COLOURS[k % many], "linestyle": DASHES[k // many % len(DASHES)], "linewidth": 1.1}
        for k, seed in enumerate(seeds)
    }


def _panel(axes: Axes, curves: list[Curve], looks: dict[int, dict[str, Any]]) -> None:
    values = []
    for curve in curves:
        look = looks[curve.seed]
        step, loss, validation = thinned(curve)
        values += [loss, validation]
        axes.plot(step, loss, **{**look, "linewidth": 0.5}, alpha=0.6, zorder=2)
        axes.plot(step, validation, **look, zorder=3, label=f"seed {curve.seed}")
        if curve.share is not None:
            first: dict[str, Any] = {"markersize": 3, "markerfacecolor": "white", "clip_on": False, "zorder": 4}
            axes.plot(step[:1], validation[:1], marker="o", color=look["color"], **first)
        if curve.flat:
            axes.axhline(LEFT * validation[0], color=look["color"], linestyle=":", linewidth=0.8, zorder=1)
    _scale(axes, np.concatenate(values))
    flat = [curve for curve in curves if curve.flat]
    if flat:
        _mark(axes, flat, len(curves))
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}".replace(",", "\u2009")))


def _scale(axes: Axes, values: np.ndarray) -> None:
    """A logarithmic axis if all losses are positive and span more than a decade."""
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() / values.min() > DECADE:
        few = values.max() / values.min() < DECADE**2
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 3) if few else (1,), numticks=5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))


def _mark(axes: Axes, flat: list[Curve], seeds: int) -> None:
    """Write the flat seeds, or their number out of `seeds`, above all curves."""
    low, high = axes.get_ylim()
    if axes.get_yscale() == "log":
        axes.set_ylim(low, low * (high / low) ** ROOM)
    else:
        axes.set_ylim(low, low + (high - low) * ROOM)
    lowest = min(curve.share or 0 for curve in flat)
    names = ", ".join(str(curve.seed) for curve in flat)
    which = f"seed{'s' * (len(flat) > 1)} {names}" if len(flat) <= NAMED else f"{len(flat)} of {seeds} seeds"
    look: dict[str, Any] = {"color": style.VERMILLION, "fontsize": 7, "fontweight": "bold", "ha": "right", "va": "top"}
    axes.text(0.99, 0.99, f"{which}: never below {100 * lowest:.0f} %", transform=axes.transAxes, **look)
