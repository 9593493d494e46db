"""Detection table: detections of every method at a threshold set on healthy subjects, without labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from uadbench.paper import table
from uadbench.paper.inputs import Sources
from uadbench.paper.results import Results
from uadbench.paper.table import Column, Row, Table
from uadbench.paper.tables.table2 import order

METRICS = {
    "slice_auroc": "slice AUC",
    "dice_healthy1": "Dice@1%",
    "lesion_f1@0.01": "F1",
    "sensitivity@0.01": "Sens.",
    "false_positive_ml@0.01": "FP, ml",
}
PROTOCOL = "full"  # findings count every voxel of the brain, under any protocol


def findings(
    sources: Sources, name: str, metrics: Iterable[str]
) -> tuple[Results, tuple[Column, ...], tuple[Row, ...]]:
    """Results, columns and rows of a table of findings: methods of this run, in the order of Table 2."""
    results = replace(sources, protocol=PROTOCOL).results
    cols = table.columns(results, sources.published, name, metrics)
    entries = order(sources.published.methods("table2"), results.methods)
    return results, cols, tuple(table.method_row(entry, cols, results) for entry in entries)


def make(sources: Sources) -> Table:
    """Build the table: metrics of lesions and slices of `uadbench.evaluation.detection.detection_metrics`."""
    results, cols, rows = findings(sources, "detection", METRICS)
    return Table(
        name="detection",
        caption=(
            "AUROC of slices (anomalous or not, by their highest score); and at the threshold that 1 % of healthy "
            "subjects' brain voxels reach, a choice without labels: Dice of all voxels, F1 and sensitivity (Sens.) of "
            "lesions, and volume of false positives (FP) per subject."
        ),
        heads=("", "Method"),
        columns=cols,
        rows=rows,
        chance=(None,) * len(cols),
        notes=tuple(_notes(results, rows)),
        results=results,
        headings=METRICS,
    )


def _notes(results: Results, rows: tuple[Row, ...]) -> list[str]:
    """Notes on seeds, subjects, lesions and definitions."""
    parts = []
    for task in results.tasks:
        used, left_out = results.subjects(task)
        parts.append(f"{task} {used} ({left_out}), {_lesions(results, task) or 'no'} lesions")
    return [
        table.seeds_note(rows),
        f"Subjects evaluated (left out) and lesions: {'; '.join(parts)}.",
        "Lesions and findings are 26-connected components of at least 10 mm³, matched one to one where they share a "
        "tenth of their union. False positives are all voxels at or above the threshold outside of the label.",
        "Chance is above 0.5 for slices: those with more brain hold more anomalies, and a higher maximum of any score. "
        "A random score shows by how much.",
        "Nothing is bold: these differences are not tested. Dash: not computed.",
    ]


def _lesions(results: Results, task: str) -> int | None:
    """Number of lesions of a task; the maximum over methods if they differ."""
    rows = results.rows[(results.rows["task"] == task) & (results.rows["metric"] == "lesions")]
    return None if rows.empty else int(rows["value"].max())
