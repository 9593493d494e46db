"""Writing files so that a kill never leaves half of one: write beside the target, then rename."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: errors of a disk that is full, or of a quota that is used up
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path with the suffixes of `path` in the same folder; rename it to `path` on success.

    The caller writes a file (or makes a folder) at the yielded path. On an exception nothing of it is left behind and
    what was at `path` before stays as it was.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".partial-{os.getpid()}-{target.name}")
    try:
        yield partial
        if target.is_dir() and partial.is_dir():
            shutil.rmtree(target)
        partial.replace(target)
    except OSError as error:
        if error.errno in FULL and error.filename is None:  # a write that fails does not say of which file
            error.filename = str(target)
        raise
    finally:
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def full_disk_named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Raise OSError with `path` where torch or safetensors, which have errors of their own, find the disk full within.

    torch must be given an open file: then the reason of its RuntimeError is the OSError of that file.
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
    """Take the room of a sparse file on the disk now: a mapped file that finds the disk full later kills the process.

    Raises OSError if there is no room. Does nothing where the system cannot.
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


def write_arrays(path: str | os.PathLike[str], arrays: dict[str, Any]) -> None:
    """Write arrays as a compressed .npz, atomically."""
    import numpy as np

    with atomic(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, **arrays)


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write `content` as indented JSON, atomically."""
    with atomic(path) as partial:
        partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))
