"""Figure 3: test images, their restorations and anomaly maps with the outline of the truth, one row per task."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.errors import HarnessError
from harness.paper import arrays, style
from harness.paper.sources import Sources

EXAMPLES = 2  # subjects per task, side by side
WINDOW = (0.0, 1.0)  # grey values of images
QUANTILE = 0.995  # of the scores inside the brains shown: white in the maps
BAR = 50.0  # mm, length of the scale bar


def make(sources: Sources) -> Figure:
    """Draw input, restoration and anomaly map of `sources.method` (Naval Marimont et al. 2024, Figure 3)."""
    results = sources.results
    folder = sources.given("examples", "--examples") / sources.method
    tasks = {task: load(folder / task, sources.seed) for task in results.tasks if (folder / task).is_dir()}
    if not tasks:
        raise HarnessError(f"{folder}: no examples of the tasks {', '.join(results.tasks)}; score this method first")
    shown = [(data, k) for data in tasks.values() for k in range(min(EXAMPLES, len(data["image"])))]
    half = arrays.frame((data["image"][k], float(data["spacing"])) for data, k in shown)
    white = max(float(np.quantile(data["score"][k][data["image"][k] > 0], QUANTILE)) for data, k in shown)
    restored = any("restoration" in data for data in tasks.values())
    kinds = ["image", "restoration", "score"] if restored else ["image", "score"]
    across = EXAMPLES * len(kinds)
    tile = (style.PAGE - 0.35) / across
    figure = style.new(
        style.PAGE,
        len(tasks) * (tile + 0.03) + 0.6,
        results.simulated,
        note=f"{results.title(sources.method)}. Grey values: images 0 to 1, anomaly score 0 to {white:.2g} (clipped). "
        f"Red: outline of the annotated anomaly. Bar: {BAR / 10:.0f} cm.",
    )
    grid = figure.subplots(len(tasks), across, squeeze=False)
    for row, (task, data) in zip(grid, tasks.items(), strict=True):
        row[0].set_ylabel(task, fontweight="bold")
        for k in range(EXAMPLES):
            cells = row[k * len(kinds) : (k + 1) * len(kinds)]
            if k < len(data["image"]):
                _subject(cells, data, k, kinds, half, white)
            else:
                for axes in cells:
                    axes.set_axis_off()
    titles = {"image": "input $x$", "restoration": r"restoration $\hat{x}_0$", "score": "anomaly score AS"}
    for column, axes in enumerate(grid[0]):
        axes.set_title(titles[kinds[column % len(kinds)]], pad=3)
    return figure


def load(folder: Path, seed: int | None) -> arrays.Arrays:
    """The example slices of one task: of the given seed, or of the lowest there is."""
    seeds = sorted(
        int(match[1])
        for path in folder.glob("seed-*/examples.npz")
        if (match := re.fullmatch(r"seed-(\d+)", path.parent.name))
    )
    if not seeds or (seed is not None and seed not in seeds):
        raise HarnessError(f"{folder}: no examples of seed {seed}; there are {', '.join(map(str, seeds)) or 'none'}")
    path = folder / f"seed-{seeds[0] if seed is None else seed}" / "examples.npz"
    return arrays.read(path, ["image", "score", "label", "spacing"])


def _subject(cells: np.ndarray, data: arrays.Arrays, k: int, kinds: list[str], half: float, white: float) -> None:
    spacing = float(data["spacing"])
    middle = arrays.centre(data["image"][k], spacing)
    for axes, kind in zip(cells, kinds, strict=True):
        if kind not in data:
            axes.set_axis_off()
            continue
        window = (0.0, white) if kind == "score" else WINDOW
        arrays.show(axes, data[kind][k], spacing, window, middle, half)
        if kind == "score":
            _outline(axes, data["label"][k], spacing)
    _bar(cells[0], middle, half)


def _outline(axes: Axes, label: np.ndarray, spacing: float) -> None:
    if label.any():
        y, x = (spacing * np.arange(side) for side in label.shape)
        axes.contour(x, y, label > 0, levels=[0.5], colors=style.RED, linewidths=0.7)


def _bar(axes: Axes, middle: tuple[float, float], half: float) -> None:
    right, y = middle[0] + half * 0.94, middle[1] - half * 0.94
    axes.plot([right - BAR, right], [y, y], color="white", linewidth=1.5, solid_capstyle="butt")
