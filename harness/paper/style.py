"""The house style of figures: sizes of an IEEE two-column page, one type face, colour-blind-safe colours, stable files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from harness.files import atomic
from harness.paper.results import SIMULATED

COLUMN = 3.5  # inches, one column of an IEEE page
PAGE = 7.16  # inches, both columns
DPI = 300
# Okabe and Ito 2008, distinguishable with the common colour-vision deficiencies.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
)  # fmt: skip
GREY = "#595959"
RED = "#FF0000"  # outline of the truth, as in Figure 3 of the paper

SETTINGS = {
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


@contextmanager
def style() -> Iterator[None]:
    """The settings above, and none of the user's own matplotlibrc."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


def new(width: float, height: float, simulated: bool, note: str = "") -> Figure:
    """A figure of `width` × `height` inches whose last line holds `note` and, if it is so, that the cohort is simulated."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    bottom = 0.0
    lines = [(note, GREY, "normal")] * bool(note) + [(SIMULATED, VERMILLION, "bold")] * simulated
    for text, colour, weight in reversed(lines):
        inches = 0.12 * (text.count("\n") + 1)
        figure.text(
            0.5, (bottom + 0.03) / height, text, ha="center", va="bottom", fontsize=7, color=colour, weight=weight
        )
        bottom += inches + 0.02
    bottom += 0.03 * bool(lines)
    figure.get_layout_engine().set(rect=(0, bottom / height, 1, 1 - bottom / height), w_pad=0.02, h_pad=0.02)
    return figure


def picture(axes: Axes) -> None:
    """Prepare axes for an image: no ticks, no frame, black where there are no data, equal physical aspect."""
    axes.set(xticks=[], yticks=[], facecolor="black", aspect="equal")
    for spine in axes.spines.values():
        spine.set_visible(False)


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write NAME.png (300 dpi) and NAME.pdf (vector, embedded fonts); the same figure gives the same bytes."""
    metadata: dict[str, dict[str, str | None]] = {
        "png": {"Software": None},
        "pdf": {"Creator": "disyre-harness", "Producer": None, "CreationDate": None, "Title": name},
    }
    written = []
    for suffix, entries in metadata.items():
        path = folder / f"{name}.{suffix}"
        with atomic(path) as partial:
            figure.savefig(partial, dpi=DPI, metadata=entries)
        written.append(path)
    return written
