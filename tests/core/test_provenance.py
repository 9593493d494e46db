"""Provenance: the commit of a checkout, and the patch of its changed code."""

import os
import subprocess
from pathlib import Path

from uadbench.core import provenance


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def committed(project: Path) -> str:
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "one")
    return git(project, "rev-parse", "HEAD")


def test_commit_and_changes_are_those_of_the_checkout(tmp_path):
    nothing = {"commit": None, "modified": None}
    assert provenance.commit(tmp_path) == nothing
    project = tmp_path / "project"
    put(project / "uadbench" / "a.py", b"1\n")
    head = committed(project)
    assert provenance.commit(project) == {"commit": head, "modified": False}
    (project / "results.txt").write_text("no code")
    assert provenance.commit(project)["modified"] is False
    put(project / "baselines" / "mine.py", b"2\n")  # new, not yet added
    assert provenance.commit(project) == {"commit": head, "modified": True}
    put(project / "site-packages" / "uadbench" / "a.py", b"1\n")
    git(project, "add", ".")
    assert provenance.commit(project / "site-packages") == nothing  # a package in another project's repository


def test_the_patch_of_changed_code_applies_to_its_commit(tmp_path, monkeypatch):
    """Changed, removed and new files, also those that are no text; but for what is no code, and too large."""
    monkeypatch.setattr(provenance, "PATCH_LIMIT", 5000)
    project, other = tmp_path / "project", tmp_path / "other"
    before = {"a.py": b"1\n2\n" * 5, "[a].py": b"caf\xe9 1\n", "gone.py": b"x\n" * 9, "moved.py": b"z\n" * 9}
    for name, content in before.items():
        put(project / "uadbench" / name, content)
    committed(project)
    assert provenance.patch(project) == (b"", 0)
    for key, value in {"diff.noprefix": "true", "color.ui": "always", "diff.context": "0"}.items():
        git(project, "config", key, value)  # settings that a user may have
    after = {
        "a.py": b"1\n2\n" * 2 + b"3\n2\n" + b"1\n2\n" * 2,
        "[a].py": b"caf\xe9 2\n",
        "[new] f\xfcr.py".encode("latin-1"): b"y\n",
        "b.bin": bytes(range(256)),
        "there.py": before["moved.py"],
    }
    git(project, "mv", "uadbench/moved.py", "uadbench/there.py")
    (project / "uadbench" / "gone.py").unlink()
    for name, content in after.items():
        put(project / "uadbench" / os.fsdecode(name), content)
    put(project / "results.csv", b"no code")
    put(project / "envs" / "large.bin", bytes(9000))
    put(project / "envs" / "rest.yaml", b"%d\n" * 1500)  # smaller than the limit, unlike its patch
    patch, left_out = provenance.patch(project)
    assert left_out == 2
    assert patch.startswith(b"left out: envs/large.bin\nleft out: envs/rest.yaml\ndiff --git a/")
    git(project, "clone", "-q", ".", str(other))
    (tmp_path / "code.patch").write_bytes(patch)
    git(other, "apply", str(tmp_path / "code.patch"))
    assert {os.fsencode(path.name): path.read_bytes() for path in (other / "uadbench").iterdir()} == {
        os.fsencode(name): content for name, content in after.items()
    }
    assert {path.name for path in other.iterdir()} == {".git", "uadbench"}


def test_a_folder_whose_name_is_no_text(tmp_path):
    project = tmp_path / os.fsdecode(b"caf\xe9")  # Latin-1, as on old file servers
    put(project / "uadbench" / "a.py", b"1\n")
    head = committed(project)
    assert provenance.commit(project) == {"commit": head, "modified": False}


def test_without_git_there_is_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.commit() == {"commit": None, "modified": None}
    assert provenance.environment()["packages"]["torch"]
