"""Store of packed arrays: one data set, memory-mapped, with its subjects, splits and grid."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, PositiveFloat

from uadbench.core import patients
from uadbench.core.errors import HarnessError
from uadbench.core.faults import line, retried
from uadbench.core.files import read_json, verify
from uadbench.core.study_folder import INDEX, array_file
from uadbench.core.validation import Record, check_record
from uadbench.data.label_values import voxels_by_value

AGAIN = "pack the data set again: snakemake --forcerun pack"


class Packed(Record):
    """A subject of an index."""

    subject: str
    split: str
    modalities: list[str]
    patient: str = ""
    voxels: Annotated[list[str], Field(default_factory=list)]


class LeftOut(Record):
    """A subject, or a scan of one, that could not be used."""

    subject: str
    file: str
    reason: str
    modalities: list[str]


Row = Annotated[list[float], Field(min_length=4, max_length=4)]


class Index(Record):
    """Content of an index.json."""

    dataset: str
    simulated: bool
    modalities: list[str]
    subjects: list[Packed]
    left_out: list[LeftOut]
    spacing: PositiveFloat
    affine: Annotated[list[Row], Field(min_length=4, max_length=4)]
    has_mask: bool
    arrays: dict[str, str]
    labels: Annotated[dict[str, int], Field(default_factory=dict)]
    preprocessing: dict[str, Any]


def read_index(path: Path) -> dict[str, Any]:
    """The index of packed arrays, with the keys and types of `Index`. Raises HarnessError for any other file."""
    try:
        index: dict[str, Any] = read_json(path)
    except ValueError as error:
        raise HarnessError(f"{path}: no index of packed arrays ({error}); {AGAIN}") from None
    check_record(index, Index, str(path), AGAIN)
    return index


class Store:
    """A folder written by `pack`. Arrays are opened on demand and stay on disk.

    index: the content of its index.json; dataset: the name; simulated: whether the simulator made it; modalities: those
    that at least one subject has; subjects: names in the order of the rows; patients: by subject, of those with several
    scans; left_out: subjects or single scans that
    could not be used, each with subject, file, reason and modalities.
    spacing: voxel size in mm within slices, which may differ from slice to slice; affine: (4, 4) from voxel (x, y, z),
    so (W, H, D) of the arrays, to template millimetres, RAS.
    """

    def __init__(self, folder: Path, index: dict[str, Any]) -> None:
        self.folder, self.index = folder, index
        self.dataset: str = index["dataset"]
        self.simulated: bool = index["simulated"]
        self.modalities: list[str] = index["modalities"]
        self.subjects: list[str] = [subject["subject"] for subject in index["subjects"]]
        stated = {subject["subject"]: subject.get("patient", "") for subject in index["subjects"]}
        self.patients = patients.several(self.subjects, stated)
        self.splits = [(subject["modalities"], subject["split"]) for subject in index["subjects"]]
        self.left_out: list[dict[str, Any]] = index["left_out"]
        self.spacing = float(index["spacing"])
        self.affine = np.array(index["affine"], float)
        self.checked: set[str] = set()

    @classmethod
    def open(cls, folder: str | Path) -> "Store":
        """Open a packed folder. Raises HarnessError for any other folder."""
        path = Path(folder) / INDEX
        if not path.is_file():
            raise HarnessError(f"{path}: no packed data set there; make it with `python -m uadbench pack`")
        return cls(Path(folder), read_index(path))

    def images(self, modality: str) -> np.ndarray:
        """Grey values, memory-mapped float16 (N, D, H, W) in [0, 1]: above 0 exactly in the brain.

        D runs inferior to superior, H posterior to anterior, W left to right. Rows of subjects without this modality
        are zero, see `rows`. Raises HarnessError if the data set lacks the modality.
        """
        if modality not in self.modalities:
            raise HarnessError(f"{self.folder}: {self.dataset} has no {modality}; it has {', '.join(self.modalities)}")
        return self._array(modality)

    def labels(self) -> np.ndarray | None:
        """Labels with the data set's values, memory-mapped uint8 (N, D, H, W), 0 is healthy; None without labels."""
        return self._array("mask") if self.index["has_mask"] else None

    @cached_property
    def label_voxels(self) -> dict[int, int]:
        """Number of voxels of each label value above 0, of all subjects; empty without labels."""
        if "labels" in self.index:
            return {int(value): count for value, count in self.index["labels"].items()}
        labels = self.labels()  # packed by an earlier version
        return {} if labels is None else voxels_by_value(labels)

    def rows(self, modality: str, split: str | None = None) -> np.ndarray:
        """Rows (int64, ascending) of the subjects that have `modality` and, if given, are in `split`."""
        chosen = [
            row
            for row, (modalities, part) in enumerate(self.splits)
            if modality in modalities and split in (None, part)
        ]
        return np.array(chosen, dtype=np.int64)

    def lost(self, modality: str) -> list[dict[str, Any]]:
        """The entries of `left_out` that concern `modality`."""
        return [entry for entry in self.left_out if modality in entry["modalities"]]

    def _array(self, name: str) -> np.ndarray:
        """An array, verified on first access by its checksum in the index."""
        path = self.folder / array_file(name)
        try:
            wanted = {} if name in self.checked else {path.name: self.index["arrays"].get(name, "")}
            verify(self.folder, wanted, AGAIN)
            array: np.ndarray = retried(np.load)(path, mmap_mode="r")
        except (OSError, ValueError, EOFError, KeyError) as error:
            raise HarnessError(line(error, path) or f"{path}: cannot be read ({error}); {AGAIN}") from error
        self.checked.add(name)
        return array
