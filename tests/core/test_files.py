"""Atomic writes: whole files or none, temporary files of killed processes go, those of others stay; checksums."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from uadbench.core.errors import HarnessError
from uadbench.core.faults import line
from uadbench.core.files import atomic, damaged, sha256, verify, write_json

KILLED = """
import os, signal, sys
from uadbench.core.files import atomic
with atomic(sys.argv[1]) as partial:
    partial.mkdir() if sys.argv[1].endswith("folder") else partial.touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("name", ["a.json", "a folder", "with-dash@and.suffix.nii.gz"])
def test_what_a_killed_process_left_is_removed_by_the_next_write(tmp_path, name):
    path = tmp_path / name
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".partial-")
    assert left.name.endswith(name)
    with pytest.raises(RuntimeError), atomic(path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_temporary_files_of_running_processes_and_other_hosts_stay(tmp_path):
    kept = [f".partial-{os.getppid()}@{platform.node()}-a.json", ".partial-1234567@elsewhere-a.json", ".partial-notes"]
    for name in kept:
        (tmp_path / name).touch()
    write_json(tmp_path / "a.json", 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "a.json"])


@pytest.mark.parametrize("below", ["file", "file/folder"])
def test_an_output_below_a_file_is_named_with_the_reason(tmp_path, below):
    (tmp_path / "file").touch()
    path = tmp_path / below / "a.json"
    with pytest.raises(OSError, match="is a file, no folder") as error:
        write_json(path, {})
    assert line(error.value).startswith(f"{path}: {tmp_path / 'file'} is a file, no folder; name another place")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_content_is_on_the_disk_before_the_name_is(tmp_path, monkeypatch, kind):
    target, events = tmp_path / "target", []
    monkeypatch.setattr(os, "fsync", lambda handle: events.append(("sync", os.fstat(handle).st_ino)))
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, other: [events.append(("name", 0)), replace(self, other)])
    with atomic(target) as partial:
        if kind == "folder":
            (partial / "inner").mkdir(parents=True)
        written = [partial / "inner" / "a", partial / "b"] if kind == "folder" else [partial]
        for path in written:
            path.write_text("content")
        nodes = {("sync", path.stat().st_ino) for path in written}
    assert {*events[:-1]} == nodes
    assert events[-1] == ("name", 0)


@pytest.mark.skipif(os.name == "nt", reason="no modes")
@pytest.mark.parametrize(("umask", "mode"), [(0o002, 0o664), (0o022, 0o644), (0o077, 0o600)])
def test_files_of_a_folder_are_for_whom_its_other_files_are(tmp_path, umask, mode):
    """Not for their owner alone, as safetensors makes them."""
    former = os.umask(umask)
    try:
        with atomic(tmp_path / "weights") as partial:
            (partial / "unet").mkdir(parents=True)
            save_file({"a": torch.zeros(1)}, partial / "unet" / "a.safetensors")
    finally:
        os.umask(former)
    assert (tmp_path / "weights" / "unet" / "a.safetensors").stat().st_mode & 0o777 == mode


def test_files_that_are_not_what_their_record_says(tmp_path):
    for name in ("whole", "changed", "extra", "inner/whole"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    digests = {name: sha256(tmp_path / name) for name in ("whole", "changed", "inner/whole")}
    verify(tmp_path, digests, "make it again")
    (tmp_path / "changed").write_text("other")
    found = [
        (path.name, reason.split(",")[0]) for path, reason in damaged(tmp_path, {"inner": "0", "none": "0", **digests})
    ]
    assert found == [("inner", "missing"), ("none", "missing"), ("changed", "damaged")]
    with pytest.raises(HarnessError, match=r"changed: damaged, .*; make it again"):
        verify(tmp_path, digests, "make it again")


def test_a_folder_that_another_host_has_open_is_replaced(tmp_path, monkeypatch):
    """On NFS it cannot be removed then: it goes aside."""
    (tmp_path / "weights").mkdir()
    monkeypatch.setattr("shutil.rmtree", lambda path, ignore_errors=False: None if ignore_errors else 1 / 0)
    with atomic(tmp_path / "weights") as partial:
        partial.mkdir()
        (partial / "new").touch()
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["new"]
