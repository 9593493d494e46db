"""The lock on a folder of results: one holder at a time, free again however its holder ends."""

import os
import subprocess
import sys

import pytest

from tests.trainings import trained
from uadbench.core import folder_lock
from uadbench.core.errors import HarnessError
from uadbench.core.study_folder import LOCK

pytestmark = pytest.mark.usefixtures("unlock")
HOLD = "import sys; from uadbench.core.folder_lock import hold; hold(sys.argv[1]); print('held', flush=True); input()"


@pytest.fixture
def holder(tmp_path, root):
    """Another process that holds tmp_path / 'demo'."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "demo")]
    process = subprocess.Popen(command, cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


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
            assert str(os.getpid()) in (tmp_path / "run" / LOCK).read_text()


def test_a_training_holds_its_run(tiny_cohort, holder, tmp_path):
    with pytest.raises(HarnessError, match="trains this run"):
        trained("random", tiny_cohort, tmp_path / "demo")
    trained("random", tiny_cohort, tmp_path / "other")


def test_a_killed_holder_leaves_no_lock(holder, tmp_path):
    holder.kill()
    holder.wait()
    folder_lock.hold(tmp_path / "demo")
    assert str(os.getpid()) in (tmp_path / "demo" / LOCK).read_text()


def test_without_locks_the_run_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(folder_lock, "fcntl", None)
    folder_lock.hold(tmp_path)
    assert "let no two processes work in it at once" in capsys.readouterr().err


def test_a_lock_file_is_for_the_group_if_the_umask_is(tmp_path):
    former = os.umask(0o002)
    try:
        folder_lock.hold(tmp_path)
    finally:
        os.umask(former)
    assert (tmp_path / LOCK).stat().st_mode & 0o777 == 0o664


def test_a_folder_that_may_not_be_written_is_read_with_a_warning(tmp_path, monkeypatch, capsys):
    def refused(path, flags, *mode):
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(os, "open", refused)
    folder_lock.hold(tmp_path, shared=True)
    assert "no lock (Read-only file system)" in capsys.readouterr().err
