"""Made-up results and example arrays in the files' real layout, for the tests of tables and figures."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from uadbench.evaluation.voxels.columns import SIMULATED
from uadbench.paper import catalogue, style
from uadbench.paper.inputs import Sources
from uadbench.paper.table import Table
from uadbench.paper.writers import tidy

TASKS = {"ATLAS": 0.011, "BraTS-T1": 0.045, "BraTS-T2": 0.046}  # share of anomalous voxels
RELEASES = {"ATLAS": ("atlas", 655), "BraTS-T1": ("brats", 369), "BraTS-T2": ("brats", 369)}  # if real, and subjects
METHODS = {
    "intensity": ("Intensity", "control", 0.05),
    "random": ("Random", "control", 0.0),
    "dae": ("DAE", "S-S", 0.2),
    "disyre": ("DISYRE", "S-S", 0.4),
    "fae": ("FAE", "FM", 0.3),
    "my_own": ("My_own & 50%", "S-S", 0.25),
}
SIDE = 64


def write_results(
    path: Path,
    methods: Iterable[str] = tuple(METHODS),
    seeds: Iterable[int] = (0, 1, 2, 3),
    tasks: dict[str, float] | None = None,
    simulated: bool | tuple[bool, bool] = True,
    edit: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
) -> Path:
    """Write a results.csv with plausible values; simulated: both kinds of scans, or those of training and of the test.

    `edit` may change the frame before.
    """
    flags = dict(zip(SIMULATED, simulated if isinstance(simulated, tuple) else (simulated, simulated), strict=True))
    tasks = tasks or TASKS
    rng = np.random.default_rng(0)
    rows = []
    for method in methods:
        title, family, level = METHODS[method]
        for k, (task, chance) in enumerate(tasks.items()):
            for seed in seeds:
                scores = {"final": level}
                if method == "disyre":
                    times = np.arange(5, 101, 5)
                    shape = np.exp(-(((times - (75, 45, 100)[k % 3]) / 35) ** 2))
                    scores |= {f"single/t={t}": level * s for t, s in zip(times, shape, strict=True)}
                    scores |= {
                        f"cumulative/t={t}": level * s
                        for t, s in zip((100, 75, 50, 25), (0.6, 0.9, 1, 1.05), strict=True)
                    }
                    scores |= {f"multi/step={s}": level for s in (10, 20, 25, 33, 50)}
                release = RELEASES.get(task, ("", 0)) if not any(flags.values()) else ("", 0)
                subjects = release[1] or 40
                for score, value in scores.items():
                    value = max(value + 0.1 * k + 0.01 * rng.standard_normal(), chance)
                    voxels = 1_000_000
                    row = {
                        "experiment": "demo", **flags, "method": method, "title": title,
                        "revision": 1, "family": family, "seed": seed, "task": task, "dataset": task.lower(),
                        "test_set": f"{k:012x}", "release": release[0], "modality": "t2" if k == 2 else "t1",
                        "score": score, "protocol": "full", "subjects": subjects, "left_out": k, "voxels": voxels,
                        "positives": round(chance * voxels), "voxel_mm": "4", "space": "mni152",
                    }  # fmt: skip
                    rows.append(row | {"metric": "ap", "value": value, "low": value - 0.02, "high": value + 0.02})
                    rows.append(row | {"metric": "dice", "value": min(1.0, value + 0.1)})
    frame = pd.DataFrame(rows)
    (edit(frame) if edit else frame).to_csv(path, index=False)
    return path


def write_comparisons(folder: Path, better: Iterable[tuple[str, str]], protocol: str = "full", **changes) -> Path:
    """Write comparisons.csv with significant differences on ATLAS by AP, of a better method and another."""
    from uadbench.core.study_folder import COMPARISONS
    from uadbench.evaluation.summary.comparisons import COLUMNS

    facts = {"experiment": "demo", **dict.fromkeys(SIMULATED, True), "task": "ATLAS", "protocol": protocol}
    facts |= {"metric": "ap", "low": 0.0, "high": 0.0, "p": 0.001, "p_holm": 0.01, "resampled": "subjects and seeds"}
    facts |= {"score": "final", "subjects": 40, "seeds": 4, "seeds_other": 4, **changes}
    rows = []
    for one, other in better:
        method, second = sorted((one, other))
        sign = {"difference": 0.1 if method == one else -0.1}
        rows.append({**facts, "method": method, "other": second, **sign})
    pd.DataFrame(rows, columns=COLUMNS).to_csv(folder / COMPARISONS, index=False)
    return folder / COMPARISONS


def brain(seed: int, side: int = SIDE) -> np.ndarray:
    """A smooth ellipse with ventricles, zero outside, (side, side) float32 in [0, 1]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    r = (x / 0.68) ** 2 + (y / 0.85) ** 2
    texture = sum(np.cos(rng.uniform(3, 14) * x + rng.uniform(3, 14) * y + rng.uniform(0, 6)) for _ in range(12))
    tissue = 0.55 + 0.04 * texture + 0.2 * (r > 0.8)
    ventricles = np.exp(-((np.abs(x) - 0.12) ** 2) / 0.004 - (y - 0.05) ** 2 / 0.05)
    return np.where(r < 1, np.clip(tissue - 0.5 * ventricles, 0.02, 1), 0).astype(np.float32)


def blob(cy: float, cx: float, radius: float, side: int = SIDE) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    return np.exp(-((((y - cy) / radius) ** 2 + ((x - cx) / radius) ** 2) ** 2))


