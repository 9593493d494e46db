"""Writing of files, each through a temporary file that is renamed when complete, and reading with checks."""

import contextlib
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from uadbench.core import checksums, documents
from uadbench.core.checksums import PARTIAL
from uadbench.core.errors import HarnessError
from uadbench.core.faults import FULL, NO_FILE, behind, line, retried

OLD = "-old"  # of a folder that is being replaced


def expanded(path: str) -> str:
    """A path as users write it, with environment variables and `~` replaced."""
    return os.path.expanduser(os.path.expandvars(path))


@contextlib.contextmanager
def atomic(path: str | os.PathLike[str], noted: bool = True) -> Iterator[Path]:
    """Yield a temporary path with the suffixes of `path` in the same folder; rename it to `path` on success.

    The caller writes a file (or makes a folder) at the yielded path. An exception removes it and leaves the previous
    content of `path` unchanged. Data are synced to disk before the rename, so that no power cut leaves half a file.
    Removes temporary files of the same path whose process was killed. noted: whether a study notes the checksum, as of
    every file that it keeps. Raises OSError naming `path`.
    """
    target = Path(path)
    _make_folder(target)
    _remove_orphans(target)
    process, host = os.getpid(), platform.node()
    partial = target.with_name(f"{PARTIAL}{process}@{host}-{target.name}")
    old = target.with_name(f"{PARTIAL}{process}{OLD}@{host}-{target.name}")
    try:
        yield partial
        files = sorted(file for file in partial.rglob("*") if file.is_file()) if partial.is_dir() else [partial]
        for file in files if partial.is_dir() else ():
            file.chmod(0o666 & file.parent.stat().st_mode)  # safetensors makes files that their owner alone can read
        for file in files:
            with open(file, "r+b") as written:  # Windows syncs only what is open for writing
                os.fsync(written.fileno())
        if noted:
            checksums.note(target, {file.relative_to(partial).as_posix(): sha256(file) for file in files})
        # Aside, since a file that another host has open leaves a folder that cannot be removed.
        if target.is_dir() and partial.is_dir():
            target.replace(old)
        partial.replace(target)
    except OSError as error:
        if error.errno is not None and str(error.filename or partial).startswith(str(partial)):
            error.filename = str(target)  # a failed write does not name its file
        raise
    finally:
        if old.exists() and not target.exists():
            old.replace(target)
        _remove(partial)
        _remove(old)


def _make_folder(target: Path) -> None:
    """Make the folder of an output. Raises OSError naming the output where that is impossible."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        there = next(parent for parent in target.absolute().parents if parent.exists())
        reason = f"{there}: {error.strerror}" if there.is_dir() else f"{there} is a file, no folder"
        raise type(error)(error.errno, reason, str(target)) from None


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _remove_orphans(target: Path) -> None:
    """Remove temporary files of `target` that processes of this host left behind when they were killed."""
    ending = f"@{platform.node()}-{target.name}"
    for path in target.parent.glob(f"{PARTIAL}*"):
        number = path.name.removeprefix(PARTIAL).removesuffix(ending).removesuffix(OLD)
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
def disk_faults_named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Raise OSError naming `path` where torch or safetensors, with exceptions of their own, meet faults of the disk."""
    try:
        yield
    except (HarnessError, MemoryError):
        raise
    except Exception as error:
        fault = behind(error)
        if fault is None or (fault is error and fault.filename is not None):
            raise
        raise OSError(fault.errno, fault.strerror, os.fspath(path)) from None


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


@retried
def sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits. Raises HarnessError for a disk that fails for long."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@retried
def content(path: str | os.PathLike[str]) -> bytes:
    """The content of a file. Raises HarnessError if the disk fails for long, or its study noted another content."""
    return checksums.compare(path, Path(path).read_bytes())


def damaged(folder: Path, digests: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Files of a folder that are not what their record says, each with the reason.

    digests: SHA-256 by path in the folder. Further files are ignored: Snakemake and file managers leave theirs there.
    Raises HarnessError for a file that is there but cannot be read.
    """
    for name, digest in digests.items():
        path = folder / name
        try:
            if sha256(path) != digest:
                yield path, "damaged, its checksum is not that of its record"
        except NO_FILE:
            yield path, "missing"
        except OSError as error:
            raise HarnessError(line(error, path)) from error


def verify(folder: Path, digests: Mapping[str, str], remedy: str) -> None:
    """Raise HarnessError, which ends with `remedy`, for the first of `damaged`."""
    for path, reason in damaged(folder, digests):
        raise HarnessError(f"{path}: {reason}; {remedy}")


def note_new(path: Path) -> None:
    """Note the checksum of a file that was written past `atomic` since the last one, in a study that notes them."""
    if path.is_file() and checksums.older(path):
        checksums.note(path, {".": sha256(path)})


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write `content` as indented JSON, atomically."""
    with atomic(path) as partial:
        partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: str | os.PathLike[str]) -> Any:
    """The content of a JSON file. Raises ValueError as `documents.of_json`, and as `content`."""
    return documents.of_json(content(path).decode("utf-8"))
