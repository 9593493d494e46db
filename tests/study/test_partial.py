"""A study of which some methods are left out, since they have no results."""

import json
from pathlib import Path

import pytest

from tests.commands import ROOT
from uadbench.report.study import Study
from uadbench.study.checks import experiment
from uadbench.study.config_files import read

R = Path("results/demo")


@pytest.fixture(scope="module")
def default() -> dict:
    return read(ROOT / "config.yaml")


def test_what_is_made_of_results_is_apart_and_all_else_in_its_place(default):
    whole, some = experiment(default), experiment(default | {"without": ["dae"]})
    assert some.methods == [method for method in whole.methods if method != "dae"]
    assert some.missing == ["DAE"]
    assert {run.method for run in some.runs} == {*some.methods}
    for name in ("results", "comparisons", "synthesis", "histories", "paper", "report"):
        path = getattr(whole.folder, name)
        assert getattr(some.folder, name) == R / "partial" / path.relative_to(R)
    assert some.folder.run("disyre", "t1", 1) == whole.folder.run("disyre", "t1", 1)
    assert some.folder.scores("disyre", "ATLAS", 1) == whole.folder.scores("disyre", "ATLAS", 1)
    assert some.folder.data == whole.folder.data


def test_a_variant_is_scored_with_the_run_of_a_baseline_that_is_left_out(default):
    config = default | {"variants": {"disyre-late": {"step_size": 25}}, "methods": ["disyre", "disyre-late"]}
    some = experiment(config | {"without": ["disyre"]})
    assert some.methods == ["disyre-late"]
    assert {run.method for run in some.runs} == {"disyre"}


def test_tables_and_figures_that_only_missing_methods_fill_are_left_out(default):
    """Also where the config asks for them: the others are not kept waiting."""
    config = default | {"paper": {"figures": ["figure2", "froc"]}, "methods": ["disyre", "dae"]}
    assert experiment(config).figures == ["figure2", "froc"]
    assert experiment(config | {"without": ["disyre"]}).figures == ["froc"]


def test_the_report_reads_what_is_apart_and_links_to_the_pages_of_the_data(default, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (page := R / "data/atlas/quality/quality.html").parent.mkdir(parents=True)
    page.touch()
    some = experiment(default | {"without": ["dae"]})
    study = Study.of(R, json.loads(some.config.deciding))
    assert study.folder.report == R / "partial" / "report.html"
    assert study.folder.results == some.folder.results
    assert study.page("atlas") == "../data/atlas/quality/quality.html"
