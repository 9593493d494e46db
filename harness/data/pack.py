"""Packing registered subjects into one array per modality, with an index that says what was left out and why."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.report import Outcome
from harness.data.sheet import Row, Sheet
from harness.errors import HarnessError
from harness.files import atomic, read_json, reserve, write_json

MODALITIES = ("t1", "t2")


def pack(
    dataset: str, sheet: Sheet, registered: Path, outcomes: Iterable[Outcome], out: Path, max_lost: float
) -> dict[str, Any]:
    """Write `out`/{t1,t2,mask}.npy and index.json; return the index.

    Images are float16 (N, D, H, W) in [0, 1] with 0 outside of the brain; labels uint8. A subject without some
    modality has a row of zeros there. Raises HarnessError if more than the share `max_lost` of the subjects is lost.
    """
    outcomes = list(outcomes)
    lost = {outcome.subject: outcome for outcome in outcomes if outcome.status == "lost"}
    missing = {row.subject for row in sheet.rows} - {outcome.subject for outcome in outcomes}
    if missing:
        raise HarnessError(
            f"{dataset}: {len(missing)} subjects stand in no report, {min(missing)} first; preprocess them"
        )
    rows = [row for row in sheet.rows if row.subject not in lost]
    _check_lost(dataset, sheet, lost, max_lost)
    records = [read_json(registered / row.subject / "subject.json") for row in rows]
    settings = records[0]["settings"]
    for record in records:
        if record["settings"] != settings:
            raise HarnessError(
                f"{registered / record['subject']}: has other settings than the rest; preprocess it again"
            )
    have = [[m for m in MODALITIES if m in record["template_to_scan"]] for record in records]
    names = [m for m in MODALITIES if any(m in modalities for modalities in have)]
    masked = [bool(row.mask) for row in rows]
    if any(masked) and not all(masked):
        raise HarnessError(
            f"{sheet.path}: {rows[masked.index(False)].subject} has no mask but others have; leave it out"
        )
    affine = np.eye(4)
    for name in [*names, *(["mask"] if all(masked) else [])]:
        affine = _stack(out / f"{name}.npy", name, registered, rows)
    index = {
        "dataset": dataset,
        "simulated": any((sheet.root(row) / "SIMULATED").exists() for row in sheet.rows),
        "modalities": names,
        "has_mask": all(masked),
        "spacing": round(float(abs(affine[0, 0])), 6),
        "affine": affine.tolist(),
        "preprocessing": settings,
        "subjects": [
            {"subject": row.subject, "split": row.split, "modalities": modalities}
            for row, modalities in zip(rows, have, strict=True)
        ],
        "left_out": [_left_out(outcome) for outcome in outcomes if outcome.status != "done"],
    }
    write_json(out / "index.json", index)
    return index


def _check_lost(dataset: str, sheet: Sheet, lost: dict[str, Outcome], max_lost: float) -> None:
    count = len(sheet.rows)
    if len(lost) > max_lost * count or len(lost) == count:
        first = next(iter(lost.values()))
        raise HarnessError(
            f"{dataset}: {len(lost)} of {count} subjects could not be used, more than max_lost = {max_lost:g} allows; "
            f"the first is {first.subject} ({first.file}: {first.reason}); mend or exclude them, or raise max_lost"
        )


def _left_out(outcome: Outcome) -> dict[str, Any]:
    """A subject that lost one file keeps its T1, so only T2 is left out of it."""
    modalities = list(MODALITIES) if outcome.status == "lost" else ["t2"]
    return {"subject": outcome.subject, "file": outcome.file, "reason": outcome.reason, "modalities": modalities}


def _stack(path: Path, name: str, registered: Path, rows: list[Row]) -> np.ndarray:
    """Write one array, row by row; return the affine of its grid."""
    import nibabel

    array, affine = None, np.eye(4)
    with atomic(path) as partial:
        for number, row in enumerate(rows):
            brain: Any = nibabel.load(registered / row.subject / "brain.nii.gz")
            affine, shape = brain.affine, brain.shape[::-1]
            if array is None:
                dtype = np.dtype(np.uint8 if name == "mask" else np.float16)
                array = np.lib.format.open_memmap(partial, mode="w+", dtype=dtype, shape=(len(rows), *shape))
                reserve(partial)
            file = registered / row.subject / f"{name}.nii.gz"
            if file.is_file():
                image: Any = nibabel.load(file)
                array[number] = np.asarray(image.dataobj).transpose(2, 1, 0)
        if array is not None:
            array.flush()
    return affine
