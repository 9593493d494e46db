"""Integrity check of a study: every file by its checksum, by its record, or else by its structure."""

import contextlib
import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path
from typing import Any

from uadbench.core import checksums
from uadbench.core.archive import FINDINGS
from uadbench.core.documents import of_json
from uadbench.core.errors import HarnessError
from uadbench.core.faults import NO_FILE
from uadbench.core.files import content, read_json, sha256
from uadbench.core.study_folder import (
    CHECKSUMS,
    CHUNKS,
    INDEX,
    LOCK,
    MANIFEST,
    PACKED,
    REGISTERED,
    RUN,
    SIMULATING,
    SIMULATIONS,
    STATE,
    SUBJECT,
    TENSORBOARD,
    WEIGHTS,
    StudyFolder,
    array_file,
    reports,
    settings_file,
    volume_file,
)

SETTINGS = settings_file(Path("*")).name  # the next run makes an output without such a record again
#: files that no command promises to keep
IGNORED = (
    LOCK,
    SIMULATING,
    STATE,
    f"damaged-{STATE}",
    ".snakemake_timestamp",
    f"{checksums.PARTIAL}*",
    ".nfs*",
    SETTINGS,
)


@dataclass(frozen=True)
class Damage:
    """A missing, unreadable or changed file, and the records to remove so that the next run makes it again."""

    path: Path
    reason: str
    remove: tuple[Path, ...]


@dataclass
class Check:
    """A check of a study's folder, such as results/demo; `unchecked`: files without checksum, read for their form."""

    folder: Path
    unchecked: list[Path] = field(default_factory=list)
    sums: dict[Path, str] = field(default_factory=dict)

    def damages(self) -> Iterator[Damage]:
        """Damages, of each file once. Reads every file of the study."""
        study = StudyFolder(self.folder)
        seen: set[Path] = set()
        for damage in chain(self._noted(), self._recorded(study), self._replaced(study), self._formed(study)):
            if damage.path not in seen:
                seen.add(damage.path)
                yield damage

    def _noted(self) -> Iterator[Damage]:
        """Files that are not as their checksums have it."""
        for text, wanted in checksums.every(self.folder):
            if not wanted:
                yield Damage(text, "damaged, no checksums can be read in it", (text,))
            yield from self._compared(self.folder, wanted, text)

    def _recorded(self, study: StudyFolder) -> Iterator[Damage]:
        """Files that are not as the records of subjects, packed arrays and runs have it, also in older studies."""
        for report in sorted(study.data.glob(f"*/{CHUNKS}/*.csv")):
            for row in csv.reader(_lines(report)[1:]):
                path = report.parents[1] / REGISTERED / row[0] / SUBJECT if row else report
                if row and row[1:2] in (["done"], ["partial"]) and not path.is_file():
                    yield Damage(path, "missing, though its chunk reports the subject", _remade(path))
        for record in study.subjects():
            yield from self._listed(record, "volumes", record.parent, volume_file)
        for record in study.indices():
            yield from self._listed(record, "arrays", record.parent, array_file)
        for run in study.finished():
            yield from self._listed(run / RUN, "weights", run / WEIGHTS, str)

    def _replaced(self, study: StudyFolder) -> Iterator[Damage]:
        """Scores of runs that were trained again since."""
        for path in study.findings():
            with contextlib.suppress(HarnessError, OSError, ValueError), FINDINGS.opened(path) as (header, _):
                meta = header.get("meta", {})
                if weights := (meta.get("source") or {}).get("weights"):
                    run = study.run(meta["method"], meta["modality"], meta["seed"]) / RUN
                    if run.is_file() and read_json(run)["weights"] != weights:
                        yield Damage(path, f"scored with other weights than {run} now lists", (path,))

    def _formed(self, study: StudyFolder) -> Iterator[Damage]:
        """Other files: those that are empty, cut off or fail checksums of their parts."""
        apart = (study.logs, study.benchmarks, self.folder / TENSORBOARD, self.folder / CHECKSUMS)
        for path in sorted(self.folder.rglob("*")):
            if path in self.sums or not path.is_file() or any(part in path.parents for part in apart):
                continue
            if any(fnmatch(part, pattern) for part in path.parts for pattern in IGNORED):
                continue
            self.unchecked.append(path)
            if reason := malformed(path):
                yield Damage(path, reason, _remade(path))

    def _listed(self, record: Path, key: str, folder: Path, file: Callable[[str], str]) -> Iterator[Damage]:
        """Damages of the files whose checksums a record lists; an unreadable record counts as damaged itself."""
        try:
            about: dict[str, Any] = of_json(content(record).decode("utf-8"))
            wanted = {file(name): frozenset((digest,)) for name, digest in dict(about[key]).items()}
        except (HarnessError, OSError, ValueError, KeyError, TypeError) as error:
            yield Damage(record, f"no record that can be read ({error})", _remade(record))
            return
        yield from self._compared(folder, wanted)

    def _compared(
        self, folder: Path, wanted: Mapping[str, frozenset[str]], text: Path | None = None
    ) -> Iterator[Damage]:
        for name, digests in wanted.items():
            path = folder / name
            try:
                if path not in self.sums:
                    self.sums[path] = sha256(path)
                if self.sums[path] not in digests:
                    yield Damage(path, "damaged, its checksum is not that of its record", _remade(path))
            except NO_FILE:
                yield Damage(path, "missing", (*_remade(path), *([text] if text else [])))
            except (HarnessError, OSError) as error:
                yield Damage(path, f"cannot be read ({error})", ())


