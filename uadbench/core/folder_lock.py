"""Locks on results folders, which the operating system releases when their holder ends in any way."""

import contextlib
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from uadbench.core import checksums
from uadbench.core.errors import HarnessError
from uadbench.core.faults import RIGHTS
from uadbench.core.study_folder import LOCK, StudyFolder

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

#: open lock files of this process: closing one would release it
_held: list[int] = []


def hold(folder: str | os.PathLike[str], shared: bool = False) -> None:
    """Lock an experiment's folder, made if missing, until this process ends. Raises HarnessError as `_lock` does.

    shared: other shared locks may exist at the same time, but no exclusive one; the folder may be read-only.
    """
    doing = "makes these files" if shared else "runs this experiment"
    handle = _lock(Path(folder) / LOCK, doing, "`python -m uadbench status` shows its progress", shared)
    if handle is not None:
        _held.append(handle)


def hold_study(folder: StudyFolder, written: Iterable[str]) -> None:
    """Lock a study, and its data and runs, which other experiments may use, until this process ends.

    written: paths of the files that will be made. Data and runs to which none belongs are locked as shared: several
    experiments may read them at once, but none may change them then. The checksums of the files that are made will be
    noted. Raises HarnessError as `_lock` does.
    """
    hold(folder.path)
    files = [Path(file) for file in written]
    for part in (folder.data, folder.training):
        changed = any(part in file.parents for file in files)
        hold(part, shared=not changed)
        if changed:
            checksums.begin(part.parent)
    checksums.begin(folder.path)


def release() -> None:
    """Release the locks of `hold` and `hold_study` before this process ends, for another one that goes on."""
    while _held:
        os.close(_held.pop())


@contextlib.contextmanager
def held(folder: str | os.PathLike[str], doing: str = "trains this run") -> Iterator[None]:
    """Lock a folder, made if missing, such as that of a run. Raises HarnessError as `_lock` does."""
    with _closed(_lock(Path(folder) / LOCK, doing, "then run the same command again")):
        yield


@contextlib.contextmanager
def turn(path: Path) -> Iterator[None]:
    """Wait for the lock of a file, made if missing: of the processes that hold it one goes on at a time."""
    with _closed(_lock(path, wait=True)):
        yield


@contextlib.contextmanager
def _closed(handle: int | None) -> Iterator[None]:
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def flock(handle: int, shared: bool = False, wait: bool = False) -> None:
    """Lock an open file. Raises BlockingIOError if another process holds it, OSError where there are no locks."""
    if fcntl is None:
        raise OSError("this system has no flock")
    fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))


def _lock(path: Path, doing: str = "", advice: str = "", shared: bool = False, wait: bool = False) -> int | None:
    """The open lock file `path`, which all may write whom the umask lets.

    Raises HarnessError naming the holder if another process holds it. Where the file cannot be opened, and on file
    systems without locks (some network file systems), prints a warning and returns None.
    """
    handle = None
    try:
        handle = _opened(path, shared)
        flock(handle, shared, wait)
        with contextlib.suppress(*([OSError] if shared else [])):  # of a file that may be read alone
            os.truncate(handle, 0)
            os.write(handle, f"process {os.getpid()} on {platform.node()}".encode())
    except BlockingIOError:
        assert handle is not None
        holder = os.read(handle, 200).decode(errors="replace").strip() or "another process"
        os.close(handle)
        raise HarnessError(f"{path.parent}: {holder} {doing}; wait for it or stop it, {advice}") from None
    except OSError as error:
        if handle is not None:
            os.close(handle)
        reason = error.strerror or error
        print(f"warning: {path}: no lock ({reason}); let no two processes work in it at once", file=sys.stderr)
        return None
    return handle


def _opened(path: Path, shared: bool) -> int:
    """The open lock file, made if missing; for reading alone where a shared lock has no right to more."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        if not shared or error.errno not in RIGHTS:
            raise
        return os.open(path, os.O_RDONLY)
