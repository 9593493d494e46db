"""The open studies whole, from a download to Table 2: a few simulated heads under the names of the real scans."""

import functools
import os
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests import open_sets
from tests.commands import ROOT, call, snakemake
from tests.data.conftest import touch
from uadbench.study.checks import experiment as checked
from uadbench.study.config_files import read

SMALL = {
    "preprocessing": {"spacing": 8.0, "normalisation": "p99_5_brain"},
    "datasets": {"dlbs": {"validation": 2}},
    "chunks": 1,
    "max_lost": 0.4,
    "seeds": [1],
    "evaluation": {"resamples": 20, "examples": 1},
    "paper": {"tables": ["table2"], "figures": []},
    "threads": {"training": 1, "evaluation": 1},
    "params": {
        "disyre": {
            **{"steps": 20, "batch": 4, "patch": 32, "widths": [8, 16], "groups": 4, "layers": 1, "attention_from": 9},
            **{"residual": True, "times": [50, 100], "curve_times": [], "step_size": 50, "step_sizes": [50]},
        },
        "mood22": {"steps": 20, "batch": 4, "patch": 32, "widths": [8, 16], "groups": 4, "layers": 1},
        "dae": {"steps": 20, "period": 20, "batch": 4, "patch": 32, "widths": [8, 16], "cells": 8},
    },
}
METHODS = {"disyre", "mood22", "dae", "intensity", "random"}


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing: the tests' own output stays readable."""


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Iterator[dict[str, str]]:
    """Environment with a server of the sets, and with the tables of their files."""
    top = tmp_path_factory.mktemp("published")
    for name in open_sets.SUBJECTS:
        open_sets.publish(name, top / "mirror", top / "tables")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(top / "mirror")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    mirror = f"http://127.0.0.1:{server.server_port}"
    yield {"UADBENCH_OPEN_TABLES": str(top / "tables"), "UADBENCH_MIRROR": mirror}
    server.shutdown()


def run(folder: Path, environment: dict[str, str], config: str, *options: object) -> tuple[int, str]:
    """Exit status and text of the workflow with a config of the repository at small size, in a folder."""
    (folder / "small.yaml").write_text(yaml.safe_dump(SMALL))
    files = ["--configfile", *(ROOT / "config" / name for name in config.split()), folder / "small.yaml"]
    words = ("-s", ROOT / "Snakefile", "--directory", folder, "--cores", 2, *options, *files)
    done = snakemake(*words, cwd=folder, env=os.environ | environment | {"PYTHONPATH": str(ROOT)})
    return done.returncode, done.stdout + done.stderr


def results(folder: Path, experiment: str) -> dict[str, int]:
    """Evaluated subjects by task, after a look at Table 2 and at the scores of every method."""
    made = folder / "results" / experiment
    rows = pd.read_csv(made / "evaluation" / "results.csv").query("score == 'final' and metric == 'ap'")
    assert set(rows.method) == METHODS
    assert rows.value.between(0, 1).all()
    assert not (rows.trained_on_simulated | rows.tested_on_simulated).any()
    table = (made / "paper" / "table2.md").read_text(encoding="utf-8")
    assert all(task in table for task in set(rows.task))
    return dict(rows.groupby("task").subjects.first())


T2 = "open.yaml overlays/open-t2.yaml"


@pytest.fixture
def trees(tmp_path) -> dict[str, str]:
    """Environment with tables of the open sets, whose files lie empty in `data/open`, and a few names of IXI."""
    for name in open_sets.SUBJECTS:
        open_sets.publish(name, tmp_path / "data" / "open", tmp_path / "tables", scans=False)
    touch(tmp_path / "ixi", *(f"IXI00{n}-Guys-0828-{kind}.nii.gz" for n in range(4) for kind in ("T1", "T2")))
    return {"UADBENCH_OPEN_TABLES": str(tmp_path / "tables"), "IXI": str(tmp_path / "ixi")}


def test_the_overlay_is_sound(trees, tmp_path, monkeypatch):
    for name, value in trees.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    study = checked(read(*(ROOT / "config" / name for name in T2.split())))
    assert "t2" in study.modalities
    assert "table2" in study.tables


@pytest.mark.parametrize("config", ["open.yaml", "open-small.yaml", pytest.param(T2, marks=pytest.mark.slow)])
def test_the_open_studies_resolve(trees, tmp_path, config):
    """Also without data where the study fetches them; elsewhere one line says how."""
    code, said = run(tmp_path, trees, config, "-n", "--quiet", "rules")
    assert (code, "table2" in said) == (0, True), said[-3000:]
    shutil.rmtree(tmp_path / "data")
    code, said = run(tmp_path, trees, config, "-n", "--quiet", "rules")
    if config == "open-small.yaml":
        assert (code, "fetch" in said) == (0, True), said[-3000:]
    else:
        assert code
        assert "uadbench download ds004" in said


@pytest.mark.slow
def test_the_open_study_from_a_download_to_table_2(published, tmp_path, monkeypatch):
    for name, value in published.items():
        monkeypatch.setenv(name, value)
    call("download", *open_sets.SUBJECTS, "--to", tmp_path / "data" / "open")
    code, said = run(tmp_path, published, "open.yaml")
    assert code == 0, said[-8000:]
    tasks = {"ARC-T1": 3, "ARC-FLAIR": 3, "BTC-T1": 2, "BTC-meningiomas-T1": 1, "Bonn-FLAIR": 2}
    assert results(tmp_path, "open") == tasks


@pytest.mark.slow
def test_the_small_open_study_fetches_what_it_needs(published, tmp_path):
    code, said = run(tmp_path, published, "open-small.yaml")
    assert code == 0, said[-8000:]
    assert results(tmp_path, "open-small") == {"ARC-T1": 3, "ARC-FLAIR": 3}
    code, said = run(tmp_path, published, "open-small.yaml")
    assert (code, "Nothing to be done" in said) == (0, True), said[-3000:]
