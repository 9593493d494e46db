"""Subject sheet: one row per subject with its split and its files, validated when written and when read."""

import os
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from uadbench.core import csv_files
from uadbench.core import patients as patient_names
from uadbench.core.errors import HarnessError
from uadbench.core.modalities import NAMES
from uadbench.core.validation import NAME, build
from uadbench.data.index import participants, splits, where
from uadbench.data.index.layout import KINDS, Files, Layout


@dataclass(frozen=True)
class Row:
    """One subject. `root` is absolute, or relative to the folder of the sheet; the files, of KINDS, are relative to
    `root`, and "" where there is none."""

    subject: Annotated[str, Field(pattern=NAME, max_length=120)]  # part of file names
    split: Literal["train", "validation", "test"]
    root: Annotated[str, Field(min_length=1)]
    t1: str
    t2: str
    mask: str
    drawn_on: str
    problem: str
    unmasked: Literal["", "healthy"] = ""  # healthy: no mask because the subject has no lesion
    flair: str = ""
    t1c: str = ""
    brain: str = ""
    patient: str = ""  # where it is not the name of the subject
    # As the data set states them; "" where it does not.
    age: str = ""
    sex: str = ""
    site: str = ""
    scanner: str = ""

    @property
    def reference(self) -> str:
        """Modality of the scan that is registered to the template, the first available; "" without a scan."""
        return next((name for name in NAMES if getattr(self, name)), "")


LATER = ("patient", *participants.COLUMNS)  # columns that sheets of earlier versions lack
COLUMNS = tuple(field.name for field in fields(Row) if field.name not in LATER)
#: treatment of test subjects without a mask: they count as lost, are left out of the sheet, or count as healthy
UNMASKED = ("lost", "leave_out", "healthy")


@dataclass(frozen=True)
class Sheet:
    """The rows of a sheet and its path."""

    path: Path
    rows: tuple[Row, ...]

    @property
    def patients(self) -> dict[str, str]:
        """Patient by subject, of the patients with several scans."""
        stated = {row.subject: row.patient for row in self.rows}
        return patient_names.several(list(stated), stated)

    def file(self, row: Row, kind: str) -> Path | None:
        """Path of the scan of a modality, `mask`, `drawn_on` or `brain`, for any working folder; None if missing."""
        name = getattr(row, kind)
        return self.root(row) / name if name else None

    def root(self, row: Row) -> Path:
        """Absolute path of the folder of the row's data set."""
        return (self.path.parent.absolute() / row.root).resolve()


def index(
    layout: Layout,
    root: Path,
    *,
    role: str = "healthy",
    validation: int = 0,
    seed: int = 0,
    listed: Path | None = None,
    subset: str = "all",
    exclude: Sequence[str] = (),
    unmasked: str = "lost",
    wanted: where.Conditions | None = None,
    found: Sequence[Files] | None = None,
) -> list[tuple[Files, str]]:
    """Subjects of `layout` below `root`, each with its split, sorted by name. found: those there, if they are known.

    `role` is "healthy" (train and validation: by the list `listed`, else `validation` subjects by rule and `seed`) or
    "test" (the part `subset` of them; with `unmasked` "leave_out" only those with a mask). `wanted` are conditions on
    columns that the data set states. Raises HarnessError for a folder without subjects, an unknown name in `exclude`,
    which are subjects or patients, conditions as `where.select` does, and a test set without masks.
    """
    found = find(layout, root) if found is None else found
    unknown = sorted(set(exclude) - {name for files in found for name in (files.subject, files.patient)})
    if unknown:
        raise HarnessError(
            f"exclude: no subject {', '.join(unknown)} in {root}; its names look like {found[0].subject}"
        )
    # The subset is determined on the whole release, before exclusions.
    chosen = splits.subset([files.subject for files in found], subset)
    kept = {files.subject: files for files in found if files.subject in chosen}
    kept = {name: files for name, files in kept.items() if not {name, files.patient} & set(exclude)}
    if wanted:
        patients = {name: files.patient for name, files in kept.items()}
        try:
            kept = {name: kept[name] for name in where.select(patients, layout.participants(root), wanted)}
        except HarnessError as error:
            raise HarnessError(f"{root}: {error}") from None
    if role == "test" and not any(files.mask for files in kept.values()):
        raise HarnessError(
            f"{root}: {len(kept)} subjects but not one mask; a test set needs them: {layout.expected}"
            f"{layout.maybe_masks(root)}"
        )
    if role == "test":
        if unmasked == "leave_out":
            kept = {name: files for name, files in kept.items() if files.mask}
        parts = dict.fromkeys(kept, "test")
    else:
        patients = patient_names.several(kept, {name: files.patient for name, files in kept.items()})
        if listed is not None:
            parts = splits.by_list(listed, list(kept), patients)
        else:
            parts = splits.by_rule(kept, validation, seed, patients)
    return [(kept[name], parts[name]) for name in sorted(kept) if parts[name] != "left out"]


