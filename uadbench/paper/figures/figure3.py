"""Figure 3: test images, their restorations and anomaly maps with the annotated outline, one row per task."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uadbench.core import study_folder
from uadbench.core.archive import SLICES
from uadbench.core.errors import HarnessError
from uadbench.paper import style, tiles
from uadbench.paper.inputs import Sources

NEEDS = ["examples"]
TITLES = {"image": "input $x$", "restoration": r"restoration $\hat{x}_0$", "score": "anomaly score AS"}
EXAMPLES = 2  # subjects per task, side by side
WINDOW = (0.0, 1.0)  # grey values of images
QUANTILE = 0.995  # of the scores in the brain masks of a row: white in its maps
BAR = 20.0  # mm, length of the scale bar
LEFT, TITLE, GAP, APART = 0.32, 0.2, 0.04, 0.12  # inches: row labels, column titles, between tiles, between subjects


def make(sources: Sources) -> Figure:
    """Draw input, restoration and anomaly map of `sources.method` (Naval Marimont et al. 2024, Figure 3)."""
    results, method = sources.results, sources.method
    folder = sources.given("examples", "--examples") / method
    tasks: dict[str, tiles.Arrays] = {}
    seeds = set()
    for task in results.tasks:
        if (folder / task).is_dir():
            tasks[task], seed = load(folder / task, sources.seed)
            seeds.add(seed)
    if not tasks:
        raise HarnessError(f"{folder}: no examples of the tasks {', '.join(results.tasks)}; score this method first")
    kinds = [kind for kind in TITLES if any(kind in data for data in tasks.values())]
    across = max(_shown(data) for data in tasks.values())
    shown = [(data["image"][k], float(data["spacing"])) for data in tasks.values() for k in range(_shown(data))]
    half = tiles.frame(shown)
    width = (style.PAGE - LEFT - (across - 1) * APART - across * (len(kinds) - 1) * GAP) / (across * len(kinds))
    height = width * half[1] / half[0]
    how = {str(data["restored"]) for data in tasks.values() if "restored" in data} - {""}
    facts = [results.title(method), *sorted(how), f"seed {', '.join(map(str, sorted(seeds)))}"]
    note = (
        f"{', '.join(facts)}. Subjects from the median lesion volume up, the same for every method, each in the slice "
        "with its largest anomaly. Grey values: images 0 to 1, anomaly score 0 to the value at the left of its row. "
        f"Red: outline of the annotated anomaly. Bar: {BAR / 10:g} cm. L: left of the subject."
    )
    figure = style.new(style.PAGE, TITLE + len(tasks) * (height + GAP) + 0.02, results.simulated, note)
    for row, (task, data) in enumerate(tasks.items()):
        top = TITLE + row * (height + GAP)
        white = _white(data)
        _label(figure, style.plain(task), white, top + height / 2)
        for k in range(_shown(data)):
            for column, kind in enumerate(kinds):
                if kind not in data:
                    continue
                left = LEFT + k * (len(kinds) * (width + GAP) - GAP + APART) + column * (width + GAP)
                axes = style.box(figure, left, top, width, height)
                _tile(axes, data, k, kind, half, white)
                if row == 0:
                    axes.set_title(TITLES[kind], pad=3)
    return figure


def load(folder: Path, seed: int | None) -> tuple[tiles.Arrays, int]:
    """Example slices of one task, of the given seed or of the lowest available, and this seed."""
    files = study_folder.by_seed(folder, study_folder.EXAMPLES)
    if not files or (seed is not None and seed not in files):
        wanted = "" if seed is None else f" of seed {seed}"
        raise HarnessError(f"{folder}: no examples{wanted}; seeds there: {', '.join(map(str, files)) or 'none'}")
    seed = min(files) if seed is None else seed
    return SLICES.load(files[seed], "image", "score", "label", "spacing"), seed


def _shown(data: tiles.Arrays) -> int:
    return min(EXAMPLES, len(data["image"]))


def _white(data: tiles.Arrays) -> float:
    """The score displayed as white; one per row, since scores are ranked within a task and not between tasks."""
    count = _shown(data)
    inside = data["score"][:count][data["image"][:count] > 0]
    return float(np.quantile(inside, QUANTILE)) if inside.size else 1.0


def _label(figure: Figure, task: str, white: float, middle: float) -> None:
    y = 1 - middle / figure.get_size_inches()[1]
    common: dict[str, Any] = {"rotation": 90, "ha": "center", "va": "center"}
    figure.text(0.08 / style.PAGE, y, task, fontweight="bold", **common)
    figure.text(0.22 / style.PAGE, y, f"AS 0 to {white:.2g}", fontsize=7, **common)


def _tile(axes: Axes, data: tiles.Arrays, k: int, kind: str, half: tuple[float, float], white: float) -> None:
    spacing = float(data["spacing"])
    middle = tiles.centre(data["image"][k], spacing)
    tiles.show(axes, data[kind][k], spacing, (0.0, white) if kind == "score" else WINDOW, middle, half)
    label = data["label"][k] > 0
    if kind == "score" and label.any():
        y, x = (spacing * np.arange(side) for side in label.shape)
        axes.contour(x, y, label, levels=[0.5], colors=style.RED, linewidths=0.7)
    if kind == "image":
        right, bottom = middle[0] + half[0] - 4, middle[1] - half[1] + 4
        axes.plot([right - BAR, right], [bottom, bottom], color="white", linewidth=1.5, solid_capstyle="butt")
        axes.text(0.03, 0.97, "L", transform=axes.transAxes, va="top", color="white", fontsize=7)
