"""Progress of a scan on standard error: one line, which grows as stages begin and end."""

import contextlib
import io
import sys
import time
from collections.abc import Iterator
from typing import TextIO


class Line:
    """A line that has a title, each stage with its seconds, and a result."""

    def __init__(self, title: str, stream: TextIO) -> None:
        self.stream, self.begun, self.next = stream, 0.0, ": "
        self._write(title)

    def stage(self, name: str) -> None:
        """Name the stage that begins, and the seconds of the one before."""
        self._seconds()
        self._write(f"{self.next}{name}")
        self.begun, self.next = time.monotonic(), ", "

    def end(self, result: str = "") -> None:
        """Name the result."""
        self._seconds()
        self._write(f"; {result}" if result else "")

    def _seconds(self) -> None:
        self._write(f" {time.monotonic() - self.begun:.0f} s" if self.begun else "")
        self.begun = 0.0

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


@contextlib.contextmanager
def told(title: str) -> Iterator[Line]:
    """Yield a line on standard error; what is printed there within follows in lines of its own."""
    stream, later = sys.stderr, io.StringIO()
    line = Line(title, stream)
    try:
        with contextlib.redirect_stderr(later):
            yield line
    finally:
        line.end()
        stream.write("\n" + later.getvalue())
