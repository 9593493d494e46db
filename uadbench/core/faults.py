"""Faults of disks, networks and memory: which of them may pass, reading again after a pause, and their one line."""

import errno
import functools
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from uadbench.core.errors import HarnessError

P = ParamSpec("P")
T = TypeVar("T")

#: errno of a full disk, or of an exhausted quota
FULL = (errno.ENOSPC, errno.EDQUOT)
RIGHTS = (errno.EACCES, errno.EPERM, errno.EROFS)
NAMES = (errno.EISDIR, errno.ENOTDIR, errno.ENOENT, errno.ELOOP, errno.ENAMETOOLONG, errno.EEXIST)
#: reading where no file is
NO_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
OPENED = (errno.EMFILE, errno.ENFILE)
#: of the file that a user names, of its content or of its place; any other says nothing of it, and may pass
LASTING = (*FULL, *RIGHTS, *NAMES, errno.ENOTEMPTY, errno.EINVAL, errno.EFBIG, errno.EXDEV)
PAUSES = (1.0, 5.0)  # seconds before a file is read again
DISK = "run the same command again; if it stays, look at the disk or the mount"
MEMORY = "run fewer jobs at once (--cores), or set a smaller batch, then run the same command again"
REMEDIES = {
    **dict.fromkeys(FULL, "make room and run again, which keeps finished work"),
    **dict.fromkeys(RIGHTS, "change its permissions, or name another place"),
    **dict.fromkeys(NAMES, "name another place, or make what is missing"),
    **dict.fromkeys(OPENED, "close other programs or raise the limit (ulimit -n), then run the same command again"),
    errno.EFBIG: "raise the limit of file sizes (ulimit -f), or name another disk",
    errno.ENOMEM: MEMORY,
}
#: faults that libraries tell in words or by number alone
TOLD = {
    os.strerror(code): code
    for code in (*FULL, *OPENED, errno.ENOMEM, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EFBIG)
} | {"std::bad_alloc": errno.ENOMEM}
NUMBER = re.compile(r"(?:os error|Errno|Error code) (\d+)")


def behind(error: BaseException | None) -> OSError | None:
    """The fault of the operating system that an exception is, or that a library hid in one of its own; None without."""
    first = error
    while error is not None:
        # A library that tries several names meets missing files on its way to another error.
        if isinstance(error, OSError) and error.errno is not None and (error is first or _hidden(error.errno)):
            return error
        if isinstance(error, MemoryError):
            return OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        if not isinstance(error, (HarnessError, LookupError, ArithmeticError)):
            number = NUMBER.search(str(error))
            code = int(number[1]) if number else next((TOLD[text] for text in TOLD if text in str(error)), None)
            if code is not None and _hidden(code):
                return OSError(code, os.strerror(code))
        error = error.__cause__ or error.__context__
    return None


def _hidden(code: int) -> bool:
    return code not in LASTING or code in (*FULL, errno.EFBIG)


def passing(error: BaseException) -> bool:
    """Whether a fault says nothing of the file, but of the disk, the network or the memory."""
    fault = behind(error)
    return fault is not None and fault.errno not in LASTING


def line(error: BaseException, place: object = None) -> str | None:
    """File, reason and remedy of a fault in one line; None for another exception. place: if the fault names no file."""
    fault = behind(error)
    if fault is None:
        return None
    where = fault.filename
    if where is None:
        where = "the output could not be written" if fault.errno in FULL else place or "a file"
    where = os.fsdecode(where) if isinstance(where, (bytes, os.PathLike)) else where
    return f"{where}: {fault.strerror}; {REMEDIES.get(fault.errno or 0, DISK)}"


def retried(read: Callable[P, T], *further: type[Exception]) -> Callable[P, T]:
    """`read`, called again after PAUSES where a fault may pass, or one of `further` is raised.

    Raises HarnessError where it stays; its first argument names the file that the fault does not name.
    """

    @functools.wraps(read)
    def again(*arguments: P.args, **options: P.kwargs) -> T:
        for pause in (*PAUSES, None):
            try:
                return read(*arguments, **options)
            except (HarnessError, MemoryError):
                raise
            except Exception as error:
                if not isinstance(error, further) and not passing(error):
                    raise
                if pause is None:
                    reason = f"{error}; {DISK}" if isinstance(error, further) else line(error, _file(arguments))
                    raise HarnessError(reason) from error
            time.sleep(pause)
        raise AssertionError

    return again


def _file(arguments: tuple[Any, ...]) -> Path | None:
    return next((Path(each) for each in arguments if isinstance(each, (str, os.PathLike))), None)
