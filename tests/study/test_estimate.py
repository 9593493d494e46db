"""Estimate of a study before it runs: numbers of jobs and subjects, and sums that are computed by hand here."""

import pytest

from tests.commands import ROOT, call
from uadbench.data.download import tables
from uadbench.study import estimate
from uadbench.study.config import Config
from uadbench.study.config_files import read
from uadbench.study.experiment import Experiment


def study(*names: str) -> Experiment:
    return Experiment(Config.of(read(*(ROOT / name for name in names))))


def test_an_estimate_counts_jobs_and_subjects():
    about = study("config/open.yaml")
    numbers = {"dlbs": 464, "arc": 228, "gliomas": 36, "meningiomas": 36, "bonn": 170}
    assert {name: estimate.subjects(about, name) for name in about.datasets} == numbers
    assert estimate.subjects(about, "dlbs", "t2") == 0
    rows = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in estimate.table(about)
    }
    size = sum(
        file.bytes for name in ("ds001226", "ds004199", "ds004856", "ds004884") for file in tables.load(name).files
    )
    assert rows["download"] == ["4", "", "", f"{size / 1e9:.1f}"]
    # 2 modalities x 4 seeds of 100,000 steps of 96 images: 1.1 s on a core, 2.5 ms on a slow card
    hours = [f"{8 * 100_000 * 96 * seconds / 3600:.1f}" for seconds in (1.1, 0.0025)]
    assert rows["train disyre"] == ["8", *hours, ""]
    assert rows["score dae"][0] == "20"
    assert not {"train intensity", "score random"} & {*rows}
    assert estimate.subjects(study("config/open-small.yaml"), "arc") == 30


@pytest.mark.parametrize("config", ["config.yaml", "config/open-small.yaml"])
def test_cost_of_a_config_says_that_it_is_estimated(config):
    assert "Estimated from the budgets of jobs" in call("cost", ROOT / config).output
