"""Figure 1: components of a synthetic anomaly, and the forward process that corrupts an image step by step."""

import numpy as np
from matplotlib.figure import Figure

from uadbench.core.archive import SYNTHESIS
from uadbench.paper import style, tiles
from uadbench.paper.inputs import Sources
from uadbench.paper.simulated import APART

REQUIRES = "disyre"
NEEDS = ["synthesis"]
INPUTS = {"x0": "healthy image $x_0$", "mask": "shape mask $m$", "foreign": "foreign patch $x_{fp}$"}
EXAMPLE = 0  # index of the example in the file
WINDOW = (0.0, 1.0)  # grey values, of images and of the mask
GAP, TITLE = 0.05, 0.22  # inches
SIMULATED = f"simulated scans{APART}"
MOST = 6  # time steps, spread evenly over those in the file
IN_COLUMN = 3  # images in a row of a figure of one column
NOTE = "Grey values of images and mask: 0 to 1."
ONE = " Of the anomalies of the example the largest is shown."
ROOM = 0.5  # inches for the labels of the axes of the schedule


def make(sources: Sources) -> Figure:
    """Draw x_0, m and x_fp above x_t for several t (Naval Marimont et al. 2024, Figure 1 and eq. 1)."""
    data = SYNTHESIS.load(sources.given("synthesis", "--synthesis"), *INPUTS, "t", "xt", "alpha")
    simulated = SIMULATED if data.get("simulated", False) else ""
    column = sources.width == "column"
    if column:
        data = _one_anomaly(data)
    first, most = (1, IN_COLUMN) if column else (0, MOST)  # x_0 stands above
    last = len(data["t"]) - 1
    chosen = np.unique(np.linspace(min(first, last), last, min(most, last + 1)).round().astype(int))
    data |= {"t": data["t"][chosen], "alpha": data["alpha"][chosen], "xt": data["xt"][:, chosen]}
    brain = data["x0"][EXAMPLE]
    middle, half = tiles.centre(brain, 1.0), tiles.frame([(brain, 1.0)], margin=2.0)
    whole = style.COLUMN if column else style.PAGE
    width = (whole + GAP) / (IN_COLUMN if column else max(5, len(chosen))) - GAP
    height = width * half[1] / half[0]
    figure = style.new(whole, 2 * (TITLE + height) + 0.08, simulated, NOTE + ONE * column)

    def left(k: int) -> float:
        return k * (width + GAP)

    for k, (key, title) in enumerate(INPUTS.items()):
        axes = style.box(figure, left(k), TITLE, width, height)
        tiles.show(axes, data[key][EXAMPLE], 1.0, WINDOW, middle, half)
        axes.set_title(title, pad=3)
    if not column:
        _schedule(figure, data, left(len(INPUTS)) + ROOM, style.PAGE - 0.05, height)
    for k, (t, alpha) in enumerate(zip(data["t"], data["alpha"], strict=True)):
        axes = style.box(figure, left(k), 2 * TITLE + height, width, height)
        tiles.show(axes, data["xt"][EXAMPLE, k], 1.0, WINDOW, middle, half)
        axes.set_title(("" if column else "$x_t$,  ") + rf"$t={t:g}$,  $\alpha_t={alpha:.2f}$", pad=3)
    return figure


def _one_anomaly(data: tiles.Arrays) -> tiles.Arrays:
    """The arrays with the largest anomaly of the example alone, as in the paper's figure: elsewhere x_t is x_0."""
    from scipy import ndimage  # slow to import

    parts, count = ndimage.label(data["mask"][EXAMPLE] > 0)
    largest = 1 + int(np.argmax(ndimage.sum_labels(data["mask"][EXAMPLE], parts, range(1, count + 1)))) if count else 0
    kept = parts == largest
    mask, foreign, xt = (data[key].copy() for key in ("mask", "foreign", "xt"))
    patches, _ = ndimage.label(foreign[EXAMPLE] > 0)
    foreign[EXAMPLE] *= np.isin(patches, patches[kept])
    mask[EXAMPLE] *= kept
    xt[EXAMPLE] = np.where(kept, xt[EXAMPLE], data["x0"][EXAMPLE])
    return data | {"mask": mask, "foreign": foreign, "xt": xt}


def _schedule(figure: Figure, data: tiles.Arrays, left: float, right: float, height: float) -> None:
    """Plot the factors α_t of the images below, in the free space beside the inputs."""
    axes = style.box(figure, left, TITLE, right - left, height - 0.4)
    axes.plot(data["t"], data["alpha"], "o-", color=style.BLUE, clip_on=False)
    axes.set(xlabel="time step $t$", ylabel=r"factor $\alpha_t$", ylim=(0, 1), yticks=[0, 0.5, 1], xticks=data["t"])
    axes.set_title("schedule", pad=3)
