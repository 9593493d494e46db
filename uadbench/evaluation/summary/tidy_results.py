"""Tidy table of every number of every run, one row per (method, seed, task, score, protocol, metric)."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from uadbench.core import checksums
from uadbench.core.errors import HarnessError, listed
from uadbench.core.sorting import DECIMAL, natural
from uadbench.evaluation.detection import findings
from uadbench.evaluation.detection.detection_metrics import detection
from uadbench.evaluation.protocols.protocols import PROTOCOLS
from uadbench.evaluation.voxels import source
from uadbench.evaluation.voxels.columns import COLUMNS, LIKENESS, META, UNTRAINED
from uadbench.evaluation.voxels.histogram import ScoreHistogram, load
from uadbench.evaluation.voxels.jackknife import CROWDED, CROWDED_NOTE, NONE, of_histogram
from uadbench.evaluation.voxels.metrics import METRICS, best_dice, doubtful, pooled_value
from uadbench.methods.postprocessing import described

METRIC_ORDER = [  # by the name up to "@" or "/"; others follow
    *("ap", "dice", "dice_threshold", "auroc"),
    *("subject_ap", "subject_dice", "dice_healthy5", "dice_healthy1", "subject_dice_healthy5", "subject_dice_healthy1"),
    *("subject_hd95_healthy1", "subject_surface_dice_healthy1", "aupro"),
    *("outside_brain", "slice_auroc", "slice_ap", "slice_chance", "subject_auroc"),
    *("threshold", "voxel_fpr", "sensitivity", "sensitivity_equal", "froc", "false_positives", "false_positive_ml"),
    *("lesion_f1", "lesions"),
]
KEY = ["experiment", "task", "method", "score", "seed", "protocol", "metric"]  # also the order of the rows

ROW = ("experiment", "task", "method")  # of a table: its runs are seeds
FITTING = ("revision", "dataset", "test_set", "modality")  # equal in a row, besides what its runs were trained with


def tidy(paths: Iterable[str | os.PathLike[str]], *readers: Callable[[Any, Any, Any], None]) -> pd.DataFrame:
    """The rows of results.csv for files of histograms, in an order independent of that of the files.

    Columns as in `COLUMNS`; low and high bound the 95 % interval over patients (`jackknife`), NaN if unavailable. An
    undefined metric has no row; a score map without an anomalous voxel, or one whose binning makes pooled metrics
    `doubtful`, has none of these and a warning on standard error. Findings beside a file of histograms add the rows of
    `detection.detection`, of score "final" and protocol "full", since they count every voxel of the brain. Raises
    HarnessError for a file that is no file of histograms, lacks metadata or repeats a run, for seeds of one method that
    were trained or tested differently, and for findings of another run.
    readers: called with path, histograms and metadata of each file, so that it is read once.
    """
    rows: list[dict[str, Any]] = []
    origin: dict[tuple[Any, ...], str] = {}
    rows_of: dict[tuple[Any, ...], dict[str, Any]] = {}
    looked: set[Path] = set()
    for path in paths:
        histograms, meta = load(path)
        _check(str(path), meta, origin)
        _check_row(str(path), meta, rows_of.setdefault(tuple(meta[key] for key in ROW), meta))
        for reader in readers:
            reader(path, histograms, meta)
        for score, histogram in histograms.items():
            if not histogram.positives:
                print(f"warning: {path}: map {score} has no anomalous voxel; left out", file=sys.stderr)
                continue
            facts = _facts(meta, score, meta["protocol"], histogram.subjects, histogram.voxels, histogram.positives)
            rows += [{**facts, **number} for number in numbers(histogram, meta["protocol"], str(path))]
        beside = findings.beside(path)
        if beside not in looked and checksums.there(beside):
            rows += _found(beside, meta, "final" in histograms and bool(doubtful(histograms["final"])))
        looked.add(beside)
    table = pd.DataFrame(rows, columns=[*COLUMNS, *[UNTRAINED] * any(UNTRAINED in row for row in rows)])
    return table.sort_values(KEY, key=_order, kind="stable", ignore_index=True)


def numbers(histogram: ScoreHistogram, protocol: str = "full", where: str = "") -> list[dict[str, Any]]:
    """All defined metrics of a histogram as dicts with metric, value, low, high and n_eff.

    None where binning makes them `doubtful`, with a warning, which begins with `where`.
    """
    fixed = PROTOCOLS[protocol].thresholds
    thresholds = None if fixed is None else fixed(histogram)
    begin = "warning: " + ": ".join(filter(None, [where, histogram.name]))
    if doubt := doubtful(histogram, thresholds):
        print(f"{begin}: {doubt}", file=sys.stderr)
        return []
    values = {metric: pooled_value(histogram, metric, thresholds) for metric in METRICS}
    values["dice_threshold"] = best_dice(histogram, thresholds)[1]
    intervals = of_histogram(histogram, METRICS, thresholds)
    enough = len(set(histogram.patients)) > 1 and 0 < histogram.positives < histogram.voxels
    hidden = [metric for metric, interval in intervals.items() if interval is CROWDED and enough]
    if hidden:
        print(f"{begin}: {', '.join(hidden)}: {CROWDED_NOTE}", file=sys.stderr)
    return [
        {"metric": metric, "value": value, **asdict(intervals.get(metric, NONE))}
        for metric, value in values.items()
        if np.isfinite(value)
    ]


def _found(path: Path, meta: dict[str, Any], doubt: bool) -> list[dict[str, Any]]:
    """The rows of a file of findings beside histograms with the metadata `meta`; doubt: whether these crowd in bins."""
    found, own = findings.load(path)
    for key in META:
        if own.get(key) != meta[key]:
            raise HarnessError(
                f"{path}: of {key} {own.get(key)} but beside histograms of {meta[key]}; run the test again"
            )
    facts = _facts(meta, "final", "full", found.subjects, int(found.voxels.sum()), int(found.anomalous.sum()))
    return [{**facts, **row} for row in detection(found, own.get("patients", {}), binned=not doubt)]


def _facts(
    meta: dict[str, Any], score: str, protocol: str, subjects: Sequence[str], voxels: int, positives: int
) -> dict[str, Any]:
    """The columns of a row except metric, value, low, high and n_eff."""
    counts: dict[str, Any] = {
        "subjects": len(subjects),
        "left_out": meta["left_out"],
        "voxels": voxels,
        "positives": positives,
    }
    patients = meta.get("patients", {})
    counts["patients"] = len({patients.get(name, name) for name in subjects})
    counts["lost"] = listed(meta.get("lost", ())) or np.nan  # as pandas reads an empty cell
    counts["postprocessing"] = described(meta.get("postprocessing"), score) or np.nan
    counts |= {UNTRAINED: listed(meta[UNTRAINED])} if UNTRAINED in meta else {}
    identity = {key: meta[key] for key in META}
    told = source.columns(meta) | {key: meta.get(key, "") for key in LIKENESS}
    stated = {key: text or np.nan for key, text in told.items()}
    return {**identity, "score": score, "protocol": protocol, **counts, **stated}


def _check(path: str, meta: dict[str, Any], origin: dict[tuple[Any, ...], str]) -> None:
    """Raise HarnessError unless the metadata are complete, the protocol known and the run new."""
    missing = [key for key in [*META, "protocol", "left_out"] if key not in meta]
    if missing:
        raise HarnessError(f"{path}: no {missing[0]} given; run the evaluation again")
    if meta["protocol"] not in PROTOCOLS:
        raise HarnessError(f"{path}: protocol {meta['protocol']} is unknown; use one of {', '.join(PROTOCOLS)}")
    run = tuple(meta[key] for key in ("experiment", "task", "method", "seed", "protocol"))
    if run in origin:
        raise HarnessError(
            f"{path}: same experiment, task, method, seed and protocol as {origin[run]}; give one of them"
        )
    origin[run] = path


def _check_row(path: str, meta: dict[str, Any], first: dict[str, Any]) -> None:
    """Raise HarnessError unless a run fits the first one of its row of a table, of which it may be another seed.

    Earlier versions did not record what a run was trained with.
    """
    filters = "postprocessing"
    one, other = (
        {**{key: run[key] for key in FITTING}, filters: run.get(filters), **run.get("trained", {})}
        for run in (first, meta)
    )
    for key in one.keys() & other.keys():
        if one[key] != other[key]:
            raise HarnessError(
                f"{path}: {meta['method']}, seed {meta['seed']}, has {key} {other[key]!r}, but seed {first['seed']} "
                f"{one[key]!r}: no two of one row; run snakemake again, or give one another --experiment"
            )


def _order(column: pd.Series) -> pd.Series:
    """Sort key of a column: metrics in their usual order, "final" first, numbers within names by value."""
    if column.name == "seed":
        return column
    place = _metric_place if column.name == "metric" else lambda name: name != "final"

    def key(name: Any) -> tuple[Any, ...]:
        return place(name), str(name)[:1].isdecimal(), natural(str(name), DECIMAL)

    names = sorted(set(column), key=key)
    return column.map({name: place for place, name in enumerate(names)})


def _metric_place(metric: str) -> int:
    """Position of a metric among others, the same for all rates and lesion sizes."""
    stem = re.split("[@/]", metric)[0]
    return METRIC_ORDER.index(stem) if stem in METRIC_ORDER else len(METRIC_ORDER)
