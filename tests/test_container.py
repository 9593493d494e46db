"""The Dockerfile: it copies what a study needs, in the versions of the project, for a user without rights."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import ROOT

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
#: (instruction, arguments) with continued lines joined
INSTRUCTIONS = [
    tuple(line.split(maxsplit=1))
    for line in re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE)).splitlines()
    if line.strip()
]
COPIED = [source for name, words in INSTRUCTIONS if name == "COPY" for source in shlex.split(words)[:-1]]


def values(instruction: str) -> list[str]:
    return [words for name, words in INSTRUCTIONS if name == instruction]


def test_every_copied_file_exists_and_is_not_ignored():
    kept = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert sorted(COPIED) == sorted(kept)
    for source in COPIED:
        assert (ROOT / source).exists(), source


def test_versions_are_those_of_the_makefile():
    named = re.search(r"^VERSIONS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
    assert re.fullmatch(r"python:([\d.]+)-slim", *values("FROM"))[1] in named
    makefile = (ROOT / "Makefile").read_text()
    index = re.search(r"--extra-index-url (\S+)", makefile)[1]
    assert f"--extra-index-url {index} " in TEXT
    (allocation,) = re.findall(r"^ALLOCATION := (.*)$", makefile, re.MULTILINE)
    for setting in allocation.split():
        assert setting in TEXT


@pytest.mark.parametrize(
    ("torch", "arguments"),
    [("cuda", ["--requirement", "requirements.lock"]), ("cpu", ["--extra-index-url"]), ("gpu", None)],
)
def test_the_build_argument_chooses_torch(tmp_path, torch, arguments):
    """The command of the Dockerfile itself, with a pip that prints its arguments."""
    (command,) = [words for words in values("RUN") if "$TORCH" in words]
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    pip = tmp_path / "pip"
    pip.write_text('#!/bin/sh\nfor word; do echo "$word"; done\n')
    pip.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    environment = {"PATH": path, "TORCH": torch}
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True)
    if arguments is None:
        assert done.returncode == 1
        assert "there are cuda and cpu" in done.stderr
        return
    words = done.stdout.splitlines()
    assert done.returncode == 0
    assert set(arguments) <= set(words)
    version = re.search(r"^torch==(.+)$", (ROOT / "requirements.lock").read_text(), re.MULTILINE)[1]
    assert (f"torch=={version}+cpu" in words) == (torch == "cpu")


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    """What the image holds, in a folder: the copied files, and the link of Snakemake's notes."""
    folder = tmp_path_factory.mktemp("image") / "opt" / "uadbench"
    folder.mkdir(parents=True)
    for source in COPIED:
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, folder / source)
    (folder / ".snakemake").symlink_to("results/.snakemake")
    (folder / "results").mkdir()
    return folder


def start(image: Path, folder: Path, *words: str) -> subprocess.CompletedProcess:
    """The container's command in a working folder. The package lies where the editable installation points to."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    bare = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    command = [image / "container" / "entrypoint.sh", *words]
    environment = {**bare, "PATH": path, "PYTHONPATH": str(image)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_copied_files_are_enough_for_the_workflow_and_the_package(image, tmp_path):
    done = start(image, tmp_path, "snakemake", "--cores", "2", "--dry-run")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "rule train:" in done.stdout + done.stderr
    assert (image / "results" / ".snakemake").is_dir()
    assert not list(tmp_path.iterdir())
    assert "disyre" in start(image, tmp_path, "sh", "-c", "python -m uadbench list").stdout


def test_a_word_that_is_no_program_is_a_command_of_the_package(image, tmp_path):
    (tmp_path / "uadbench").write_text('#!/bin/sh\necho "uadbench: $*"\n')
    (tmp_path / "uadbench").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for given, expected in (
        (["score", "--run", "a b"], "uadbench: score --run a b"),
        (["uadbench", "list"], "uadbench: list"),
        ([], "uadbench: "),
    ):
        command = [image / "container" / "entrypoint.sh", *given]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.rstrip("\n") == expected
