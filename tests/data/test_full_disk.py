"""Disks and memory that are full: the run stops with one line, nothing half-written counts, the next run goes on."""

import errno
import os
import sys
from pathlib import Path

import nibabel
import pytest

from tests.data.conftest import FAST, SETTINGS, Cohort
from uadbench import cli
from uadbench.core.errors import HarnessError
from uadbench.data.packing.store import Store
from uadbench.data.preprocessing import preprocess
from uadbench.data.preprocessing.records.report import read_report, write_report


def test_a_mistake_that_is_nobodys_scan_stops_the_run(sound, found_once, tmp_path, monkeypatch):
    cohort = Cohort(tmp_path, sound)
    cohort.add("a")
    written = cohort.sheet()

    def full(*_):
        raise MemoryError

    monkeypatch.setattr(preprocess, "resample", full)
    with pytest.raises(HarnessError, match="a: out of memory; run fewer jobs"):
        list(preprocess.preprocess(written, written.rows, tmp_path / "registered", FAST))


def run(monkeypatch, *arguments: object) -> str:
    """What the command line ends with, "" if all is well."""
    monkeypatch.setattr(sys, "argv", ["uadbench", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return str(caught.value.code or "")


def test_a_full_disk_stops_the_run_and_the_next_goes_on(sound, found_once, tmp_path, monkeypatch):
    cohort = Cohort(tmp_path, sound)
    for subject in ("a", "b", "c"):
        cohort.add(subject)
    cohort.sheet()
    registered, report = tmp_path / "registered", tmp_path / "report.csv"
    arguments = ["preprocess", "--sheet", tmp_path / "subjects.csv", "--out", registered, "--report", report]
    arguments += ["--settings", SETTINGS]
    save, saved = nibabel.save, []

    def full(image, path):
        saved.append(Path(path).name)
        if len(saved) == 6:
            Path(path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        save(image, path)

    with monkeypatch.context() as patch:
        patch.setattr(nibabel, "save", full)
        message = run(patch, *arguments)
    assert message.startswith(f"error: {registered}/b: cannot be written (No space left on device); make room")
    assert "\n" not in message
    assert sorted(path.name for path in registered.iterdir()) == ["a"]
    assert not report.exists()
    done = []
    step = preprocess._subject
    monkeypatch.setattr(
        preprocess, "_subject", lambda s, row, *rest: (done.append(row.subject), step(s, row, *rest))[1]
    )
    assert run(monkeypatch, *arguments) == ""
    assert done == ["b", "c"]
    assert [outcome.status for outcome in read_report(report)] == ["done"] * 3


def test_a_full_disk_leaves_no_report_or_pack(sound, found_once, tmp_path, monkeypatch):
    cohort = Cohort(tmp_path, sound)
    cohort.add("a")
    written = cohort.sheet()
    found = list(preprocess.preprocess(written, written.rows, tmp_path / "registered", FAST))
    write_report(tmp_path / "1-of-1.csv", found)
    arguments = ["pack", "--dataset", "own", "--sheet", tmp_path / "subjects.csv", "--out", tmp_path / "packed"]
    arguments += ["--registered", tmp_path / "registered", "--reports", tmp_path / "1-of-1.csv"]

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        message = run(patch, *arguments)
    assert "No space left on device; make room and run again" in message
    assert "\n" not in message
    assert list((tmp_path / "packed").iterdir()) == []
    assert run(monkeypatch, *arguments) == ""
    assert Store.open(tmp_path / "packed").subjects == ["a"]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(HarnessError, match=r"2-of-2\.csv: cannot be written"):
            write_report(tmp_path / "2-of-2.csv", found)
    assert not [path for path in tmp_path.iterdir() if "2-of-2" in path.name]
