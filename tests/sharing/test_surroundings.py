"""The threshold of healthy voxels of a run: of its study's results, of a shared run's record, or why there is none."""

import os
import re

import pandas as pd
import pytest

from tests.paper.conftest import METHODS, write_results
from tests.records import facts
from uadbench.core.files import read_json, write_json
from uadbench.sharing.shipped import FOLDER
from uadbench.sharing.surroundings import healthy_threshold

WITHOUT = "no threshold of healthy voxels, so no findings: "


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of seed 1 in a study whose results state thresholds; and its record, as it is loaded."""
    monkeypatch.setitem(METHODS, "vae", ("VAE", "IR", 0.3))
    folder = tmp_path / "demo" / "training" / "vae" / "t1" / "seed-1"
    write_json(folder / "run.json", facts("vae"))
    os.utime(folder / "run.json", (1, 1))
    (tmp_path / "demo" / "evaluation").mkdir()

    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        rows = frame[frame["metric"] == "dice"].assign(metric="threshold@0.001", value=0.9)
        rows.loc[(rows["seed"] == 1) & (rows["modality"] == "t1"), "value"] = 0.25
        return pd.concat([frame, rows, rows.assign(metric="threshold@0.01", value=2)])

    write_results(tmp_path / "demo" / "evaluation" / "results.csv", ["vae"], seeds=(0, 1), edit=edit)
    return folder


def test_the_results_of_its_study_state_it(run):
    assert healthy_threshold(run, facts("vae")) == (0.25, "")
    shared = facts("vae", thresholds={"0.001": 0.5})  # of an earlier evaluation
    assert healthy_threshold(run, shared) == (0.25, "")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda results: results.unlink(), r"results\.csv is not there yet; run snakemake"),
        (lambda results: os.utime(results, (0, 0)), r"results\.csv is older than the run; run snakemake again"),
        (lambda results: results.write_text(""), r"results\.csv: the file is empty"),
        (
            lambda results: results.write_text(results.read_text().replace("threshold@", "thereshold@")),
            r"results\.csv has none of vae; hold out healthy subjects for validation",
        ),
        (
            lambda results: results.write_text(results.read_text().replace("threshold@0.001,", "threshold@0.02,")),
            r"results\.csv has none of 0\.001; run snakemake again",
        ),
    ],
)
def test_without_one_a_line_says_why(run, change, why):
    change(run.parents[3] / "evaluation" / "results.csv")
    threshold, said = healthy_threshold(run, facts("vae"))
    assert threshold is None
    assert re.fullmatch(f"{WITHOUT}.*{why}.*, or give --threshold", said)


def test_other_maps_and_methods_have_none(run, tmp_path):
    assert healthy_threshold(run, facts("vae"), "single/t=5") == (
        None,
        f"{WITHOUT}none is known of the map single/t=5, or give --threshold",
    )
    alone = tmp_path / "alone"
    shared = facts("vae", thresholds={"0.001": 0.5})
    write_json(alone / "run.json", shared)
    assert healthy_threshold(alone, shared) == (0.5, "")
    assert healthy_threshold(alone, shared | {"method": "vae-upd"})[0] is None
    unknown = healthy_threshold(alone, facts("vae"))
    assert unknown == (
        None,
        f"{WITHOUT}{alone / 'run.json'} states none of vae, and the run lies in no study, or give --threshold",
    )


def test_the_run_that_comes_with_the_package_has_one():
    about = read_json(FOLDER / "run.json")
    assert healthy_threshold(FOLDER, about) == (about["thresholds"]["0.001"], "")
