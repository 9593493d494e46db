"""Device locks: files, one for each process on a device, that the operating system releases with their holder."""

import itertools
import os
import platform
import re
import stat
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from uadbench.core.errors import HarnessError
from uadbench.core.folder_lock import fcntl, flock

#: open lock files of this process, by device: closing one would release it
_held: dict[str, int] = {}


def take(devices: Sequence[str], free: Mapping[str, float] | None = None) -> tuple[int, int]:
    """Lock a device until this process ends; returns its index and the number of processes of this user that held it.

    devices: physical names, the same in every process of this host, such as UUIDs; free: memory that is free on them,
    in any unit. Of the devices that the fewest processes hold, the one with most free memory is taken, so that a device
    in use by another program comes last. The call does not wait for a device. Repeated calls return the same device.
    Raises HarnessError where locks do not work here.
    """
    for index, name in enumerate(devices):
        if name in _held:
            return index, 0
    folder, host = _folder(), _plain(platform.node())
    stems = [f"{host}.{_plain(name)}" for name in devices]
    guard = _lock(folder / "choosing.lock", wait=True)
    try:
        holders = [_holders(folder, stem) for stem in stems]
        index = min(range(len(devices)), key=lambda i: (holders[i], -(free or {}).get(devices[i], 0)))
        slots = (_lock(folder / f"{stems[index]}.{slot}.lock") for slot in itertools.count())
        _held[devices[index]] = next(handle for handle in slots if handle is not None)
    finally:
        if guard is not None:
            os.close(guard)
    return index, holders[index]


def _holders(folder: Path, stem: str) -> int:
    """Number of processes that hold a device: each has locked a file of its own."""
    held = 0
    for path in folder.glob(f"{stem}.*.lock"):
        handle = _lock(path)
        if handle is None:
            held += 1
        else:
            os.close(handle)
    return held


def _folder() -> Path:
    """The folder of this user's locks, made if missing. Raises HarnessError if it cannot be used safely."""
    if fcntl is None:
        raise HarnessError("this system has no flock")
    user = os.getuid()
    folder = Path(tempfile.gettempdir()) / f"uadbench-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
    except OSError as error:
        raise HarnessError(f"{folder}: {error.strerror}") from None
    # Another user may have made a folder or a link of this name: refuse to write to it.
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != user:
        raise HarnessError(f"{folder}: is not a folder of yours")
    return folder


def _lock(path: Path, wait: bool = False) -> int | None:
    """Lock a file; None if another process holds it. Raises HarnessError if the file system cannot lock."""
    handle = None
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        flock(handle, wait=wait)
    except OSError as error:
        if handle is not None:
            os.close(handle)
        if isinstance(error, BlockingIOError):
            return None
        raise HarnessError(f"{path}: {error.strerror}") from None
    return handle


def _plain(name: str) -> str:
    """A name as part of a file name, without the dots that separate parts."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)
