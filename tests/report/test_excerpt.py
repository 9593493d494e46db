"""An excerpt of a study: small, and enough for its report."""

import re
from pathlib import Path

import pytest

from tests.commands import call, fails
from tests.report.test_examples import THRESHOLDS, keep
from uadbench.report import page
from uadbench.report.excerpt import CONFIG
from uadbench.report.study import Study


@pytest.fixture
def whole(study) -> Study:
    for method in THRESHOLDS:
        keep(study.path, method)
    (study.path / "paper" / "table2.md").write_text("| method |\n")
    (study.path / "training" / "dae" / "t1" / "seed-1" / "weights").mkdir()
    (study.path / "training" / "dae" / "t1" / "seed-1" / "weights" / "net.safetensors").write_bytes(b"0")
    (study.path / "config.json").write_text(study.plan.config.deciding)
    return study


@pytest.fixture
def copied(whole, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("excerpt") / "demo"
    call("excerpt", whole.path, "--config", whole.path / "config.json", "--out", out)
    return out


def written(study: Study, path: Path) -> str:
    """The report, without the time at which it was written."""
    page.write(study, path)
    return re.sub(r"(?<=\nat )\S+ UTC", "", path.read_text(encoding="utf-8"))


def test_the_report_of_an_excerpt_is_that_of_the_study(whole, copied, tmp_path):
    link = '<a href="data/atlas/quality/quality.html">page</a>'
    ours = written(whole, tmp_path / "report.html")
    again = written(Study.given(copied, str(copied / CONFIG)), tmp_path / "again.html")
    assert ours.count(link) == 1
    assert again == ours.replace(link, "–")


def test_an_excerpt_has_the_tables_but_neither_weights_nor_dropped_methods(copied):
    assert (copied / "paper" / "table2.md").is_file()
    names = {path.name for path in copied.rglob("*")}
    assert "volumes.npz" in names
    assert not names & {"weights", "vae", "quality.html"}


def test_a_study_that_is_not_finished_has_no_excerpt(whole, tmp_path):
    (whole.path / "training" / "dae" / "t1" / "seed-2" / "run.json").unlink()
    said = fails("excerpt", whole.path, "--config", whole.path / "config.json", "--out", tmp_path / "out")
    assert "dae/t1/seed-2/run.json: no such file; run the study again" in said
