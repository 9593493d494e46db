"""Several experiments on the same data and runs: variants by config, shared data, own test sets, and their safety."""

import copy
import json

import pytest

from tests.commands import ROOT
from uadbench.core import folder_lock
from uadbench.core.errors import HarnessError
from uadbench.core.study_folder import ROOT as RESULTS
from uadbench.core.study_folder import StudyFolder
from uadbench.study.checks import experiment
from uadbench.study.config_files import read


@pytest.fixture
def demo(tmp_path, monkeypatch) -> dict:
    """The config of the demo, and in the working folder the records that its study leaves."""
    monkeypatch.chdir(tmp_path)
    config = read(ROOT / "config.yaml")
    study = experiment(config)
    for dataset in study.datasets:
        study.folder.dataset(dataset).mkdir(parents=True)
        (study.folder.dataset(dataset) / "recipe.json").write_text(json.dumps(study.recipe(dataset)))
    for method, modality in study.configured:
        study.folder.params(method, modality).parent.mkdir(parents=True)
        study.folder.params(method, modality).write_text(study.settings(method, modality).text)
    return config


def test_variants_of_a_config_are_methods_of_their_own(demo):
    wide = {"widths": [16, 32], "t2": {"steps": 7}}
    variants = {"disyre-wide": wide, "disyre-late": {"step_size": 50, "title": "DISYRE, late"}}
    study = experiment(demo | {"methods": ["disyre", *variants], "variants": variants})
    base, changed = (study.settings(name, "t1") for name in ("disyre", "disyre-wide"))
    assert (changed.title, changed.values["widths"]) == ("DISYRE (wide)", (16, 32))
    assert {key for key, value in changed.values.items() if value != base.values[key]} == {"widths"}
    assert study.settings("disyre-wide", "t2").values["steps"] == 7
    assert [study.trained_as(name, "t1") for name in study.methods] == ["disyre", "disyre-wide", "disyre"]
    late = study.settings("disyre-late", "t1")
    assert (late.title, late.training) == ("DISYRE, late", base.training)
    assert {run.method for run in study.runs} == {"disyre", "disyre-wide"}
    assert base.text == experiment(demo).settings("disyre", "t1").text  # what is trained stays


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ({"disyre-wide": {"width": 3}}, r"disyre-wide\.width: no such parameter; did you mean widths"),
        ({"disire-wide": {}}, r"variants\.disire-wide: no such method"),
        ({"disyre-public": {}}, r"variants\.disyre-public: the method's file defines this variant"),
        ({"disyre": {}}, r"variants\.disyre: .* write BASELINE-NAME"),
        ({"disyre-wide": {"t2": 3}}, r"disyre-wide\.t2: must be a mapping"),
    ],
)
def test_a_wrong_variant_is_one_line(demo, variants, message):
    with pytest.raises(HarnessError, match=message):
        experiment(demo | {"variants": variants})


def test_shared_data_and_runs_are_those_of_the_other_experiment(demo):
    other = experiment(demo | {"experiment": "widths", "data": "demo"}).folder
    demos = StudyFolder(RESULTS / "demo")
    assert other.packed("camcan") == demos.packed("camcan")
    assert other.run("dae", "t1", 1) == RESULTS / "widths" / "training" / "dae" / "t1" / "seed-1"
    own = experiment(demo | {"experiment": "mine", "runs": "demo"}).folder
    assert (own.packed("camcan"), own.run("dae", "t1", 1)) == (demos.packed("camcan"), demos.run("dae", "t1", 1))
    assert own.results == RESULTS / "mine" / "evaluation" / "results.csv"
    assert own.histories.parent.parent == own.report.parent == RESULTS / "mine"


@pytest.mark.parametrize(
    ("key", "changes", "message"),
    [
        ("data", {"preprocessing": {"spacing": 2.0, "normalisation": "p99_5_brain"}}, r"spacing 4.0, not 2.0"),
        ("data", {"simulate": {"seed": 1, "spacing": 3.0, "subjects": {"camcan": 48}}}, r"simulate.seed 2026, not 1"),
        ("data", {"tasks": [{"name": "F", "dataset": "brats", "modality": "flair"}]}, r"modalities .*, not"),
        ("runs", {"params": {"dae": {"median": 7}}, "methods": ["dae"]}, r"runs: dae on t1: made with .*, not"),
        ("runs", {"data": "else"}, r"data: the runs are those of demo"),
        ("data", {"data": "nowhere"}, r"data: no folder results/nowhere"),
        ("data", {"data": "study"}, r"data: study is this experiment"),
    ],
)
def test_what_differs_from_the_shared_is_refused_by_name(demo, key, changes, message):
    """A job of this experiment would make it again, in place of the other's."""
    config = copy.deepcopy(demo) | {"experiment": "study", key: "demo"} | changes
    (RESULTS / "else").mkdir()
    if "simulate" in changes:
        config["tasks"] = [{"name": "X", "dataset": "camcan", "modality": "t1"}]
    with pytest.raises(HarnessError, match=message) as caught:
        experiment(config)
    assert "\n" not in str(caught.value)


def test_data_without_a_record_are_not_shared(demo):
    (RESULTS / "demo" / "data" / "atlas" / "recipe.json").unlink()
    with pytest.raises(HarnessError, match=r"data/atlas: no record .*recipe.json; run snakemake for that experiment"):
        experiment(demo | {"experiment": "study", "data": "demo"})


def test_what_decides_no_array_is_no_part_of_the_data(demo):
    """A change of labels rescores alone; one of the others makes nothing again."""
    datasets = copy.deepcopy(demo["datasets"])
    datasets["atlas"] |= {"lesion": [1], "release": "atlas"}
    others = {"datasets": datasets, "chunks": 7, "max_lost": 0.5}
    experiment(demo | {"experiment": "study", "data": "demo"} | others)


def test_a_record_of_an_earlier_version_fits(demo):
    """It has chunks and max_lost, and lacks what the config does not set."""
    path = RESULTS / "demo" / "data" / "atlas" / "recipe.json"
    made = {key: value for key, value in json.loads(path.read_text()).items() if value is not None}
    path.write_text(json.dumps(made | {"chunks": 9, "max_lost": 0.3}))
    experiment(demo | {"experiment": "study", "data": "demo"})


def test_experiments_may_read_data_at_once_but_not_while_one_makes_them(tmp_path, unlock):
    demo = StudyFolder(tmp_path / "demo")
    first, second, third = (StudyFolder(tmp_path / name, tmp_path / "demo") for name in ("a", "b", "c"))
    made = [str(demo.packed("camcan") / "index.json")]
    folder_lock.hold_study(first, [str(first.run("dae", "t1", 1) / "run.json")])
    folder_lock.hold_study(second, [])
    for study, written in ((demo, made), (third, made)):
        with pytest.raises(HarnessError, match=r"demo/data: process \d+ .*; wait for it"):
            folder_lock.hold_study(study, written)
    unlock()
    folder_lock.hold_study(demo, made)
    with pytest.raises(HarnessError, match="demo/data: process"):
        folder_lock.hold_study(third, [])
