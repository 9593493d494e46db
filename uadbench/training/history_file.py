"""File `history.csv` of a training, rewritten while it runs: always whole, at most a few seconds old."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from uadbench.core import csv_files
from uadbench.core.files import FULL, full_disk_named
from uadbench.training.histories import ROW


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

    def __enter__(self) -> HistoryFile:
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
        with full_disk_named(self.path):
            csv_files.write(self.path, ROW, self.rows)
