"""Checksums of a study's files: writers note them, readers and `check` compare them.

A study with the folder .checksums has there a text for each file, or folder that is written as a whole, in the format
of `sha256sum`. Each job writes the texts of its own files alone, so that jobs of any hosts lose none.
"""

import hashlib
import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path

from uadbench.core.errors import HarnessError
from uadbench.core.study_folder import CHECKSUMS

SUFFIX = ".sha256"
PARTIAL = ".partial-"  # begins the names of unfinished files
BEFORE = "# "  # begins the line of the former content, which stays in place until the new one is renamed


class Damaged(HarnessError):
    """A file whose content is not what its study noted."""


def begin(study: Path) -> None:
    """Have the files of a study noted from now on."""
    (study / CHECKSUMS).mkdir(parents=True, exist_ok=True)


def note(target: Path, digests: Mapping[str, str]) -> None:
    """Note the SHA-256 of a file (by "."), or of those of a folder by their paths in it, before `target` gets them."""
    if (place := _place(target)) is None:
        return
    root, path = place
    if not digests:  # an empty folder
        return path.unlink(missing_ok=True)
    name, text = _name(root, target), path.read_text(encoding="utf-8") if path.is_file() else ""
    lines = [f"{digest}  {os.path.normpath(os.path.join(name, file))}" for file, digest in digests.items()]
    lines += [BEFORE + line for line in text.splitlines() if not line.startswith(BEFORE) and line not in lines]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{PARTIAL}{os.getpid()}@{platform.node()}-{path.name}")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def forget(path: Path) -> None:
    """Drop the checksum of a file that is removed on purpose."""
    if place := _place(path):
        place[1].unlink(missing_ok=True)


def noted(path: str | os.PathLike[str]) -> frozenset[str]:
    """The SHA-256 that a file may have: as it was written, and before it was replaced; empty if none is noted."""
    path = Path(path)
    if (place := _place(path)) is None:
        return frozenset()
    root, _ = place
    name = _name(root, path)
    for part in (Path(name), *Path(name).parents[:-1]):
        if found := read(_text(root, part)).get(name):
            return found
    return frozenset()


def compare(path: str | os.PathLike[str], content: bytes) -> bytes:
    """The content of a file. Raises Damaged where it is not what was noted."""
    wanted = noted(path)
    if wanted and hashlib.sha256(content).hexdigest() not in wanted:
        raise Damaged(
            f"{path}: damaged or edited, its checksum is not that noted when it was written; remove it and run "
            f"snakemake again, or if you edited it, remove its checksum in {CHECKSUMS}"
        )
    return content


def there(path: Path) -> bool:
    """Whether a file is there. Raises HarnessError where it was written, but is missing."""
    if path.is_file():
        return True
    if noted(path):
        raise HarnessError(f"{path}: missing, though it was written; run snakemake again, which makes it")
    return False


def older(path: Path) -> bool:
    """Whether the checksum of a file, which may have none, is older than the file."""
    place = _place(path)
    return place is not None and not (place[1].is_file() and place[1].stat().st_mtime_ns >= path.stat().st_mtime_ns)


def every(study: Path) -> Iterator[tuple[Path, Mapping[str, frozenset[str]]]]:
    """Texts of checksums of a study, sorted, each with the SHA-256 of its files by their paths in the study."""
    for path in sorted((study / CHECKSUMS).rglob(f"*{SUFFIX}")):
        if not path.name.startswith(PARTIAL):
            yield path, read(path)


def read(path: Path) -> dict[str, frozenset[str]]:
    """The SHA-256 that files may have, by their paths in the study; none where the text is missing or damaged."""
    found: dict[str, frozenset[str]] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return {}
    for line in lines:
        digest, gap, name = line.removeprefix(BEFORE).partition("  ")
        if not gap or len(digest) != 64:
            return {}
        found[name] = found.get(name, frozenset()) | {digest}
    return found


def _name(root: Path, path: str | os.PathLike[str]) -> str:
    """Path of a file in its study."""
    return os.path.relpath(os.path.abspath(path), root).replace(os.sep, "/")


def _place(path: Path) -> tuple[Path, Path] | None:
    """The study that notes the checksum of a file, and the text; None outside of such studies, and while unfinished."""
    full = Path(os.path.abspath(path))
    if any(part.startswith(PARTIAL) for part in full.parts):
        return None
    root = next((parent for parent in full.parents if (parent / CHECKSUMS).is_dir()), None)
    return None if root is None else (root, _text(root, full.relative_to(root)))


def _text(root: Path, name: Path) -> Path:
    return root / CHECKSUMS / name.with_name(name.name + SUFFIX)
