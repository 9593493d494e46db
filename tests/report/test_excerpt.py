"""An excerpt of a study: small, and enough for its report."""

import re
from pathlib import Path

from tests.commands import call, fails
from tests.report.test_examples import THRESHOLDS, keep
from uadbench.report import page
from uadbench.report.excerpt import CONFIG
from uadbench.report.study import Study


def written(study: Study, path: Path) -> str:
    """The report, without the time at which it was written."""
    page.write(study, path)
    return re.sub(r"(?<=\nat )\S+ UTC", "", path.read_text(encoding="utf-8"))


def test_the_report_of_an_excerpt_is_that_of_the_study(study, tmp_path_factory):
    """It has the tables, too, but neither weights nor the runs of methods that were dropped."""
    out = tmp_path_factory.mktemp("excerpt") / "demo"
    for method in THRESHOLDS:
        keep(study.path, method)
    run = study.path / "training" / "dae" / "t1" / "seed-2"
    for path in (study.path / "paper" / "table2.md", run / "weights" / "net.safetensors"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    (study.path / "config.json").write_text(study.plan.config.deciding)
    command = ("excerpt", study.path, "--config", study.path / "config.json", "--out", out)
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
