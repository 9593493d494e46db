"""Store of packed arrays: one data set, memory-mapped, with its subjects, splits and grid."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json, verify
from uadbench.core.study_folder import INDEX, array_file

AGAIN = "pack the data set again: snakemake --forcerun pack"


class Store:
    """A folder written by `pack`. Arrays are opened on demand and stay on disk."""

    def __init__(self, folder: Path, index: dict[str, Any]) -> None:
        self.folder = folder
        self.index = index
        self.checked: set[str] = set()

    @classmethod
    def open(cls, folder: str | Path) -> Store:
        """Open a packed folder. Raises HarnessError for any other folder."""
        path = Path(folder) / INDEX
        if not path.is_file():
            raise HarnessError(f"{path}: no packed data set there; make it with `python -m uadbench pack`")
        try:
            return cls(Path(folder), read_json(path))
        except ValueError as error:
            raise HarnessError(f"{path}: no JSON ({error}); {AGAIN}") from error

    def images(self, modality: str) -> np.ndarray:
        """Grey values, memory-mapped float16 (N, D, H, W) in [0, 1]: above 0 exactly in the brain.

        D runs inferior to superior, H posterior to anterior, W left to right. Rows of subjects without this modality
        are zero, see `rows`. Raises HarnessError if the data set lacks the modality.
        """
        if modality not in self.index["modalities"]:
            known = ", ".join(self.index["modalities"])
            raise HarnessError(f"{self.folder}: {self.dataset} has no {modality}; it has {known}")
        return self._array(modality)

    def labels(self) -> np.ndarray | None:
        """Labels with the data set's values, memory-mapped uint8 (N, D, H, W), 0 is healthy; None without labels."""
        return self._array("mask") if self.index["has_mask"] else None

    def rows(self, modality: str, split: str | None = None) -> np.ndarray:
        """Rows (int64, ascending) of the subjects that have `modality` and, if given, are in `split`."""
        chosen = [
            row
            for row, subject in enumerate(self.index["subjects"])
            if modality in subject["modalities"] and split in (None, subject["split"])
        ]
        return np.array(chosen, dtype=np.int64)

    def lost(self, modality: str) -> list[dict[str, Any]]:
        """The entries of `left_out` that concern `modality`."""
        return [entry for entry in self.left_out if modality in entry["modalities"]]

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return str(self.index["dataset"])

    @property
    def modalities(self) -> list[str]:
        """The modalities that at least one subject has."""
        return list(self.index["modalities"])

    @property
    def subjects(self) -> list[str]:
        """Names of the subjects in the order of the rows."""
        return [subject["subject"] for subject in self.index["subjects"]]

    @cached_property
    def affine(self) -> np.ndarray:
        """(4, 4) from voxel (x, y, z), so (W, H, D) of the arrays, to template millimetres, RAS."""
        return np.array(self.index["affine"], dtype=float)

    @property
    def spacing(self) -> float:
        """Voxel size in mm within slices; from slice to slice it may differ, see `affine`."""
        return float(self.index["spacing"])

    @property
    def simulated(self) -> bool:
        """Whether the data set comes from the simulator."""
        return bool(self.index["simulated"])

    @property
    def left_out(self) -> list[dict[str, Any]]:
        """Subjects or single scans that could not be used: subject, file, reason, modalities."""
        return list(self.index["left_out"])

    def _array(self, name: str) -> np.ndarray:
        """An array, verified on first access by its checksum in the index."""
        path = self.folder / array_file(name)
        try:
            wanted = {} if name in self.checked else {path.name: self.index["arrays"].get(name, "")}
            verify(self.folder, wanted, AGAIN)
            array: np.ndarray = np.load(path, mmap_mode="r")
        except (OSError, ValueError, EOFError, KeyError) as error:
            raise HarnessError(f"{path}: cannot be read ({error}); {AGAIN}") from error
        self.checked.add(name)
        return array