def write_examples(
    folder: Path, method: str = "disyre", tasks: Iterable[str] = tuple(TASKS), seeds: Iterable[int] = (0, 1)
) -> Path:
    """Write examples.npz of each task and seed in the layout METHOD/TASK/seed-N."""
    for k, task in enumerate(tasks):
        for seed in seeds:
            healthy = np.stack([brain(10 * k + i) for i in range(3)])
            lesion = np.stack([blob(0.3 - 0.3 * i, 0.3 - 0.25 * k, 0.15 + 0.05 * i) for i in range(3)])
            image = np.clip(healthy + (healthy > 0) * 0.3 * lesion * (1 if k == 2 else -1), 0, 1)
            noise = np.random.default_rng(seed).random(image.shape)
            path = folder / method / task / f"seed-{seed}" / "examples.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(
                path,
                image=image.astype(np.float32),
                restoration=healthy,
                score=((2 * np.abs(image - healthy) + 0.1 * noise) * (healthy > 0)).astype(np.float32),
                label=((lesion > 0.5) & (healthy > 0)).astype(np.uint8),
                subject=np.array([f"sub-{i}" for i in range(3)]),
                spacing=np.float32(3.0),
            )
    return folder


def write_synthesis(path: Path, examples: int = 2, simulated: bool = True) -> Path:
    """Write synthesis.npz with the paper's schedule at five t."""
    x0 = np.stack([brain(i) for i in range(examples)])
    foreign = np.stack([np.roll(brain(50 + i), 9, axis=1) for i in range(examples)])
    mask = np.stack([blob(0.1, 0.25, 0.3) for _ in range(examples)]) * (x0 > 0)
    t = np.array([0, 25, 50, 75, 100])
    alpha = np.array([0, 0.273, 0.728, 0.949, 0.9955])
    a = alpha[None, :, None, None]
    xt = (1 - a * mask[:, None]) * x0[:, None] + a * mask[:, None] * foreign[:, None]
    np.savez(path, x0=x0, mask=mask, foreign=foreign, t=t, xt=xt, alpha=alpha, simulated=simulated)
    return path


def write_histories(
    path: Path,
    methods: dict[str, str] | None = None,
    modalities: Iterable[str] = ("t1", "t2"),
    seeds: Iterable[int] = (1, 2, 3, 4),
    flat: Iterable[tuple[str, str, int]] = (),
    phases: dict[str, list[str]] | None = None,
    steps: int = 400,
    every: int = 50,
    simulated: bool = True,
    edit: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
) -> Path:
    """Write a histories.csv: losses fall from 2 to 0.6, those of `flat` runs (method, modality, seed) only to 1.96.

    A step takes 0.1 s.
    """
    methods = {"disyre": "DISYRE", "mood22": "MOOD22", "dae": "DAE"} if methods is None else methods
    rng = np.random.default_rng(0)
    rows = [
        {
            "method": method, "title": title, "modality": modality, "seed": seed, "trained_on_simulated": simulated,
            "phase": phase, "step": step, "loss": None if step == 0 else loss * (1 + 0.05 * rng.standard_normal()),
            "validation": loss, "learning_rate": 1e-4, "seconds": step / 10,
        }
        for method, title in methods.items()
        for modality in modalities
        for seed in seeds
        for phase in (phases or {}).get(method, ["train"])
        for step in range(0, steps + 1, every)
        for loss in [2 * (1 - (0.02 if (method, modality, seed) in set(flat) else 0.7) * step / steps)]
    ]  # fmt: skip
    run, row = ["method", "title", "modality", "seed", "trained_on_simulated"], ["phase", "step", "loss", "validation"]
    frame = pd.DataFrame(rows, columns=[*run, *row, "learning_rate", "seconds"])
    (edit(frame) if edit else frame).to_csv(path, index=False)
    return path


@pytest.fixture(autouse=True)
def house_style() -> Iterator[None]:
    with style.style():
        yield


def table(name: str, path: Path, **sources: object) -> Table:
    return catalogue.load("tables", name).make(Sources(path, **sources))


def rows(made: Table) -> list[dict[str, str]]:
    """The rows of a table's CSV."""
    return list(csv.DictReader(io.StringIO(tidy.render(made))))


def assert_regular(tex: str) -> None:
    """Braces and environments are balanced, and every row of a tabular has as many cells as columns."""
    plain = re.sub(r"\\[\\{}&%$#_]", "", re.sub(r"(?<!\\)%.*", "", tex))
    assert plain.count("{") == plain.count("}")
    assert plain.count("$") % 2 == 0
    assert sorted(re.findall(r"\\begin{(.*?)}", tex)) == sorted(re.findall(r"\\end{(.*?)}", tex))
    for spec, body in re.findall(r"@{}([lr]+)@{}}(.*?)\\bottomrule", tex, re.DOTALL):
        for line in (line for line in body.splitlines() if line.endswith("\\\\")):
            spans = sum(int(n) - 1 for n in re.findall(r"\\multicolumn{(\d+)}", line))
            assert len(re.findall(r"(?<!\\)&", line)) + 1 + spans == len(spec)


def assert_fits(figure: Figure) -> None:
    """The figure is as wide as a column or the page, and nothing is cut off."""
    figure.canvas.draw()
    width, height = figure.get_size_inches()
    box = figure.get_tightbbox(figure.canvas.get_renderer())
    assert width in (style.COLUMN, style.PAGE)
    assert min(box.x0, box.y0) > -0.01
    assert max(box.x1 - width, box.y1 - height) < 0.01
