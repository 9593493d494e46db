"""No command replaces one of its inputs by an output, however the two are spelled or linked."""

import itertools
import os
import re
from pathlib import Path

import click
import pytest

from tests.commands import call, fails
from uadbench.cli import COMMANDS
from uadbench.commands._shared import Place
from uadbench.core import inputs
from uadbench.core.errors import HarnessError

OUTPUTS_ALONE = {"download", "simulate"}
FILES = [
    *((name, "--out") for name in ("claims", "evaluate", "histories", "index", "report", "summarize", "synthesis")),
    *(("download", "--record"), ("evaluate", "--subjects"), ("preprocess", "--report")),
]


def pairs() -> list[tuple[str, str, str]]:
    """Every command with its name for an input and an output."""
    found = []
    for name in COMMANDS.names():
        places = [param for param in COMMANDS.load(name).command.params if isinstance(param.type, Place)]
        given, made = ([p for p in places if p.type.output == output] for output in (False, True))
        found += [(name, one.opts[0], other.opts[0]) for one, other in itertools.product(given, made)]
    return found


@pytest.mark.parametrize(("command", "given", "made"), pairs())
def test_no_command_writes_to_its_input(command, given, made, tmp_path):
    path = tmp_path / "one"
    if (command, made) in FILES and command != "report":
        path.touch()
    else:
        (path / "logs").mkdir(parents=True)  # of an experiment, which some commands ask for
    lost = "is a folder" if command == "report" else "is .* itself, which would be lost; name another place"
    words = [given] * given.startswith("-") + [str(path), made, str(tmp_path / "." / "one")]
    with pytest.raises(HarnessError, match=f"{made} .*: {lost}"):
        COMMANDS.load(command).command.make_context(command, words)


def test_the_folder_of_a_record_is_an_input(tmp_path):
    (tmp_path / "run.json").touch()
    with pytest.raises(HarnessError, match=r"--out .*: is FOLDER itself"):
        COMMANDS.load("share").command.make_context("share", [f"{tmp_path}/run.json", "--out", str(tmp_path)])


def test_every_path_that_a_command_writes_is_an_output():
    for name in set(COMMANDS.names()) - OUTPUTS_ALONE:
        for param in COMMANDS.load(name).command.params:
            if isinstance(param.type, click.Path):
                assert isinstance(param.type, Place), (name, param.name)
                assert param.type.output == (param.name in ("out", "report", "save", "subjects")), (name, param.name)


@pytest.mark.parametrize("how", ["symlink", "hard link", "linked folder", "spelling"])
def test_links_and_spellings_lead_to_the_same_file(tmp_path, how):
    folder = tmp_path / "a"
    folder.mkdir()
    scan = folder / "scan.nii.gz"
    scan.write_bytes(b"scan")
    other = folder / "other.nii.gz"
    if how == "symlink":
        other.symlink_to(scan)
    elif how == "hard link":
        os.link(scan, other)
    elif how == "linked folder":
        (tmp_path / "b").symlink_to(folder)
        other = tmp_path / "b" / "scan.nii.gz"
    else:
        other = tmp_path / "a" / ".." / "a" / "scan.nii.gz"
    for one, two in ((scan, other), (other, scan)):
        with pytest.raises(HarnessError, match="is --image itself"):
            inputs.keep([("--image", one)], [("--out", two)])
    inputs.keep([("--image", scan)], [("--out", folder / "new.nii.gz")])


def test_files_of_an_input_folder_are_kept_and_earlier_results_in_it_replaced(tmp_path):
    for name in ("s0.nii.gz", "S1.NII", "t1.npy", "history.csv", "result.json"):
        (tmp_path / name).touch()
        if name == "result.json":
            inputs.keep([("--maps", tmp_path)], [("--out", tmp_path / name)])
        else:
            with pytest.raises(HarnessError, match=f"{name}: is a file of --maps"):
                inputs.keep([("--maps", tmp_path)], [("--out", tmp_path / name)])


def test_two_outputs_are_two_files(tmp_path):
    line = fails("evaluate", "--maps", tmp_path, "--labels", tmp_path, "--out", "r", "--subjects", "./r")
    assert line == "--subjects r: is --out itself, which would be lost; name another place"


def test_a_folder_of_scans_is_not_replaced_by_the_registered_subject(tmp_path):
    (tmp_path / "anna").mkdir()
    scan = tmp_path / "anna" / "t1.nii"
    scan.write_bytes(b"a scan")
    (tmp_path / "own.csv").write_text("subject,t1\nanna,anna/t1.nii\n")
    call("index", "--dataset", "x", "--layout", "sheet", "--root", tmp_path / "own.csv", "--out", tmp_path / "s.csv")
    options = ["--sheet", tmp_path / "s.csv", "--out", tmp_path, "--report", tmp_path / "r.csv"]
    assert "anna: holds t1.nii, an input that would be lost" in fails("preprocess", *options)
    assert Path(scan).read_bytes() == b"a scan"


def outputs() -> list[tuple[str, str]]:
    """Every command with an option for an output."""
    return [
        (name, param.opts[0])
        for name in COMMANDS.names()
        for param in COMMANDS.load(name).command.params
        if isinstance(param.type, Place) and param.type.output
    ]


@pytest.mark.parametrize(("command", "made"), outputs())
def test_an_output_below_a_file_is_refused_before_anything_is_computed(command, made, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HarnessError, match=f"{made} .*: {tmp_path}/file is a file, no folder; name another place"):
        COMMANDS.load(command).command.make_context(command, [made, str(tmp_path / "file" / "a" / "b")])


def test_a_folder_in_place_of_a_file_is_refused_before_anything_is_computed(tmp_path):
    for name, made in FILES:
        said = f"{made} {tmp_path}: is a folder; name a file in it"
        with pytest.raises(HarnessError, match=re.escape(said)):
            COMMANDS.load(name).command.make_context(name, [made, str(tmp_path)])


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="whoever may write everywhere meets no such folder")
def test_an_output_in_a_folder_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(HarnessError, match="may not be written"):
        inputs.possible("--out", tmp_path / "a")
