"""Run of a method that has nothing to train: the record of a training that makes no step."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import call, fails
from tests.trainings import CPU
from uadbench.methods.settings import resolve
from uadbench.training import run
from uadbench.training.job import train_run
from uadbench.training.record import Complete, record

TIMED = {"device", "precision", "seconds", "environment"}


def written(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path.name != "run.json"}


@pytest.mark.parametrize("method", ["intensity", "random"])
def test_its_run_is_that_of_the_training(tiny_cohort, tmp_path, method):
    train_run(resolve(method, "t1"), 3, tiny_cohort, tmp_path / "trained", CPU)
    options = ["--method", method, "--modality", "t1", "--seed", 3, "--data", tiny_cohort]
    call("train", *options, "--out", tmp_path / "recorded")
    trained, recorded = (record(tmp_path / name, kind=Complete) for name in ("trained", "recorded"))
    assert trained.keys() == recorded.keys()
    assert {key for key in trained if trained[key] != recorded[key]} <= TIMED
    assert trained["environment"].keys() == recorded["environment"].keys()
    assert recorded["device"] == recorded["precision"] == "none"
    assert written(tmp_path / "recorded") == written(tmp_path / "trained")
    assert run.load(tmp_path / "recorded")[1]["seed"] == 3


def test_it_imports_no_torch(tiny_cohort, tmp_path):
    code = (
        "import sys; from pathlib import Path; from uadbench.methods.settings import resolve;"
        "from uadbench.training.untrained import write_run;"
        f"write_run(resolve('random', 't1'), 1, Path({str(tiny_cohort)!r}), Path('out'));"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((tmp_path / "out" / "run.json").read_text())["weights"] == {}


def test_a_cohort_without_the_modality_is_named(tiny_cohort, tmp_path):
    options = ["--modality", "flair", "--seed", 1, "--data", tiny_cohort, "--out", tmp_path]
    assert "flair" in fails("train", "--method", "random", *options)
    assert not (tmp_path / "run.json").exists()
