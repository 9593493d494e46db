"""Faults of disks, networks and memory: those that may pass are tried again, all are one line."""

import errno
import os
import zlib

import pytest

from uadbench.core import faults
from uadbench.core.errors import HarnessError


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(faults, "PAUSES", (0.0, 0.0))


def failing(error: Exception, times: int):
    """A reader that raises an error so many times."""
    left = [error] * times

    def read(path):
        if left:
            raise left.pop()
        return "content"

    return faults.retried(read)


@pytest.mark.parametrize("name", ["ESTALE", "EIO", "EMFILE", "ENFILE", "ETIMEDOUT", "EHOSTDOWN", "EREMOTEIO", "ENOLCK"])
def test_a_fault_that_passes_costs_nothing_and_one_that_stays_ends_in_a_line(name):
    code = getattr(errno, name)
    assert failing(OSError(code, os.strerror(code)), 2)("scan.nii") == "content"
    with pytest.raises(HarnessError, match=rf"scan.nii: {os.strerror(code)}; .*run the same command again"):
        failing(OSError(code, os.strerror(code)), 3)("scan.nii")


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "no"), zlib.error("damaged"), OSError("CRC")])
def test_a_fault_of_the_file_is_not_tried_again(error):
    with pytest.raises(type(error)):
        failing(error, 1)("scan.nii")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("Error code 12 (Cannot allocate memory)"), "v: Cannot allocate memory; run fewer jobs at once"),
        (RuntimeError("I/O error: File too large (os error 27)"), "v: File too large; raise the limit of file sizes"),
        (
            RuntimeError("write: No space left on device"),
            "the output could not be written: No space left on device; make",
        ),
        (MemoryError(), "v: Cannot allocate memory; run fewer"),
        (RuntimeError("std::bad_alloc"), "v: Cannot allocate memory; run fewer"),
        (OSError(errno.EIO, "Input/output error", "f"), "f: Input/output error; run the same command again"),
    ],
)
def test_faults_in_the_words_of_libraries(error, said):
    assert (faults.line(error, "v") or "").startswith(said)


def test_a_mistake_of_the_program_is_no_fault():
    assert faults.line(KeyError("modalities")) is None
    assert faults.line(ValueError("no such name")) is None
