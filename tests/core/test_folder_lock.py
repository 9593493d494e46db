"""The lock on a folder of results: one holder at a time, free again however its holder ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from uadbench.core import folder_lock
from uadbench.core.errors import HarnessError
from uadbench.methods.settings import resolve

ROOT = Path(__file__).resolve().parents[2]
HOLD = """import sys
from uadbench.core import folder_lock
folder_lock.hold(sys.argv[1])
print("held", flush=True)
input()"""


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


def test_a_run_is_held_while_it_is_trained(holder, tmp_path):
    """As by the training of a workflow that was killed itself."""
    with (
        pytest.raises(HarnessError, match=rf"demo: process {holder.pid} on .* trains this run; wait for it"),
        folder_lock.held(tmp_path / "demo"),
    ):
        pass
    for _ in range(2):
        with folder_lock.held(tmp_path / "run"):
            assert str(os.getpid()) in (tmp_path / "run" / folder_lock.NAME).read_text()


def test_a_training_holds_its_run(tiny_cohort, holder, tmp_path):
    from uadbench.training.job import train_run

    with pytest.raises(HarnessError, match="trains this run"):
        train_run(resolve("random", "t1"), 1, tiny_cohort, tmp_path / "demo", torch.device("cpu"))
    train_run(resolve("random", "t1"), 1, tiny_cohort, tmp_path / "other", torch.device("cpu"))


def test_a_killed_holder_leaves_no_lock(holder, tmp_path):
    holder.kill()
    holder.wait()
    folder_lock.hold(tmp_path / "demo")
    assert str(os.getpid()) in (tmp_path / "demo" / folder_lock.NAME).read_text()


def test_without_locks_the_run_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(folder_lock, "fcntl", None)
    folder_lock.hold(tmp_path)
    assert "let no two processes work in it at once" in capsys.readouterr().err
