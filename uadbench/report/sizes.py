"""Results by lesion size: detected lesions, and average precision of subjects by the volume of their lesions."""

from dataclasses import dataclass

from uadbench.evaluation.detection.detection_metrics import SIZES
from uadbench.paper.published import Published
from uadbench.paper.results import Results
from uadbench.paper.summary import Summary
from uadbench.paper.tables.detection import PROTOCOL
from uadbench.paper.tables.table2 import order
from uadbench.report.study import Study

RATE = 0.01  # of the healthy subjects' brain voxels at or above the threshold, as in the detection table


@dataclass(frozen=True)
class SizeTable:
    """Methods of one task, by classes of size; a class without a lesion is left out."""

    task: str
    lesions: dict[str, int]  # by class
    subjects: tuple[str, ...]  # classes with a subject
    rows: list[tuple[str, list[Summary | None], list[Summary | None]]]  # title, sensitivities, average precisions


def tables(study: Study) -> list[SizeTable]:
    """A table for each task with a lesion; an empty list where results.csv holds nothing by size."""
    results = study.results.get(PROTOCOL)
    found = [_table(results, task) for task in results.tasks] if results else []
    return [table for table in found if table.lesions]


def title(part: str) -> str:
    """A class of size in words, such as "1 to 10 ml"."""
    low, high = SIZES[part]
    return (
        f"{low:g} ml and more" if high == float("inf") else f"{low:g} to {high:g} ml" if low else f"below {high:g} ml"
    )


def _table(results: Results, task: str) -> SizeTable:
    rows = results.rows[results.rows["task"] == task]
    lesions = {}
    for part in SIZES:
        numbers = rows.loc[rows["metric"] == f"lesions/{part}", "value"].dropna()
        if not numbers.empty:
            lesions[part] = int(numbers.max())
    subjects = tuple(part for part in SIZES if (rows["metric"] == f"subject_ap/{part}").any())
    listed = []
    for method, name, _ in order(Published.read().methods("table2"), results.methods):
        found = [results.get(method, task, "final", f"sensitivity@{RATE:g}/{part}") for part in lesions]
        precision = [results.get(method, task, "final", f"subject_ap/{part}") for part in subjects]
        if any(found) or any(precision):
            listed.append((name, found, precision))
    return SizeTable(task, lesions, subjects, listed)