def check(folder: Path) -> Iterator[Damage]:
    """Damages in an experiment's folder."""
    return Check(folder).damages()


def _remade(path: Path) -> tuple[Path, ...]:
    """What to remove so that the workflow makes a file again."""
    parents = {folder.name: folder for folder in reversed(path.parents)}
    if folder := parents.get(REGISTERED):
        record = folder / path.relative_to(folder).parts[0] / SUBJECT
        return record, *(report for report in reports(record) if _names(report, record.parent.name))
    if folder := parents.get(PACKED):
        return (folder / INDEX,)
    if folder := next((folder for folder in path.parents if (folder / SIMULATIONS).is_dir()), None):
        return path, folder / MANIFEST
    if folder := next((folder for folder in path.parents if (folder / RUN).is_file()), None):
        return (folder / RUN,)
    return (path,)


def is_target(path: Path) -> bool:
    """Whether Snakemake makes a file by its name: no part of a subject, nor a simulated scan, nor a checksum."""
    simulated = any((folder / SIMULATIONS).is_dir() for folder in path.parents)
    return path.name == MANIFEST if simulated else not {REGISTERED, CHECKSUMS} & set(path.parts)


def remove(damages: list[Damage]) -> list[Path]:
    """Remove the records of damaged files, so that the next run makes the files again; returns the removed paths."""
    gone = []
    for path in dict.fromkeys(path for damage in damages for path in damage.remove):
        if path.is_file():
            path.unlink()
            gone.append(path)
    return gone


def malformed(path: Path) -> str | None:
    """Reason why a file cannot be whole: it is empty, cut off, or fails the checksums of its parts; None otherwise."""
    try:
        if not path.stat().st_size:
            return "damaged, it is empty"
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as file:
                part = file.testzip()
            return None if part is None else f"damaged in its part {part}"
        if path.suffix == ".gz":
            with gzip.open(path) as packed:
                while packed.read(2**22):
                    pass
        elif path.suffix == ".json":
            json.loads(content(path).decode("utf-8"))
        elif path.suffix == ".csv":
            text = content(path).decode("utf-8-sig")
            rows = list(csv.reader(io.StringIO(text, newline="")))
            if not text.endswith("\n") or any(len(row) != len(rows[0]) for row in rows):
                return "damaged, it is cut off"
        elif path.suffix == ".html" and not content(path).rstrip().endswith((b"</html>", b"</table>", b"</section>")):
            return "damaged, it is cut off"
    except Exception as error:  # zipfile and zlib raise exceptions of their own
        return f"cannot be read ({error})"
    return None


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _names(report: Path, subject: str) -> bool:
    return any(line.partition(",")[0] == subject for line in _lines(report))
