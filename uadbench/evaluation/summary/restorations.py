"""Restorations against the other side of the brain: do they bring a lesion nearer to healthy tissue?

The paper says that restorations look like healthy versions of the slices (Naval Marimont et al. 2024, section 4). No
scan has a healthy version. The same place of the other hemisphere is the nearest to it that every scan has: grey values
of a lesion differ from it by more than those of healthy tissue do, and after a perfect restoration by no more.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from uadbench.core import checksums
from uadbench.core.archive import SLICES
from uadbench.core.study_folder import EXAMPLES
from uadbench.evaluation.voxels.columns import SIMULATED
from uadbench.evaluation.voxels.jackknife import Spread
from uadbench.methods.registry import CONTROL

NUMBERS = ["patients", "seeds", "before", "after", "healthy", "ratio", "low", "high"]
COLUMNS = ["experiment", *SIMULATED, "task", "method", *NUMBERS]
REACH = 0.1  # of the width of a slice, by which its plane of symmetry may be off the middle


def restorations(paths: Iterable[str | os.PathLike[str]]) -> pd.DataFrame:
    """The rows of restorations.csv, one for each task and method with restorations in the examples beside these files.

    Of each example slice, the one with the largest area of lesion of its subject: the mean absolute difference of grey
    values from the mirrored slice (see `differences`), in the lesion of the scan (`before`) and of its restoration
    (`after`), and in healthy tissue of the scan (`healthy`); means over patients and seeds. ratio: geometric mean over
    patients of after / before; low, high: its 95 % interval, NaN for one patient. A restoration that blurs a lesion
    away comes nearer, too. Raises HarnessError for damaged examples.
    """
    found: dict[tuple[str, ...], list[pd.DataFrame]] = {}
    facts: dict[tuple[str, ...], dict[str, Any]] = {}
    for path in dict.fromkeys(Path(path).with_name(EXAMPLES) for path in paths):
        if not checksums.there(path):
            continue
        with SLICES.opened(path) as (header, stored):
            meta = header.get("meta", {})
            if "restoration" not in stored or meta.get("family") == CONTROL or not meta:
                continue
            arrays = [stored[name] for name in ("image", "restoration", "label")]
            own = [differences(*slices) for slices in zip(*arrays, strict=True)]
            names = [meta.get("patients", {}).get(name, name) for name in map(str, stored["subject"])]
        group = (meta["experiment"], meta["task"], meta["method"])
        facts[group] = {key: meta[key] for key in ("experiment", *SIMULATED, "task", "method")}
        table = pd.DataFrame(own, columns=["before", "after", "healthy"]).assign(patient=names, seed=meta["seed"])
        found.setdefault(group, []).append(table)
    rows = [{**facts[group], **_row(pd.concat(parts))} for group, parts in sorted(found.items())]
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(NUMBERS, float))


def differences(image: np.ndarray, restoration: np.ndarray, label: np.ndarray) -> tuple[float, float, float]:
    """Mean absolute difference of a slice (H, W) from itself mirrored from left to right: of scan and of restoration in
    the lesion, and of the scan in healthy tissue; NaN without a voxel.

    Voxels count where both sides are brain (above 0) and the other one is healthy. The plane is that in which the brain
    is most symmetric.
    """
    places = mirrored(image > 0)
    inside = places >= 0
    other = np.where(inside, image[:, places], 0)
    healthy = (other > 0) & ~(np.where(inside, label[:, places], 1) > 0) & (image > 0)
    lesion, rest = healthy & (label > 0), healthy & (label == 0)

    def mean(values: np.ndarray, chosen: np.ndarray) -> float:
        return float(np.abs(values - other)[chosen].mean()) if chosen.any() else np.nan

    return mean(image, lesion), mean(restoration, lesion), mean(image, rest)


def mirrored(brain: np.ndarray) -> np.ndarray:
    """Column (W,) opposite each column of a slice of brain (H, W) bool; -1 where there is none."""
    width = brain.shape[1]
    columns, reach = np.arange(width), max(1, round(2 * REACH * width))

    def opposite(total: int) -> np.ndarray:
        places = total - columns
        return np.where((places >= 0) & (places < width), places, -1)

    def overlap(total: int) -> int:
        places = opposite(total)
        return int((brain & brain[:, places] & (places >= 0)).sum())

    totals = sorted(range(width - 1 - reach, width + reach), key=lambda total: abs(total - width + 1))
    return opposite(max(totals, key=overlap))  # of equal ones that nearest to the middle


def _row(values: pd.DataFrame) -> dict[str, Any]:
    """Means over patients, each the mean over seeds, and the ratio with its interval."""
    people = values.groupby("patient")[["before", "after", "healthy"]].mean().dropna(subset=["before", "after"])
    people = people[(people[["before", "after"]] > 0).all(axis=1)]
    row: dict[str, Any] = {"patients": len(people), "seeds": values["seed"].nunique(), **people.mean()}
    if people.empty:
        return row
    logs = np.log((people["after"] / people["before"]).to_numpy())
    half = Spread.of_runs(logs).half if len(logs) > 1 else np.nan
    return row | dict(zip(("ratio", "low", "high"), np.exp(logs.mean() + np.array([0, -half, half])), strict=True))
