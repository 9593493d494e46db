"""Times of trainings and scorings from a few steps here; the clock is replaced, sums are made by hand."""

from pathlib import Path

import pytest
import torch
import yaml

from tests.status.test_forecast import rows
from tests.status.test_status import CONFIG
from uadbench.core.errors import HarnessError
from uadbench.core.study_folder import Job
from uadbench.methods.networks import backbones
from uadbench.status import plan, rehearsal
from uadbench.status.rehearsal import Rehearsal

FIRST, LATER, START = 7.0, 2.0, 5.0  # s
SMALL = {
    "dae": {"steps": 300, "batch": 8, "patch": 16, "widths": [4, 4]},
    "vae": {"patch": 32, "width": 2, "bottleneck_channels": 2, "latent": 2},
    "r_vae": {"iterations": 1},
}
CPU = torch.device("cpu")


@pytest.fixture
def calls(tmp_path, monkeypatch) -> list[int]:
    """A study of voxels of 10 mm; every call is made once, and takes FIRST and then LATER seconds; batches by call."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UADBENCH_GPUS", "0")
    study = {**CONFIG, "methods": ["dae", "r_vae", "intensity"], "params": SMALL, "preprocessing": {"spacing": 10.0}}
    study["evaluation"] = {"protocols": ["full", "official"]}
    Path("config.yaml").write_text(yaml.safe_dump(study))
    made: list[int] = []

    def timed(work, device, most):
        made.append(getattr(work, "args", (0, None))[1] and work.args[1].batch)
        work()
        return FIRST, LATER

    monkeypatch.setattr(rehearsal, "_timed", timed)
    return made


def test_a_training_is_its_steps_and_validations(calls):
    study, _ = plan.unchecked()
    seconds = Rehearsal(study, CPU, START).training(Job("dae", "t1", 1))
    steps = 300 * LATER * (1 + 4 / 50 / 3)  # and every 50 steps four batches without gradients
    assert seconds == pytest.approx(START + FIRST - LATER + steps)
    assert calls == [8]


def test_a_batch_above_what_a_cpu_computes_at_once_is_measured_in_part(calls, monkeypatch):
    monkeypatch.setattr(rehearsal, "AT_ONCE", 2 * 16 * 15)  # two patches; slices are 15 voxels wide
    study, _ = plan.unchecked()
    seconds = Rehearsal(study, CPU, START).training(Job("dae", "t1", 1))
    assert seconds == pytest.approx(START + FIRST - LATER + 300 * 4 * LATER * (1 + 4 / 50 / 3))
    assert calls == [2]


def test_a_scoring_is_maps_of_all_slices_and_their_counts_by_protocol(calls):
    study, _ = plan.unchecked()
    each = Rehearsal(study, CPU, START).subject(study.settings("dae", "t1"))
    assert each == pytest.approx((LATER + 2 * LATER) * 16 / 8)  # one map, two protocols; 8 slices of 16


def test_the_plan_rehearses_what_no_job_has_measured(calls):
    table = rows("--rehearse")
    assert table["train dae"][-1] == "rehearsed"
    assert table["score r_vae"][-1] == table["score intensity"][-1] == "rehearsed"  # its parent's weights are random
    assert table["preprocess"][-1] == "estimated"
    assert table["all"][-1] == "rehearsed and estimated"
    assert 0.51 < float(table["train dae"][3]) < 0.8  # three times 621 s, and what a job takes to start


def test_kinds_that_are_measured_or_there_are_not_rehearsed(calls, capsys):
    study, _ = plan.unchecked()
    found = Rehearsal(study, CPU, START).seconds({"train dae t1", "score intensity ATLAS"})
    assert set(found) == {"train dae t1", "score intensity ATLAS"}
    assert found["score intensity ATLAS"] == pytest.approx(START + 2 * (LATER + 2 * LATER) * 16 / 8)  # two subjects
    assert "r_vae" not in capsys.readouterr().err


def test_backbones_have_random_weights_and_a_method_that_fails_keeps_its_estimate(calls, monkeypatch, capsys):
    params = {"fae": {"patch": 32, "widths": [4, 4]}}
    config = yaml.safe_load(Path("config.yaml").read_text()) | {"methods": ["fae"], "params": params}
    Path("config.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.setattr(backbones, "published", lambda name: pytest.fail("weights are looked for"))
    assert rows("--rehearse")["train fae"][-1] == "rehearsed"
    monkeypatch.setattr(rehearsal.run, "build", failing)
    assert rows("--rehearse")["train fae"][-1] == "estimated"


def failing(*arguments):
    raise HarnessError("no such file")
