"""Store of packed arrays: one data set, memory-mapped, with its subjects, splits and grid."""

from pathlib import Path
from typing import Any

import numpy as np

from uadbench.core import patients
from uadbench.core.errors import HarnessError
from uadbench.core.faults import line, retried
from uadbench.core.files import read_json, verify
from uadbench.core.study_folder import INDEX, array_file

AGAIN = "pack the data set again: snakemake --forcerun pack"


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
        try:
            return cls(Path(folder), read_json(path))
        except (ValueError, KeyError, TypeError) as error:
            raise HarnessError(f"{path}: no index of packed arrays ({error}); {AGAIN}") from error

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
