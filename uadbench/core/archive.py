"""Archives: named arrays in one compressed .npz file, with a JSON header that names the kind of file and its format;
and the kinds that a study has."""

import contextlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from uadbench.core.documents import of_json
from uadbench.core.errors import HarnessError
from uadbench.core.faults import NO_FILE, line
from uadbench.core.files import atomic, content

HEADER = "header"  # name of the header among the arrays
UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Kind:
    """A kind of archive: its content in words, the number of its format, and the remedy for a file of another kind.

    A file of the format 1 may lack the header, or the kind in it, as older files do.
    """

    content: str
    remedy: str
    format: int = 1

    def save(self, path: str | os.PathLike[str], arrays: Mapping[str, Any], **facts: Any) -> None:
        """Write arrays by name, and JSON-serialisable facts in the header, atomically; the same bytes each time."""
        header = json.dumps({"kind": self.content, "format": self.format, **facts}, ensure_ascii=False)
        with atomic(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **{**arrays, HEADER: np.frombuffer(header.encode(), np.uint8)})  # type: ignore[arg-type]

    @contextlib.contextmanager
    def opened(self, path: str | os.PathLike[str]) -> Iterator[tuple[dict[str, Any], Mapping[str, np.ndarray]]]:
        """Header, and arrays by name, each read when asked for.

        Raises HarnessError, which ends with the remedy, for a missing file, one of another kind or format, a file that
        is cut off or damaged, and a key of the header or an array that it lacks.
        """
        try:
            with io.BytesIO(content(path)) as stream:
                if not zipfile.is_zipfile(stream):
                    raise ValueError("no .npz, or cut off")
                stream.seek(0)
                with np.load(stream, allow_pickle=False) as file:
                    header = of_json(bytes(file[HEADER])) if HEADER in file else {}
                    self._check(path, header)
                    yield header, file
        except NO_FILE:
            raise HarnessError(f"{path}: no such file; {self.remedy}") from None
        except UNREADABLE as error:
            if told := line(error, path):
                raise HarnessError(told) from error
            raise HarnessError(f"{path}: not a whole file of {self.content} ({error}); {self.remedy}") from error

    def load(self, path: str | os.PathLike[str], *needed: str) -> dict[str, np.ndarray]:
        """All arrays. Raises HarnessError as `opened`, and for a file that lacks one of `needed`."""
        with self.opened(path) as (_, file):
            for name in needed:
                if name not in file:
                    raise ValueError(f"no array {name!r}")
            return {name: array for name, array in file.items() if name != HEADER}

    def _check(self, path: str | os.PathLike[str], header: Mapping[str, Any]) -> None:
        kind, found = header.get("kind", self.content), header.get("format", 1)
        if kind != self.content:
            raise HarnessError(f"{path}: holds {kind}, not {self.content}; {self.remedy}")
        if found != self.format:
            raise HarnessError(f"{path}: {self.content} of format {found}, not {self.format}; {self.remedy}")


SCORE = "score the test set again: snakemake --forcerun test"
PICTURES = Kind("pictures of a scan", "preprocess the subject again: snakemake --forcerun preprocess")
HISTOGRAMS = Kind("score histograms", SCORE)
FINDINGS = Kind("findings", SCORE, format=3)
SLICES = Kind("example slices", SCORE)
VOLUMES = Kind("example volumes", SCORE)
SYNTHESIS = Kind("example anomalies", "draw them again: snakemake --forcerun synthesis")
