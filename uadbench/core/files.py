"""Atomic writing of files: a temporary file beside the target, renamed when complete."""

import contextlib
import errno
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from uadbench.core import documents
from uadbench.core.errors import HarnessError

#: errno of a full disk, or of an exhausted quota
FULL = (errno.ENOSPC, errno.EDQUOT)


def expanded(path: str) -> str:
    """A path as users write it, with environment variables and `~` replaced."""
    return os.path.expanduser(os.path.expandvars(path))


@contextlib.contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path with the suffixes of `path` in the same folder; rename it to `path` on success.

    The caller writes a file (or makes a folder) at the yielded path. An exception removes it and leaves the previous
    content of `path` unchanged. Data are synced to disk before the rename, so that no power cut leaves half a file.
    Removes temporary files of the same path whose process was killed.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_orphans(target)
    partial = target.with_name(f".partial-{os.getpid()}@{platform.node()}-{target.name}")
    try:
        yield partial
        for file in partial.rglob("*") if partial.is_dir() else [partial]:
            if file.is_file():
                with open(file, "r+b") as written:  # Windows syncs only what is open for writing
                    os.fsync(written.fileno())
        if target.is_dir() and partial.is_dir():
            shutil.rmtree(target)
        partial.replace(target)
    except OSError as error:
        if error.errno in FULL and error.filename is None:  # a failed write does not name its file
            error.filename = str(target)
        raise
    finally:
        _remove(partial)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _remove_orphans(target: Path) -> None:
    """Remove temporary files of `target` that processes of this host left behind when they were killed."""
    ending = f"@{platform.node()}-{target.name}"
    for path in target.parent.glob(".partial-*"):
        number = path.name.removeprefix(".partial-").removesuffix(ending)
        if number.isdigit() and not _runs(int(number)):
            _remove(path)


def _runs(process: int) -> bool:
    """Whether a process of this host runs; True where that cannot be determined."""
    if os.name == "nt":  # signal 0 would end it there
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@contextlib.contextmanager
def full_disk_named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Raise OSError naming `path` where torch or safetensors, with exceptions of their own, find the disk full within.

    torch must write to an open file: then the context of its RuntimeError is the OSError of that file.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL and error.filename is None:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from None
        raise
    except Exception as error:
        reason = error.__context__
        number = reason.errno if isinstance(reason, OSError) else None
        if type(error).__name__ == "SafetensorError":
            number = next((code for code in FULL if f"os error {code}" in str(error)), None)
        if number not in FULL:
            raise
        raise OSError(number, os.strerror(number), os.fspath(path)) from None


def reserve(path: str | os.PathLike[str]) -> None:
    """Allocate a sparse file's disk space now: a memory-mapped file that fills the disk later kills the process.

    Raises OSError if the disk is full. Does nothing on systems without `posix_fallocate`.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    with open(path, "r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
        except OSError as error:
            if error.errno in FULL:
                raise


def sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damaged(folder: Path, digests: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Files of a folder that are not what their record says, each with the reason.

    digests: SHA-256 by path in the folder. Further files are ignored: Snakemake and file managers leave theirs there.
    """
    for name, digest in digests.items():
        path = folder / name
        try:
            if sha256(path) != digest:
                yield path, "damaged, its checksum is not that of its record"
        except OSError as error:
            absent = isinstance(error, (FileNotFoundError, NotADirectoryError, IsADirectoryError))
            yield path, "missing" if absent else f"cannot be read ({error})"


def verify(folder: Path, digests: Mapping[str, str], remedy: str) -> None:
    """Raise HarnessError, which ends with `remedy`, for the first of `damaged`."""
    for path, reason in damaged(folder, digests):
        raise HarnessError(f"{path}: {reason}; {remedy}")


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write `content` as indented JSON, atomically."""
    with atomic(path) as partial:
        partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: str | os.PathLike[str]) -> Any:
    """The content of a JSON file. Raises ValueError as `documents.of_json`."""
    return documents.of_json(Path(path).read_text(encoding="utf-8"))
