"""The status of a made-up experiment: stages, trainings in every state, failures, and when they end."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.commands import ROOT, call, fails
from uadbench.core.files import write_json
from uadbench.status import logs, text
from uadbench.training.progress import Progress

CONFIG = {
    "experiment": "mine",
    "simulate": {"seed": 1, "spacing": 6.0, "subjects": {"camcan": 6, "atlas": 2}},
    "datasets": {"camcan": {"layout": "camcan", "validation": 2}, "atlas": {"layout": "atlas"}},
    "train": "camcan",
    "tasks": [{"name": "ATLAS", "dataset": "atlas", "modality": "t1"}],
    "methods": ["dae", "mood22"],
    "seeds": [1, 2, 3],
    "paper": {"tables": ["table2"], "figures": ["figure2"]},
}
LINE = "results/mine/training/dae/t1/seed-2: step 100 of 400, loss 0.0125, validation 0.25, 2.0 steps/s, 150 s left\n"


def write(path: Path, content: str, age: float = 0.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (time.time() - age,) * 2)


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """One of two data sets packed; DAE: one finished, one running, one stopped; MOOD22: one failed, two not begun."""
    monkeypatch.chdir(tmp_path)
    folder = Path("results/mine")
    write(Path("config.yaml"), yaml.safe_dump(CONFIG))
    write(folder / "data/camcan/subjects.csv", "subject\n" + "x\n" * 6)
    write(folder / "data/camcan/packed/index.json", "{}")
    write(folder / "data/atlas/subjects.csv", "subject\na\nb\n")
    write(folder / "data/atlas/registered/a/subject.json", "{}")
    write_json(folder / "training/dae/t1/seed-1/run.json", {"seconds": 200.0, "final": {"loss": 0.01}})
    write(folder / "logs/train/dae-t1-seed-1.log", LINE, 600)
    write(folder / "logs/train/dae-t1-seed-2.log", "a warning\n" + LINE, 30)
    write(folder / "logs/train/dae-t1-seed-3.log", LINE.replace("step 100", "step 60"), 9000)
    write(folder / "logs/train/mood22-t1-seed-1.log", LINE + "error: disyre: the loss became nan; lower it\n", 60)
    write(folder / "logs/pack/atlas.log", 'Traceback (most recent call last):\n  File "x"\nValueError: bad\n', 90)
    write(folder / "evaluation/dae/ATLAS/seed-1/findings.npz", "")
    write(folder / "paper/table2.md", "")
    return folder


def run(*options: str) -> str:
    return call("status", *options).output


def test_everything_is_counted_against_the_plan(study):
    (status,) = json.loads(run("--json"))
    assert status["configs"] == ["config.yaml"]
    assert {stage["name"]: (stage["done"], stage["planned"]) for stage in status["stages"]} == {
        "subjects preprocessed": (7, 8),
        "data sets packed": (1, 2),
        "trainings finished": (1, 6),
        "test sets scored": (1, 6),
        "tables and figures": (1, 2),
    }
    states = {(t["method"], t["seed"]): t["state"] for t in status["trainings"]}
    assert states == {
        **{("dae", 1): "finished", ("dae", 2): "running", ("dae", 3): "stopped"},
        ("mood22", 1): "failed",
    }
    assert (status["not_begun"], status["not_planned"]) == (2, 0)
    running = next(t for t in status["trainings"] if t["state"] == "running")
    assert (running["step"], running["steps"], running["loss"], running["validation"]) == (100, 400, 0.0125, 0.25)
    assert running["seconds_left"] == pytest.approx(120, abs=3)  # the line is 30 s old
    assert [(f["job"], f["error"]) for f in status["failures"]] == [
        ("pack atlas", "ValueError: bad"),
        ("train mood22-t1-seed-1", "disyre: the loss became nan; lower it"),
    ]
    # 120 s of the running one, then 200 s of the stopped one: every training of DAE that is timed takes 200 s. MOOD22's
    # failed training has shown 400 steps at 2 a second, so its three take as long each.
    assert status["seconds_left"] == pytest.approx(120 + 200 + 3 * 200, abs=3)
    assert status["unknown"] == []


def test_a_method_that_was_never_timed_is_named(study):
    (study / "logs/train/mood22-t1-seed-1.log").unlink()
    output = run()
    assert "The trainings end in at least 5 min if 1 run at once as now." in output
    assert "Not counted, since none has been timed yet: mood22." in output


def test_the_text_fits_and_says_it_all(study):
    output = run("results/mine")
    assert max(map(len, output.splitlines())) <= 100
    for line in (
        r"results/mine: planned by config.yaml, last change \d s ago",
        r"  trainings finished    ██░{14} +1 of 6 +1 running, 1 stopped, 1 failed, 2 not begun",
        r"  dae t1 seed-2 +100 of 400 +0\.0125 +0\.25 +.*    3\d s ago",
        r"  dae t1 seed-3 +60 of 400 +0\.0125 +0\.25 +stopped +2 h 30 min ago",
        r"  failed 6\d s ago: train mood22-t1-seed-1",
        r"    results/mine/logs/train/mood22-t1-seed-1\.log",
    ):
        assert re.search(f"^{line}$", output, re.MULTILINE), f"{line}\n{output}"
    write(study / "logs/pack/atlas.log", "error: " + "long " * 60)
    assert max(map(len, run().splitlines())) == 100


def test_without_a_config_what_is_there_is_counted(study):
    Path("config.yaml").unlink()
    (status,) = json.loads(run("--json"))
    assert (status["configs"], status["not_begun"], status["seconds_left"]) == ([], None, None)
    assert {stage["name"]: stage["planned"] for stage in status["stages"]}["trainings finished"] is None
    assert "no config known, see --configfile" in run()


@pytest.mark.parametrize("planned", [True, False])
def test_methods_with_nothing_to_train_have_no_trainings(study, planned):
    write_json(study / "training/random/t1/seed-1/run.json", {"seconds": 0.0, "final": None})
    write(study / "logs/train/intensity-t1-seed-1.log", "")  # of a record under way
    write(Path("config.yaml"), yaml.safe_dump(CONFIG | {"methods": [*CONFIG["methods"], "intensity"]}))
    if not planned:
        Path("config.yaml").unlink()
    (status,) = json.loads(run("--json"))
    stage = next(stage for stage in status["stages"] if stage["name"] == "trainings finished")
    assert (stage["done"], stage["planned"]) == (1, 6 if planned else None)
    assert {t["method"] for t in status["trainings"]} == {"dae", "mood22"} | (set() if planned else {"intensity"})
    assert status["not_planned"] == 0


def test_named_configs_are_laid_over_each_other(study):
    write(Path("seeds.yaml"), "seeds: [1]")
    (status,) = json.loads(run("--json", "--configfile", "seeds.yaml"))
    assert status["configs"] == ["config.yaml", "seeds.yaml"]
    assert (status["stages"][2]["planned"], status["not_planned"]) == (2, 2)
    assert "2 trainings are not in that plan" in run("--configfile", "seeds.yaml")
    Path("results/other/logs").mkdir(parents=True)
    assert "names the experiment mine, not results/other" in fails(
        "status", "results/other", "--configfile", "config.yaml"
    )


def test_nothing_to_show_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "no experiment yet" in fails("status")
    assert "no such folder" in fails("status", "results/none")


def test_lines_of_a_training_are_understood(monkeypatch, capsys):
    """The very class that trainings report with, before and after the first row of the history, and resumed."""
    monkeypatch.setattr("uadbench.training.progress.QUIET_SECONDS", -1.0)
    progress = Progress("results/mine/training/dae/t1/seed-1", 4, 1)
    progress.advance()
    progress.loss({"loss": 0.5, "validation": None})
    progress.advance()
    progress.loss({"loss": 1.5e-7, "validation": 0.25})
    progress.advance()
    found = [logs.STEP.search(line).groupdict() for line in capsys.readouterr().err.splitlines()]
    assert [(f["step"], f["steps"], f["loss"], f["validation"]) for f in found] == [
        *(("1", "4", None, None), ("2", "4", None, None), ("3", "4", "0.5", None)),
        ("4", "4", "1.5e-07", "0.25"),
    ]
    assert found[0]["left"] is None
    assert found[-1]["left"] == "0"


@pytest.mark.parametrize(
    ("seconds", "said"), [(45, "45 s"), (720, "12 min"), (12000, "3 h 20 min"), (187200, "2 d 4 h")]
)
def test_durations(seconds, said):
    assert text.duration(seconds) == said


def test_it_imports_no_torch(study):
    code = "import sys; from uadbench.cli import uadbench; uadbench(['status'], standalone_mode=False); "
    command = [sys.executable, "-c", code + "assert 'torch' not in sys.modules"]
    said = subprocess.check_output(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True)
    assert "trainings finished" in said
