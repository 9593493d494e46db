"""An excerpt of a study: small, and enough for its report."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.commands import call, fails
from tests.report.test_examples import THRESHOLDS, keep
from uadbench.core.study_folder import CONFIG
from uadbench.report import page
from uadbench.report.study import Study


def written(study: Study, path: Path) -> str:
    """The report, without the time at which it was written."""
    page.write(study, path)
    return re.sub(r"(?<=\nat )\S+ UTC", "", path.read_text(encoding="utf-8"))


def excerpt(study: Study, out: Path) -> tuple[object, ...]:
    """The command line."""
    return "excerpt", study.path, "--config", study.plan.config.deciding, "--out", out


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_report_of_an_excerpt_is_that_of_the_study(study, tmp_path_factory):
    """It has the tables, too, but neither weights nor the runs of methods that were dropped."""
    out = tmp_path_factory.mktemp("excerpt") / "demo"
    for method in THRESHOLDS:
        keep(study.path, method)
    run = study.path / "training" / "dae" / "t1" / "seed-2"
    for path in (study.path / "paper" / "table2.md", run / "weights" / "net.safetensors"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    command = excerpt(study, out)
    call(*command)
    names = {path.name for path in out.rglob("*")}
    assert {"table2.md", "volumes.npz"} <= names
    assert not names & {"weights", "vae", "quality.html"}

    link = '<a href="data/atlas/quality/quality.html">page</a>'
    ours = written(study, study.path / "report.html")
    assert ours.count(link) == 1
    assert written(Study.given(out, str(out / CONFIG)), out / "report.html") == ours.replace(link, "–")

    (run / "run.json").unlink()
    assert "dae/t1/seed-2/run.json: no such file; run the study again" in fails(*command)


def test_what_a_study_shares_goes_into_its_excerpt_and_nothing_elsewhere(study, tmp_path_factory):
    results = study.path / "results"
    for part, owner in (("data", "one"), ("training", "two"), ("evaluation", "mine"), ("paper", "mine")):
        (results / owner).mkdir(parents=True, exist_ok=True)
        (study.path / part).rename(results / owner / part)
    (results / "mine" / "training").mkdir()
    (results / "two" / "training" / "histories.csv").rename(results / "mine" / "training" / "histories.csv")
    sharing = Study.of(results / "mine", json.loads(study.plan.config.deciding) | {"data": "one", "runs": "two"})
    around = tmp_path_factory.mktemp("around")
    index = around / "one" / "data" / "atlas" / "packed" / "index.json"
    index.parent.mkdir(parents=True)
    index.write_text("of a finished study")
    out = around / "copy"
    call(*excerpt(sharing, out))
    assert {path.name for path in around.iterdir()} == {"one", "copy"}
    assert index.read_text() == "of a finished study"
    copy = Study.given(out, str(out / CONFIG))
    assert (copy.plan.config.data, copy.plan.config.runs) == ("one", "two")
    assert "sub-9" in written(copy, around / "copy.html")

    shutil.rmtree(out / "data")
    (out / "data").symlink_to(around / "one" / "data")
    assert "leads out of it, by a link" in fails(*excerpt(sharing, out))
    assert index.read_text() == "of a finished study"


@pytest.mark.parametrize(
    ("out", "wrong"),
    [
        ("..", "is in .* of the study, or holds it; name a folder apart"),
        ("evaluation/copy", "is in .* of the study, or holds it; name a folder apart"),
        ("../other", "holds files, and is no excerpt of the experiment demo"),
        ("../former", "holds files, and is no excerpt of the experiment demo"),
        ("../other/README.md", "is a file; name a folder"),
    ],
)
def test_an_excerpt_replaces_nothing_but_a_former_one(study, out, wrong, tmp_path_factory):
    folder = tmp_path_factory.mktemp("folder")
    study = Study(study.path.rename(folder / "demo"), study.plan)
    for name, text in (("other/README.md", "mine"), ("former/config.json", '{"experiment": "else"}')):
        (folder / name).parent.mkdir()
        (folder / name).write_text(text)
    before = everything(folder)
    assert re.search(wrong, fails(*excerpt(study, study.path / out)))
    assert everything(folder) == before


def test_an_excerpt_is_made_again_beside_what_was_added_to_it(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("excerpt")
    call(*excerpt(study, out))
    (out / "README.md").write_text("mine")
    call(*excerpt(study, out))
    assert (out / "README.md").read_text() == "mine"


def test_the_config_of_another_study_makes_no_excerpt(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("excerpt") / "demo"
    other = json.loads(study.plan.config.deciding)
    other["params"]["dae"]["batch"] += 1
    assert "trained with batch" in fails("excerpt", study.path, "--config", json.dumps(other), "--out", out)
    assert not out.exists()


@pytest.mark.parametrize("command", ["check", "check --remove", "status"])
def test_an_excerpt_is_not_checked_as_a_study(command, study, tmp_path_factory):
    out = tmp_path_factory.mktemp("excerpt") / "demo"
    call(*excerpt(study, out))
    before = everything(out)
    assert "is an excerpt, a few files of a study" in fails(*command.split(), out)
    assert everything(out) == before
