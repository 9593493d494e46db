"""Paths of another kind than a command reads: one line with the path, what is wrong with it, and what to name."""

from pathlib import Path

import click
import pytest

from tests.commands import ROOT, fails
from uadbench.cli import COMMANDS
from uadbench.commands import _shared
from uadbench.core.study_folder import RUN

RESULTS = ROOT / "docs" / "reference" / "demo" / "evaluation" / "results.csv"
WRONG = ["missing", "text.md", "zero", "binary", "empty", "text.md/below"]
LINES = [
    *("status @", "cost @", "check @", "report @ --config config.yaml --out o.html", "trace @", "plan @"),
    *("claims @ --out c.md", "join @ --out j", "tensorboard @", "histories @ --out h.csv", "summarize @ --out s.csv"),
    *(f"table table2 --results {RESULTS} --out t {option} @" for option in ("--histories", "--published")),
    *("table table2 --results @ --out t", "figure froc --results @ --out t", "figure figure1 --synthesis @ --out t"),
    *("index --dataset a --layout sheet --root @ --out i.csv", "index --dataset a --layout ixi --root @ --out i.csv"),
    *("preprocess --sheet @ --out p --report r.csv", "paint --sheet @ --out p"),
    *(f"{name} --dataset a --sheet s --registered r --out p --reports @" for name in ("pack", "quality")),
    *("evaluate --maps @ --labels @", "share @ --out o"),
]


@pytest.fixture
def places(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.md").write_text("# A text\nof lines, of which\nnone is meant\n", encoding="utf-8")
    (tmp_path / "zero").touch()
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "empty").mkdir()
    (tmp_path / "results" / "demo" / "logs").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize("line", LINES)
def test_a_path_of_another_kind_is_named_with_a_remedy(line, places):
    for path in WRONG:
        if (line, path) == ("plan @", "zero"):  # an overlay without keys
            continue
        said = fails(*line.replace("@", path).split())
        assert said.startswith(path), said
        assert "; " in said or "holds no .nii" in said, said
    assert not (places / "missing").exists()


@pytest.mark.parametrize(
    ("name", "wrong"), [("results/dmo", "no such folder"), ("empty", "holds no experiment"), ("zero", "is a file")]
)
@pytest.mark.parametrize("command", ["status", "cost", "check", "report --config c.yaml"])
def test_experiments_that_are_here_are_named(command, name, wrong, places):
    meant = "did you mean results/demo? " if name.startswith("results") else ""
    said = f"{name}: {wrong}; name the folder of an experiment; {meant}there are results/demo"
    assert fails(*command.split(), name) == said


def test_the_record_of_a_run_stands_for_its_folder(tmp_path):
    """In every option and argument that completes runs."""
    record = tmp_path / RUN
    record.touch()
    found = 0
    for name in COMMANDS.names():
        command = COMMANDS.load(name).command
        for param in command.params:
            if param._custom_shell_complete is _shared.runs:
                context = click.Context(command)
                assert [param.type.convert(path, param, context) for path in (record, tmp_path)] == [tmp_path] * 2, name
                found += 1
    assert found == 7


def test_a_method_without_results_is_refused(tmp_path):
    said = fails("table", "table1", "--results", RESULTS, "--method", "disre", "--out", tmp_path)
    assert said.startswith("--method disre: has no results; did you mean disyre?")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("claims zero --out c.md", "zero: the file is empty"),
        ("claims text.md --out c.md", "the columns are # A text;"),  # none that the reader adds to earlier tables
        ("summarize empty --out s.csv", "empty: no such file; score the test set again"),
        ("table table2 --results empty --out t", "empty: is a folder; name a file in it, or write it with"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(line, reason, places):
    assert reason in fails(*line.split())


@pytest.mark.parametrize("folder", [RESULTS.parents[1], RESULTS.parent])
def test_of_a_folder_the_results_in_it_are_named(folder, tmp_path):
    said = fails("table", "table2", "--results", folder, "--out", tmp_path)
    assert said == f"{folder}: is a folder; name {RESULTS} in it"
