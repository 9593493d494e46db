"""Style of figures: sizes of an IEEE page, one typeface, colour-blind-safe colours, reproducible files."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from uadbench.core.files import atomic

COLUMN = 3.5  # inches, one column of an IEEE page
PAGE = 7.16  # inches, both columns
LINE = 0.135  # inches, one line of the notes below a figure
PER_INCH, PER_INCH_BOLD = 20.5, 18  # characters per inch at the font size of notes
DPI = 300
ACROSS = 3  # panels of tasks in a row
# Okabe and Ito 2008 without yellow, distinguishable with the common colour-vision deficiencies.
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILLION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"
)  # fmt: skip
GREY = "#595959"
RED = "#FF0000"  # outline of the annotation, as in Figure 3 of the paper

SETTINGS: dict[str, Any] = {
    "font.family": "STIXGeneral",  # Times-like, comes with matplotlib
    "mathtext.fontset": "stix",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
    "pdf.fonttype": 42,  # TrueType, which publishers' checks accept
    "svg.fonttype": "none",
    "savefig.dpi": DPI,
    "figure.dpi": 100,
}


_warning: ContextVar[str] = ContextVar("warning", default="")
_apart: ContextVar[bool] = ContextVar("apart", default=False)  # whether notes go to the caption, not below the figure


@contextmanager
def style(warning: str = "", apart: bool = False) -> Iterator[None]:
    """Apply the settings above, without the user's own matplotlibrc.

    warning: the last note below every figure. apart: notes are kept as the label of a figure, for its caption; what
    says that scans are simulated or methods missing stays in the picture.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(cast(Any, SETTINGS))  # matplotlib's stub wants literal keys
        token, other = _warning.set(warning), _apart.set(apart)
        try:
            yield
        finally:
            _warning.reset(token)
            _apart.reset(other)


def plain(text: str) -> str:
    """A text of users, such as a title, in which matplotlib finds no mathematics."""
    return text.replace("$", r"\$")


def new(width: float, body: float, simulated: str, note: str = "", constrained: bool = False) -> Figure:
    """A figure of `width` inches with `body` inches for its content above the notes.

    The notes are `note` and, in bold, the statement `simulated`, both wrapped. With `constrained` matplotlib arranges
    the content within the body; otherwise axes are placed with `box`.
    """
    below = "" if _apart.get() else note
    wrapped = [part for line in below.splitlines() for part in textwrap.wrap(line, round(width * PER_INCH))]
    lines = [(text, GREY, "normal") for text in wrapped]
    for warning in (simulated, _warning.get()):
        lines += [(text, VERMILLION, "bold") for text in textwrap.wrap(warning, round(width * PER_INCH_BOLD))]
    height = body + LINE * len(lines)
    figure = Figure(figsize=(width, height))
    figure.set_label(note)
    FigureCanvasAgg(figure)
    top = body
    for text, colour, weight in lines:
        y = 1 - (top + 0.02) / height
        figure.text(0.5, y, plain(text), ha="center", va="top", fontsize=7, color=colour, weight=weight)
        top += LINE
    if constrained:
        rect = (0, 1 - body / height, 1, body / height)
        figure.set_layout_engine(ConstrainedLayoutEngine(rect=rect, w_pad=0.03, h_pad=0.03))
    return figure


def panels(
    tasks: Sequence[str], height: float, legend: float, simulated: str, note: str, wide: bool = True
) -> tuple[Figure, np.ndarray]:
    """A figure with a panel of `height` inches for each task, and room for a legend; panels have the same axes.

    Several are as wide as the page, or with `wide` false as a column.
    """
    across = min(ACROSS, len(tasks))
    down = -(-len(tasks) // across)
    width = PAGE if wide and across > 1 else COLUMN
    figure = new(width, height * down + legend, simulated, note, constrained=True)
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(tasks) :]:
        axes.set_axis_off()
    for axes, task in zip(grid.flat, tasks, strict=False):
        axes.set_title(plain(task), fontweight="bold")
    return figure, grid


def handles(panels: np.ndarray) -> dict[str, Any]:
    """The artists of a legend of several panels by their labels."""
    found = [axes.get_legend_handles_labels() for axes in panels.flat]
    return {label: handle for handles, labels in found for handle, label in zip(handles, labels, strict=True)}


def box(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a position in inches from the figure's upper left corner."""
    across, down = figure.get_size_inches()
    return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def picture(axes: Axes) -> None:
    """Prepare axes for an image: no ticks, no frame, black background, equal physical aspect."""
    axes.set(xticks=[], yticks=[], facecolor="black", aspect="equal")
    for spine in axes.spines.values():
        spine.set_visible(False)


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write NAME.png (300 dpi) and NAME.pdf (vector, embedded fonts); the same figure gives the same bytes."""
    metadata: dict[str, dict[str, str | None]] = {
        "png": {"Software": None},
        "pdf": {"Creator": "uadbench", "Producer": None, "CreationDate": None, "Title": name},
    }
    written = []
    for suffix, entries in metadata.items():
        path = folder / f"{name}.{suffix}"
        with atomic(path) as partial:
            figure.savefig(partial, dpi=DPI, metadata=entries)
        written.append(path)
    return written
