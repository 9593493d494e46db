"""The command: what it says, what it leaves alone, what it repeats, and how it ends."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.commands import call, fails
from tests.data.download.conftest import right
from tests.data.download.server import other, silent, status
from uadbench.core import folder_lock
from uadbench.data.download import download, orders, transfer
from uadbench.data.download.transfer import Patience

EMPTY = "empty file.txt"  # for which nobody is asked
SCAN = "sub-01/anat/sub-01_T1w.nii.gz"


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """No pauses."""
    monkeypatch.setattr(transfer, "PATIENT", haste := Patience(pauses=(0.0,), longest=1.0, slow=0.5))
    monkeypatch.setattr(download.fetch, "__defaults__", (None, 8, haste))


def test_a_data_set_comes_whole(server, content, tmp_path):
    done = call("download", "own", "--to", tmp_path / "data", "--record", tmp_path / "record.json")
    said = done.stdout.splitlines()
    assert said[0] == "own: x, version x"
    assert said[1] == "  6 subjects, 6 t1, 6 t2, 6 flair, 4 masks; 30 files, 3.6 MB"
    assert said[2] == "  licence x; cite x; x"
    assert said[3].startswith(f"to fetch: 3.6 MB; free in {tmp_path / 'data'}: ")
    assert said[4] == f"own: all 30 files in {tmp_path / 'data' / 'own'} are right, 30 of them new"
    assert right(tmp_path / "data" / "own", content) == sorted(content)
    assert server.queries == {f"versionId=v.{number}" for number in range(30)} - {"versionId=v.1"}  # which is empty
    about = json.loads((tmp_path / "record.json").read_text())
    assert (about["source"], about["subjects"], about["files"]) == ("own", 6, 30)


def test_what_is_right_stays_and_the_rest_is_fetched(server, content, tmp_path):
    call("download", "owns", "--to", tmp_path)
    folder = tmp_path / "own"
    changed = "sub-02/anat/sub-02_T2w.nii.gz"
    (folder / SCAN).unlink()
    (folder / changed).write_bytes(bytes(len(content[changed])))
    (folder / "participants.tsv").write_bytes(b"cut")
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    server.asked.clear()
    done = call("download", "own", "--to", tmp_path)
    assert {path.removeprefix("own/") for path, _ in server.asked} == {SCAN, changed, "participants.tsv"}
    assert "30 files, 3.6 MB; 28 of them are in" in done.stdout
    assert done.stdout.endswith("3 of them new\n")
    assert f"not as published, fetched anew: participants.tsv, {changed}" in done.stderr
    now = {path: path.stat().st_mtime_ns for path in times}
    assert {path.relative_to(folder).as_posix() for path in times if now[path] != times[path]} - {".running"} == {
        changed,
        "participants.tsv",
    }
    assert right(folder, content) == sorted(content)


def test_some_subjects_and_modalities(server, content, tmp_path):
    call("download", "own", "--to", tmp_path, "--subjects", 3, "--modality", "t1")
    found = right(tmp_path / "own", content)
    subjects = {path.split("/")[0] for path in found if path.startswith("sub-")}
    assert len(subjects) == 3
    masks = [path for path in found if "mask" in path]
    assert len(masks) == 2
    assert not any("FLAIR" in path for path in found)
    assert sum("T2w.nii" in path for path in found) == 2  # which the masks are drawn on
    server.asked.clear()
    call("download", "own", "--to", tmp_path, "--subjects", 4, "--modality", "t1")
    assert not {path.removeprefix("own/") for path, _ in server.asked} & set(found)


def test_a_dry_run_and_too_full_a_disk_fetch_nothing(server, tmp_path, monkeypatch):
    to = tmp_path / "not yet" / "data"
    done = call("download", "own", "--to", to, "--dry-run")
    assert "to fetch: 3.6 MB; free in" in done.stdout
    monkeypatch.setattr(orders, "free", lambda _: 4_000_000)
    line = fails("download", "own", "--to", to)
    assert line == f"to fetch: 3.6 MB; free in {to}: 4 MB; make room, name another disk with --to, or fewer --subjects"
    monkeypatch.setattr(orders, "free", lambda _: 4_700_000)
    assert not to.exists()
    assert server.asked == []
    call("download", "own", "--to", to)


def test_a_file_that_cannot_be_had_keeps_no_other_back(server, content, tmp_path):
    server.faults[f"own/{SCAN}"] = [status(404)]
    server.faults["own/participants.tsv"] = [other(lambda c: bytes(len(c)))] * 2
    line = fails("download", "own", "--to", tmp_path)
    assert line.startswith("own: 2 of 30 files could not be had, first ")
    assert right(tmp_path / "own", content) == sorted(set(content) - {SCAN, "participants.tsv"})
    call("download", "own", "--to", tmp_path)
    assert right(tmp_path / "own", content) == sorted(content)


@pytest.mark.parametrize(("fault", "most"), [(status(403), 10 + 8), (status(503), 2 * 8)])
def test_what_every_file_meets_ends_the_download(fault, most, server, content, tmp_path):
    server.always = fault
    line = fails("download", "own", "--to", tmp_path)
    assert "answers 403 Forbidden" in line or "answers 503" in line
    assert len(server.asked) <= most
    assert right(tmp_path / "own", content) == [EMPTY]


def test_two_at_once(server, tmp_path):
    with folder_lock.held(tmp_path / "own", "downloads this data set"):
        line = fails("download", "own", "--to", tmp_path)
    assert line.startswith(f"{tmp_path / 'own'}: process {os.getpid()} on ")
    assert line.endswith(" downloads this data set; wait for it or stop it, then run the same command again")
    assert server.asked == []


@contextlib.contextmanager
def killed_in_the_end(process: subprocess.Popen) -> Iterator[None]:
    """So that no failing test waits for a process."""
    try:
        yield
    finally:
        process.kill()


def test_an_interrupt_keeps_what_came(server, content, tmp_path):
    server.faults[f"own/{SCAN}"] = [silent(30)]
    command = [sys.executable, "-m", "uadbench", "download", "own", "--to", str(tmp_path)]
    # A shell that starts tests in the background has its processes ignore interrupts.
    heeding = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)} if os.name == "posix" else {}
    piped = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, **piped, **heeding) as process, killed_in_the_end(process):
        until = time.monotonic() + 60
        while (
            len(right(tmp_path / "own", content) if (tmp_path / "own").exists() else []) < 29
            and time.monotonic() < until
        ):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        since = time.monotonic()
        assert process.communicate(timeout=20)[1] == "error: download: interrupted; run it again to finish\n"
    assert time.monotonic() - since < 10
    assert right(tmp_path / "own", content) == sorted(set(content) - {SCAN})
    server.asked.clear()
    call("download", "own", "--to", tmp_path)
    assert [path for path, _ in server.asked] == [f"own/{SCAN}"]


def test_a_mirror_on_disk_needs_no_server(server, content, tmp_path):
    call("download", "own", "--to", tmp_path / "first")
    shutil.rmtree(tmp_path / "first" / "own" / "sub-06")
    server.asked.clear()
    mirror = (tmp_path / "first").as_uri()
    line = fails("download", "own", "--to", tmp_path / "second", "--mirror", mirror)
    assert line.startswith("own: 4 of 30 files could not be had, first ")
    assert "no such file in the mirror; copy it there, or leave --mirror out" in line
    assert len(right(tmp_path / "second" / "own", content)) == 26
    assert server.asked == []
    call("download", "own", "--to", tmp_path / "second", "--mirror", server.url)
    assert right(tmp_path / "second" / "own", content) == sorted(content)
    assert server.queries == {""} | {f"versionId=v.{number}" for number in range(30)} - {"versionId=v.1"}


def test_names():
    said = call("download").stdout
    assert "ds004889 (soop): Stroke Outcome Optimization Project: acute strokes; 70.4 GB, CC0\n" in said
    assert "ixi: IXI; by hand, CC BY-SA 3.0\n" in said
    assert fails("download", "dlb").startswith("dlb: no such data set; did you mean dlbs? there are ds001226, ")
    assert fails("download", "ixi", "--record", "x.json").startswith("--record: is of one data set")


def test_what_comes_by_hand_has_its_steps():
    said = call("download", "ixi", "camcan").stdout
    assert said.startswith("ixi: IXI, version 2007; comes by hand\n  licence CC BY-SA 3.0; cite ")
    assert "  1. download IXI-T1.tar and IXI-T2.tar from brain-development.org (https://brain-development.org/" in said
    assert "  3. name the folder in a config: datasets: {camcan: {layout: camcan, root: FOLDER}}\n" in said


def test_progress_is_a_line_in_a_log(capsys, monkeypatch):
    monkeypatch.setattr(download, "QUIET_SECONDS", 0.0)
    with download._progress("download own", 4_000_000, 1_000_000) as moved:
        moved(1_000_000)
        moved(-500_000)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("download own:  25%")
    assert lines[-1].startswith("download own:  38%")
    assert "1.50M/4.00M [00:00<00:0" in lines[-1]
