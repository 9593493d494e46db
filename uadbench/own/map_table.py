"""Table of scored scans, maps.csv: volume and number of findings at a threshold, and where the largest of them lie.

Findings are counted on the voxels of the scan, not on the packed grid that the threshold was measured on: they are then
those of the map, mask and page that the reader opens, volumes are those of the person's head and not of the template's,
and each number can be computed again from map and brain mask. Interpolation to the scan's voxels lowers peaks, so that
small findings shrink, and a smaller fraction of a healthy brain reaches the threshold there than was stated.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from uadbench.core import csv_files
from uadbench.core.sorting import natural
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.registration.transform import Placement
from uadbench.evaluation.detection.lesions import LEAST, bounding_box, components, neighbours
from uadbench.own import scan_inputs
from uadbench.own.regions import Atlas

LARGEST = 3  # findings that a row describes
BESIDE = 0.1  # fraction of a finding on the other side of the midline, above which it lies on both

#: columns of a scan, and of each of its largest findings; docs/own-scans.md has the same words
SCAN = {
    "name": "name of the map, without its suffix",
    "image": "path of the scan, as it was given when it was scored",
    "threshold": "score from which on a voxel counts; empty if none is known, as are then all columns of findings",
    "volume_ml": "volume of the brain voxels at or above the threshold, in ml",
    "findings": f"number of findings: 26-connected components of these voxels, of at least {LEAST:g} mm³",
    "maximum": "greatest score in the brain",
    "mean": "mean score in the brain",
    "brain_ml": "volume of the brain in ml",
    "template": "space of the centres: `mni152` (ICBM 152 nonlinear symmetric 2009a), or the template's file",
    "atlas": "file of `--atlas`; empty without one, as are then the regions",
    "inputs": "kind and 16 digits of the SHA-256 of each file that was read, which a finished map is known by",
}
FINDING = {
    "ml": "volume in ml",
    "x_mm": "centre, the mean position of its voxels, in mm of the template: to the right",
    "y_mm": "to the front",
    "z_mm": "upwards",
    "side": f"of the person: `left`, `right`, or `both` with more than {BESIDE * 100:g} % on either side",
    "maximum": "greatest score",
    "region": "name of the region of the atlas that most of it lies in; empty outside of all",
}
COLUMNS = [*SCAN, *(f"finding{number}_{key}" for number in range(1, LARGEST + 1) for key in FINDING)]
REMEDY = "remove it, and score its scans again"

Row = dict[str, Any]


def row(
    name: str,
    image: Path,
    scored: Any,
    brain: np.ndarray,
    threshold: float | None,
    placement: Placement,
    template: str,
    atlas: Atlas | None = None,
) -> Row:
    """The row of a scan, by COLUMNS, whose units SCAN and FINDING state; findings that are lacking have no value.

    scored: map as an image of nibabel, brain (I, J, K) bool, both on the voxels of the scan; threshold: that of a known
    fraction of healthy voxels, or any other; None without one. placement: of the scan; template: its name or path;
    atlas: in the template's space.
    """
    scores, native = np.asarray(scored.dataobj), placement.native
    values = scores[brain]
    found: Row = {
        "name": name,
        "image": str(image),
        "maximum": _score(values.max(initial=0)),
        "mean": _score(values.mean(dtype=np.float64) if values.size else 0),
        "brain_ml": _ml(values.size * native.voxel_ml),
        "template": template,
        "atlas": atlas.name if atlas else "",
    }
    if threshold is not None:
        threshold = float(threshold)  # compared in the number format of the map
        reached = brain & (scores >= threshold)
        described = findings(reached, scores, placement, atlas)
        found |= {"threshold": threshold, "volume_ml": _ml(np.count_nonzero(reached) * native.voxel_ml)}
        found |= {"findings": len(described)}
        for number, finding in enumerate(described[:LARGEST], start=1):
            found |= {f"finding{number}_{key}": value for key, value in finding.items()}
    return {column: found.get(column) for column in COLUMNS}


def findings(reached: np.ndarray, scores: np.ndarray, placement: Placement, atlas: Atlas | None = None) -> list[Row]:
    """Findings of the voxels (I, J, K) bool that reach a threshold, by FINDING, the largest first.

    They are components as in the evaluation (`evaluation.detection.lesions.detect`), of at least LEAST mm³.
    """
    box = bounding_box(reached)
    inside, at = reached[box], scores[box][reached[box]]
    count, owner = components(len(at), *neighbours(inside))
    places = np.argwhere(inside) + [part.start for part in box]
    sizes = np.bincount(owner, minlength=count)
    into = np.linalg.inv(placement.matrix) @ placement.native.affine  # voxels to mm of the template
    low, high = geometry.extent(placement.grid.shape, placement.grid.affine)
    points = into[:3, :3] @ places.T + into[:3, 3:]
    on_right = points[0] > (low[0] + high[0]) / 2
    ordered = np.argsort(-sizes, kind="stable")
    least = LEAST / 1000 / placement.native.voxel_ml * (1 - 1e-6)  # sides of voxels are rounded
    members = np.split(np.argsort(owner, kind="stable"), np.cumsum(sizes)[:-1]) if count else []
    described = []
    for number in ordered[sizes[ordered] >= least]:
        own = members[number]
        right = float(on_right[own].mean())
        x, y, z = (round(float(value), 1) + 0.0 for value in points[:, own].mean(axis=1))
        described.append(
            {
                "ml": _ml(len(own) * placement.native.voxel_ml),
                "x_mm": x,
                "y_mm": y,
                "z_mm": z,
                "side": "both" if BESIDE < right < 1 - BESIDE else "right" if right > 0.5 else "left",
                "maximum": _score(at[own].max()),
                "region": atlas.region(points[:, own]) if atlas else "",
            }
        )
    return described


def write(path: Path, rows: Iterable[Mapping[str, Any]], kept: Collection[str] | None = None) -> None:
    """Write rows, by COLUMNS, into the table at `path`, in place of those of the same names; atomic.

    Rows of earlier calls stay, or if `kept` is given those of its names alone. Raises HarnessError for a file that is
    no such table.
    """
    merged = {name: old for name, old in _read(path).items() if kept is None or name in kept}
    merged |= {str(new["name"]): {column: new[column] for column in COLUMNS} for new in rows}
    csv_files.write(path, COLUMNS, [merged[name] for name in sorted(merged, key=natural)])


def inputs(path: Path, threshold: float | None) -> dict[str, dict[str, str]]:
    """Inputs of the rows of a table that were made with this threshold, by name and kind; none without a table.

    Errors as of `write`.
    """
    made = "" if threshold is None else str(float(threshold))
    return {name: scan_inputs.split(old["inputs"]) for name, old in _read(path).items() if old["threshold"] == made}


def found(row: Row) -> str:
    """Findings of a row in words."""
    if row["threshold"] is None:
        return f"greatest score {row['maximum']:.3g}"
    what = f"{row['findings']} finding{'s' * (row['findings'] != 1)}"
    volume = row["volume_ml"]
    return f"{what}, {volume:{'.1f' if volume >= 1 or not volume else '.2g'}} ml at or above {row['threshold']:.3g}"


def _read(path: Path) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        return {}
    rows = csv_files.read(path, COLUMNS, REMEDY)
    return {old["name"]: {column: old[column] for column in COLUMNS} for old in rows}


def _score(value: Any) -> float:
    """The shortest number that is equal to a score as float32."""
    return float(str(np.float32(value)))


def _ml(value: float) -> float:
    return float(f"{value:.6g}")
