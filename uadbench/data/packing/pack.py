"""Packing of registered subjects into one array per modality, with an index that lists exclusions and reasons."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from uadbench.core.errors import HarnessError
from uadbench.core.files import atomic, reserve, sha256, write_json
from uadbench.core.modalities import NAMES
from uadbench.core.study_folder import INDEX, SIMULATED, array_file
from uadbench.data.index.sheet import Row, Sheet
from uadbench.data.label_values import EVERY, LabelValues, voxels_by_value
from uadbench.data.packing.premises import HEALTHY, check_repeats, refuse_lesions
from uadbench.data.preprocessing.records.record import read_volume
from uadbench.data.preprocessing.records.report import Outcome, records

DIGITS = 16  # hexadecimal, of the SHA-256 of a scan


def pack(
    dataset: str,
    sheet: Sheet,
    registered: Path,
    outcomes: Iterable[Outcome],
    out: Path,
    max_lost: float,
    others: Sequence[dict[str, Any]] = (),
    values: LabelValues = EVERY,
) -> dict[str, Any]:
    """Write `out`/MODALITY.npy, mask.npy and index.json; return the index.

    Images are float16 (N, D, H, W) in [0, 1] with 0 outside of the brain; labels uint8. A subject without a modality
    has a row of zeros there. others: indices of the other data sets of the study. Raises HarnessError if more than the
    fraction `max_lost` of the subjects is lost, where the `premises` do not hold, and for one of `values` that no label
    holds.
    """
    outcomes = list(outcomes)
    rows, found = _usable(dataset, sheet, registered, outcomes, max_lost)
    have = [[name for name in NAMES if name in record["template_to_scan"]] for record in found]
    names = [name for name in NAMES if any(name in modalities for modalities in have)]
    simulated = any((sheet.root(row) / SIMULATED).exists() for row in sheet.rows)
    subjects = [
        {
            **{"subject": row.subject, "split": row.split, "modalities": modalities},
            **({"patient": row.patient} if row.patient else {}),
            "voxels": _voxels(record, modalities),
        }
        for row, record, modalities in zip(rows, found, have, strict=True)
    ]
    check_repeats({"dataset": dataset, "simulated": simulated, "subjects": subjects}, others)
    masked = all(row.mask or row.unmasked for row in rows)
    folders = [registered / row.subject for row in rows]
    affine = np.eye(4)
    arrays = {}
    for name in [*names, *(["mask"] if masked else [])]:
        there = [name in ("mask", *modalities) for modalities in have]
        affine = _stack(out / array_file(name), name, folders, found, there)
        arrays[name] = sha256(out / array_file(name))
    index = {
        "dataset": dataset,
        "simulated": simulated,
        "modalities": names,
        "has_mask": masked,
        "spacing": round(float(abs(affine[0, 0])), 6),
        "affine": affine.tolist(),
        "preprocessing": found[0]["settings"],
        "arrays": arrays,  # SHA-256 of each file, so that equal indices mean equal data
        "subjects": subjects,
        "left_out": [_left_out(outcome, sheet) for outcome in outcomes if outcome.status != "done"],
    }
    if masked:
        voxels = voxels_by_value(np.load(out / array_file("mask"), mmap_mode="r"))
        values.left_over(voxels, dataset)
        index["labels"] = {str(value): count for value, count in voxels.items()}
    write_json(out / INDEX, index)
    return index


def _usable(
    dataset: str, sheet: Sheet, registered: Path, outcomes: list[Outcome], max_lost: float
) -> tuple[list[Row], list[dict[str, Any]]]:
    """The subjects that are not lost, and their records.

    Raises HarnessError where too many are lost, one was not preprocessed, settings differ, only some of a test set have
    a mask, or one of a training set has a lesion.
    """
    lost = {outcome.subject: outcome for outcome in outcomes if outcome.status == "lost"}
    count = len(sheet.rows)
    if len(lost) > max_lost * count or len(lost) == count:
        first = next(iter(lost.values()))
        raise HarnessError(
            f"{dataset}: {len(lost)} of {count} subjects could not be used, more than max_lost = {max_lost:g} allows; "
            f"the first is {first.subject} ({first.file}: {first.reason}); mend or exclude them, or raise max_lost"
        )
    rows = [row for row in sheet.rows if row.subject not in lost]
    found = records(dataset, sheet, registered, outcomes)
    healthy = [row.subject for row in rows if row.split in HEALTHY]
    refuse_lesions(dataset, [name for name in healthy if found[name].get("lesion_voxels")])
    unmasked = [row.subject for row in rows if row.split not in HEALTHY and not (row.mask or row.unmasked)]
    if unmasked and any(row.mask or row.unmasked for row in rows):
        raise HarnessError(f"{sheet.path}: {unmasked[0]} has no mask but others have; leave it out")
    return rows, [found[row.subject] for row in rows]


def _voxels(record: dict[str, Any], modalities: Sequence[str]) -> list[str]:
    """Digests of the scans: of their voxels, which earlier records lack, and of the registered volumes."""
    digests = [*record.get("voxels", {}).values(), *(record["volumes"].get(name, "") for name in modalities)]
    return [digest[:DIGITS] for digest in digests if digest]


def _left_out(outcome: Outcome, sheet: Sheet) -> dict[str, Any]:
    """Entry of an exclusion: one scan of a partly lost subject, or every modality of a lost one."""
    row = next(row for row in sheet.rows if row.subject == outcome.subject)
    there = [name for name in NAMES if any(getattr(other, name) for other in sheet.rows)]
    modalities = [name for name in there if outcome.status == "lost" or getattr(row, name) == outcome.file]
    return {"subject": outcome.subject, "file": outcome.file, "reason": outcome.reason, "modalities": modalities}


def _stack(path: Path, name: str, folders: list[Path], records: list[dict[str, Any]], there: list[bool]) -> np.ndarray:
    """Write one array, row by row, with zeros where `there` is False; return the affine of its grid."""
    array, affine = None, np.eye(4)
    with atomic(path) as partial:
        for number, (folder, record) in enumerate(zip(folders, records, strict=True)):
            brain, affine = read_volume(folder, "brain", record)
            if array is None:
                dtype = np.dtype(np.uint8 if name == "mask" else np.float16)
                array = np.lib.format.open_memmap(
                    partial, mode="w+", dtype=dtype, shape=(len(folders), *brain.shape[::-1])
                )
                reserve(partial)
            if there[number]:
                array[number] = read_volume(folder, name, record)[0].transpose(2, 1, 0)
        if array is not None:
            array.flush()
    return affine
