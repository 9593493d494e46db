"""The lock on an experiment's results: one holder at a time, free again however its holder ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import folder_lock
from harness.errors import HarnessError

ROOT = Path(__file__).resolve().parent.parent
HOLD = "import sys; from harness import folder_lock; folder_lock.hold(sys.argv[1]); print('held', flush=True); input()"


@pytest.fixture
def holder(tmp_path):
    """Another process that holds tmp_path / 'demo'."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "demo")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


@pytest.fixture(autouse=True)
def released():
    yield
    while folder_lock._held:
        os.close(folder_lock._held.pop())


def test_a_second_holder_is_told_of_the_first(holder, tmp_path):
    with pytest.raises(HarnessError, match=rf"demo: process {holder.pid} on .* runs this experiment; wait for it"):
        folder_lock.hold(tmp_path / "demo")
    folder_lock.hold(tmp_path / "other")


def test_a_killed_holder_leaves_no_lock(holder, tmp_path):
    holder.kill()
    holder.wait()
    folder_lock.hold(tmp_path / "demo")
    assert str(os.getpid()) in (tmp_path / "demo" / folder_lock.NAME).read_text()


def test_without_locks_the_run_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(folder_lock, "fcntl", None)
    folder_lock.hold(tmp_path)
    assert "do not run this experiment twice at once" in capsys.readouterr().err
