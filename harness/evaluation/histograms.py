"""The file of score histograms: all score maps of one run on one test set, with what identifies them, as .npz."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.errors import HarnessError
from harness.evaluation.grid import Grid
from harness.evaluation.histogram import ScoreHistogram
from harness.files import atomic

FORMAT = 1  # of the file that `save` writes


def save(path: str | os.PathLike[str], histograms: Mapping[str, ScoreHistogram], meta: Mapping[str, Any]) -> None:
    """Write the histograms of several score maps, by name, and JSON-able facts about them to one .npz file.

    Counts are stored exactly, in the narrowest unsigned integers that hold them, lowest bytes first, deflated.
    """
    arrays: dict[str, np.ndarray] = {}
    index = []
    for number, (name, histogram) in enumerate(histograms.items()):
        subjects = histogram.subjects
        rows = [histogram.by_subject[subject] for subject in subjects]
        arrays[f"{number}.pool"] = _planes(histogram.pool)
        arrays[f"{number}.subjects"] = _planes(np.stack(rows) if rows else np.zeros((0, 2, histogram.grid.rows), int))
        lowest, highest = histogram.grid.lowest, histogram.grid.highest
        index.append({"name": name, "lowest": lowest, "highest": highest, "subjects": subjects})
    header = {"format": FORMAT, "meta": dict(meta), "maps": index}
    arrays["header"] = np.frombuffer(json.dumps(header, ensure_ascii=False).encode(), np.uint8)
    with atomic(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def load(path: str | os.PathLike[str], only: str | None = None) -> tuple[dict[str, ScoreHistogram], dict[str, Any]]:
    """The histograms by the name of the score map, in the order saved, and the facts given to `save`.

    With `only`, no other map than the one of this name is read; if there is none, there is no histogram.
    Raises HarnessError if the file is absent or was not written by `save`.
    """
    try:
        with np.load(path) as file:
            header = json.loads(bytes(file["header"]))
            if header["format"] != FORMAT:
                raise HarnessError(f"{path}: histograms of format {header['format']}, not {FORMAT}; evaluate again")
            histograms = {}
            for number, entry in enumerate(header["maps"]):
                if only not in (None, entry["name"]):
                    continue
                histogram = ScoreHistogram(entry["name"])
                grid = histogram.grid = Grid(entry["lowest"], entry["highest"])
                histogram.pool = _whole(file[f"{number}.pool"], np.int64).reshape(2, grid.size)
                rows = _whole(file[f"{number}.subjects"], np.uint32).reshape(-1, 2, grid.rows)
                histogram.by_subject = dict(zip(entry["subjects"], rows, strict=True))
                histograms[entry["name"]] = histogram
    except FileNotFoundError as error:
        raise HarnessError(f"{path}: no such file; run the evaluation that writes it") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise HarnessError(f"{path}: not a file of score histograms; run the evaluation again") from error
    return histograms, header["meta"]


def _planes(counts: np.ndarray) -> np.ndarray:
    """Counts of any shape as bytes (bytes per count, counts), which deflate far better than interleaved ones."""
    kind = np.min_scalar_type(counts.max(initial=0)).newbyteorder("<")
    return np.ascontiguousarray(counts.astype(kind).reshape(-1, 1).view(np.uint8).T)


def _whole(planes: np.ndarray, kind: type) -> np.ndarray:
    """The counts (n,) that `_planes` made `planes` of."""
    width = planes.shape[0]
    return np.ascontiguousarray(planes.T).view(f"<u{width}").reshape(-1).astype(kind)
