"""Locks on results folders, which the operating system releases when their holder ends in any way."""

import contextlib
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from uadbench.core.errors import HarnessError
from uadbench.core.study_folder import LOCK, StudyFolder

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

#: open lock files of this process: closing one would release it
_held: list[int] = []


def hold(folder: str | os.PathLike[str], shared: bool = False) -> None:
    """Lock an experiment's folder, made if missing, until this process ends. Raises HarnessError as `_lock` does.

    shared: other shared locks may exist at the same time, but no exclusive one.
    """
    doing = "makes these files" if shared else "runs this experiment"
    handle = _lock(Path(folder), doing, "`python -m uadbench status` shows its progress", shared)
    if handle is not None:
        _held.append(handle)


def hold_study(folder: StudyFolder, written: Iterable[str]) -> None:
    """Lock a study, and its data and runs, which other experiments may use, until this process ends.

    written: paths of the files that will be made. Data and runs to which none belongs are locked as shared: several
    experiments may read them at once, but none may change them then. Raises HarnessError as `_lock` does.
    """
    hold(folder.path)
    files = [Path(file) for file in written]
    for part in (folder.data, folder.training):
        hold(part, shared=not any(part in file.parents for file in files))


@contextlib.contextmanager
def held(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Lock the folder of a run, made if missing. Raises HarnessError as `_lock` does."""
    handle = _lock(Path(folder), "trains this run", "then run the same command again")
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _lock(folder: Path, doing: str, advice: str, shared: bool = False) -> int | None:
    """The open lock file of a folder, made if missing.

    Raises HarnessError naming the holder if another process holds it. On file systems without locks (some network file
    systems) prints a warning and returns None.
    """
    path = folder / LOCK
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if fcntl is None:
            raise OSError("this system has no flock")
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(handle, 200).decode(errors="replace").strip() or "another process"
        os.close(handle)
        raise HarnessError(f"{folder}: {holder} {doing}; wait for it or stop it, {advice}") from None
    except OSError as error:
        os.close(handle)
        print(f"warning: {path}: no lock ({error}); let no two processes work in it at once", file=sys.stderr)
        return None
    os.truncate(handle, 0)
    os.write(handle, f"process {os.getpid()} on {platform.node()}".encode())
    return handle
