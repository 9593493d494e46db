"""A lock on the results of an experiment, which the operating system releases with its holder, however that ends."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from harness.errors import HarnessError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

NAME = ".running"
#: open lock files of this process: closing one would release it
_held: list[int] = []


def hold(folder: str | os.PathLike[str]) -> None:
    """Hold a folder, made if missing, until this process ends.

    Raises HarnessError naming the holder if another process holds it. Where the file system has no locks (some network
    file systems) a warning says so, and the run goes on.
    """
    path = Path(folder) / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if fcntl is None:
            raise OSError("this system has no flock")
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(handle, 200).decode(errors="replace").strip() or "another process"
        os.close(handle)
        raise HarnessError(
            f"{folder}: {holder} runs this experiment; wait for it or stop it, `python -m harness status` shows its "
            "progress"
        ) from None
    except OSError as error:
        os.close(handle)
        print(f"warning: {path}: no lock ({error}); do not run this experiment twice at once", file=sys.stderr)
        return
    os.truncate(handle, 0)
    os.write(handle, f"process {os.getpid()} on {platform.node()}".encode())
    _held.append(handle)
