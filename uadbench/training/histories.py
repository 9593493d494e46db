"""Histories of trainings: `history.csv` of one, always whole and at most a few seconds old, and one table of many runs,
so that figures and tables need no run folders."""

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from uadbench.core import csv_files
from uadbench.core.errors import HarnessError
from uadbench.core.faults import FULL
from uadbench.core.files import disk_faults_named
from uadbench.core.study_folder import HISTORY
from uadbench.training.record import record

#: raised when a change alters the table of the same runs, so that finished studies write it again
REVISION = 2
#: columns and their keys in run.json
ABOUT = {key: key for key in ("method", "title", "modality", "seed")} | {"trained_on_simulated": "simulated"}
LATER = {"training_seconds": "seconds"}  # of the whole training; columns that earlier files lack
ROW = ("phase", "step", "loss", "validation", "learning_rate", "seconds")  # from history.csv
COLUMNS = (*ABOUT, *ROW, *LATER)


def gather(folders: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Rows of `history.csv` of every run, each with the metadata `ABOUT`; a run without training yields no rows.

    Raises HarnessError for a folder that holds no finished run, or the same run twice.
    """
    seen: dict[tuple[Any, ...], Path] = {}
    for folder in folders:
        about = _about(folder)
        key = (about["method"], about["modality"], about["seed"])
        if key in seen:
            raise HarnessError(f"{folder}: the same method, modality and seed as {seen[key]}; give one of them")
        seen[key] = folder
        for row in csv_files.read(folder / HISTORY, ROW, "train this run again"):
            yield about | {column: row[column] for column in ROW}


def _about(folder: Path) -> dict[str, Any]:
    about = record(folder)
    later = {column: about.get(key) for column, key in LATER.items()}
    return {column: about[key] for column, key in ABOUT.items()} | later


class HistoryFile:
    """Writes the rows of a history to `path`; used as a context manager, which writes all rows at its end.

    pause: seconds between two versions, since every version waits for the disk.
    A killed training leaves the rows up to its last version. A resumed one begins with the rows of its saved state and
    overwrites later ones, so its file ends with the same rows as that of an uninterrupted training.
    """

    def __init__(self, path: Path, rows: list[dict[str, Any]], pause: float) -> None:
        self.path, self.rows, self.pause = path, rows, pause
        self.written: float | None = None
        self.warned = False

    def __enter__(self) -> "HistoryFile":
        if self.rows:
            self.update()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if kind is None:
            self._write()
        else:
            self._try()

    def update(self) -> None:
        """Write the rows if the last version is older than the pause."""
        if self.written is None or time.monotonic() - self.written >= self.pause:
            self._try()

    def _try(self) -> None:
        """Write the rows; on a full disk warn once and leave the last version, as the training can go on."""
        self.written = time.monotonic()
        try:
            self._write()
        except OSError as error:
            if error.errno not in FULL:
                raise
            if not self.warned:
                print(f"warning: {self.path}: {error.strerror}; make room", file=sys.stderr, flush=True)
            self.warned = True

    def _write(self) -> None:
        with disk_faults_named(self.path):
            csv_files.write(self.path, ROW, self.rows)
