"""Estimate of a study before it runs: numbers of subjects, and sizes that are computed by hand here."""

import pytest

from tests.commands import ROOT
from uadbench.data.download import tables
from uadbench.study import estimate
from uadbench.study.config import Config
from uadbench.study.config_files import read
from uadbench.study.experiment import Experiment


def test_an_estimate_counts_subjects_and_bytes():
    about = Experiment(Config.of(read(ROOT / "config/open.yaml")))
    numbers = {"dlbs": 464, "arc": 228, "gliomas": 36, "meningiomas": 36, "bonn": 170}
    assert {name: estimate.subjects(about, name) for name in about.datasets} == numbers
    assert estimate.subjects(about, "dlbs", "t2") == 0
    size = sum(file.bytes for file in tables.load("ds004856").files)
    assert estimate.download(about, "dlbs") == pytest.approx(size / 1e9)
    small = Experiment(Config.of(read(ROOT / "config/open-small.yaml")))
    assert estimate.subjects(small, "arc") == 30
