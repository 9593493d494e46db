"""Detection table: detections of every method at a threshold set on healthy subjects, without labels."""

from collections.abc import Mapping

from uadbench.paper import grids, table
from uadbench.paper.inputs import Sources
from uadbench.paper.table import Table
from uadbench.paper.tables.table2 import order
from uadbench.paper.terms import filters

METRICS = {
    "slice_auroc": "slice AUC",
    "dice_healthy1": "Dice@1%",
    "lesion_f1@0.01": "F1",
    "sensitivity@0.01": "Sens.",
    "false_positive_ml@0.01": "FP, ml",
}
PROTOCOL = "full"  # findings count every voxel of the brain, under any protocol
CAPTION = (
    "AUROC of slices (anomalous or not, by their highest score); and at the threshold that 1 % of healthy subjects' "
    "brain voxels reach, a choice without labels: Dice of all voxels, F1 and sensitivity (Sens.) of lesions, and "
    "volume of false positives (FP) per subject."
)
MATCHING = (
    "Lesions and findings are 26-connected components of at least 10 mm³, matched one to one where they share a "
    "tenth of their union."
)


def make(sources: Sources) -> Table:
    """Build the table: metrics of lesions and slices of `uadbench.evaluation.detection.detection_metrics`."""
    return findings(
        sources,
        "detection",
        CAPTION,
        METRICS,
        lesions_note(sources),
        f"{MATCHING} False positives are all voxels at or above the threshold outside of the label.",
        "Chance is above 0.5 for slices: those with more brain hold more anomalies, and a higher maximum of any score. "
        "A random score shows by how much.",
    )


def lesions_note(sources: Sources) -> str:
    """Note on the numbers of subjects and lesions of each task."""
    results = sources.under(PROTOCOL)
    lesions = {task: results.lesions(task) or "no" for task in results.tasks}
    listed = "; ".join(f"{task} {results.population(task)}, {count} lesions" for task, count in lesions.items())
    return f"Subjects evaluated (left out) and lesions: {listed}."


def findings(sources: Sources, name: str, caption: str, metrics: Mapping[str, str], *notes: str) -> Table:
    """A table of findings: methods of this run, in the order of Table 2. metrics: with their headings."""
    results = sources.under(PROTOCOL)
    cols = table.columns(results, sources.published, name, metrics)
    entries = order(sources.published.methods("table2"), results.methods)
    rows = tuple(table.method_row(entry, cols, results) for entry in entries)
    untested = "Nothing is bold: these differences are not tested. Dash: not computed."
    notes = (table.seeds_note(rows), grids.note(results), *notes, *filters(results), untested)
    return Table(name, caption, cols, rows, notes, results, headings=metrics)