def of_patients(subjects: list[Files], names: Collection[str] | None) -> list[Files]:
    """The subjects of some patients; all for None."""
    return [files for files in subjects if names is None or files.patient in names]


def find(layout: Layout, root: Path) -> list[Files]:
    """Subjects of `layout` below `root`. Raises HarnessError without any."""
    if not (root.is_file() if layout.reads_file else root.is_dir()):
        kind = "file; give" if layout.reads_file else "folder; give the folder that holds"
        raise HarnessError(f"{root}: no such {kind} {layout.expected}")
    found = layout.subjects(root)
    if not found:
        where = "in" if layout.reads_file else "below"
        raise HarnessError(f"{root}: holds no scan; expected {layout.expected} {where} it")
    if layout.has_mask and not any(files.mask for files in found):
        raise HarnessError(f"{root}: {len(found)} scans but not one mask; unpack the masks of the data set beside them")
    return found


def write(
    path: Path,
    root: Path,
    subjects: Sequence[tuple[Files, str]],
    unmasked: str = "lost",
    people: participants.Participants | None = None,
) -> Sheet:
    """Write the sheet at `path`. An absolute `root` stays absolute; a relative one is stored relative to the sheet.

    unmasked: one of UNMASKED, for test subjects. people: what the data set states of its subjects.
    """
    folder = root.parent if root.is_file() else root
    noted = folder if folder.is_absolute() else Path(os.path.relpath(folder, path.parent))
    if (path.parent / noted).resolve() != folder.resolve():  # a link on the way leads to another parent
        noted = Path(os.path.relpath(folder.resolve(), path.parent.resolve()))
    records = []
    for files, part in subjects:
        paths = {kind: getattr(files, kind) for kind in KINDS}
        record = {"subject": files.subject, "split": part, "root": noted.as_posix(), "problem": files.problem}
        record |= {kind: path.as_posix() if path else "" for kind, path in paths.items()}
        record["patient"] = files.patient if files.patient != files.subject else ""
        record["unmasked"] = "healthy" if unmasked == "healthy" and part == "test" and not files.mask else ""
        records.append(record | participants.of(files.subject, files.patient, people or {}))
    rows = _rows(path, records)
    csv_files.write(path, [*COLUMNS, *LATER], map(asdict, rows))
    return Sheet(path, rows)


def read(path: Path) -> Sheet:
    """Read and validate a sheet. Raises HarnessError naming the line and the column of an error."""
    records = csv_files.read(path, COLUMNS, "make the subject sheet with `uadbench index`")
    if unknown := [name for record in records[:1] for name in record if name not in (*COLUMNS, *LATER)]:
        raise HarnessError(f"{path}: no such column as {unknown[0]!r}; the columns are {', '.join(COLUMNS)}")
    return Sheet(path, _rows(path, records))


def _rows(path: Path, records: Sequence[dict[str, Any]]) -> tuple[Row, ...]:
    """Rows of a sheet. Raises HarnessError for an invalid cell, a duplicate subject, and a sheet without rows."""
    if not records:
        raise HarnessError(
            f"{path}: the sheet has no subjects; run `python -m uadbench index` on a folder that has some"
        )
    rows: dict[str, Row] = {}
    for line, record in enumerate(records, start=2):
        row = build(Row, record, f"{path}, line {line}", ", ")
        # File systems of macOS and Windows are case-insensitive.
        if row.subject.casefold() in rows:
            raise HarnessError(
                f"{path}, line {line}: subject {row.subject} stands there twice, capitals aside; name each once"
            )
        rows[row.subject.casefold()] = row
    return tuple(rows.values())
