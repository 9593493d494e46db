"""What an edited config makes again: everything that it decides and nothing else, with or without `.snakemake`."""

import base64
import json
import os
import time
from pathlib import Path

import pytest

from tests.commands import ROOT
from tests.study.test_config import changed
from uadbench.core import checksums
from uadbench.core.study_folder import settings_file
from uadbench.study import outputs
from uadbench.study.checks import experiment
from uadbench.study.config_files import read

R = Path("results/demo")
ALL = ["disyre", "mood22", "dae", "intensity", "random"]
#: changes of the config, and the outputs that are made again, besides what follows from them
EDITS = [
    ({}, set()),
    ({"params__dae__steps": 9}, {"params.json", "run.json", "findings.npz"}),
    ({"params__disyre__step_size": 50}, {"params.json", "findings.npz"}),
    ({"simulate__seed": 1}, {"recipe.json", "manifest.csv"}),
    ({"simulate__subjects": {"camcan": 12, "atlas": 12, "brats": 12}}, {"recipe.json", "manifest.csv"}),
    ({"preprocessing__normalisation": "p98"}, {"recipe.json", "1-of-2.csv", "2-of-2.csv"}),
    ({"datasets__camcan__split_seed": 3}, {"recipe.json", "subjects.csv"}),
    ({"datasets__atlas__exclude": ["a"]}, {"recipe.json", "subjects.csv"}),
    ({"datasets__atlas__lesion": [1]}, {"findings.npz"}),
    ({"postprocessing": {"median": 3, "erosion": 5, "beside": True}}, {"params.json", "findings.npz"}),
    ({"postprocessing": "as published"}, {"params.json", "findings.npz"}),
    ({"tuned_on": "another cohort"}, {"results.csv"}),
    ({"methods": ALL[:-1]}, {"results.csv", "histories.csv"}),
    ({"seeds": [1, 2, 3]}, {"results.csv", "histories.csv"}),
    ({"evaluation__resamples": 7}, {"results.csv"}),
    ({"paper__illustrated": "dae"}, {"synthesis.npz", "table1.csv", "figure3.pdf"}),
    ({"evaluation__examples": 2}, {"findings.npz"}),  # of Figure 3 alone
    ({"methods": ALL[::-1]}, set()),
    ({"chunks": 5}, set()),
    ({"max_lost": 0.9}, set()),
    ({"threads": {"training": 2}}, set()),
    ({"datasets__atlas__release": "atlas"}, set()),
    ({"preprocessing__template": "mni152"}, set()),
]


def made(config: dict, record: bool = True) -> None:
    """Files of a finished study with, or as of an earlier version without, their records."""
    for output in outputs.outputs(experiment(config)):
        output.path.parent.mkdir(parents=True, exist_ok=True)
        output.path.write_text("")
        if output.path.suffix == ".json" and output.path.name != "run.json":
            output.path.write_text(json.dumps(output.parts))
        elif record:
            settings_file(output.path).write_text(json.dumps(output.parts))
    for dataset in config["datasets"]:
        (R / "data" / dataset / "packed").mkdir(exist_ok=True)
        (R / "data" / dataset / "packed" / "index.json").touch()


def stale(config: dict) -> set[Path]:
    """Outputs that are made again, but for the report, which shows the config."""
    return {output.path for output in outputs.outputs(experiment(config)) if output.stale()} - {R / "report.html"}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> dict:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("study"))
        config = read(ROOT / "config.yaml")
        made(config)
        yield config


@pytest.mark.parametrize(("changes", "again"), EDITS)
def test_an_edit_makes_again_what_it_decides(study, changes, again):
    found = stale(changed(study, **changes))
    assert {path.name for path in found} >= again
    assert "run.json" in again or not {path.name for path in found} & {"run.json"}
    assert bool(found) == bool(again)
    if "evaluation__examples" in changes:
        assert {path.parts[-4:-1] for path in found} == {("disyre", task["name"], "seed-1") for task in study["tasks"]}


def test_numbers_that_collide_hide_no_edit(study):
    """12 subjects, seed 2026: where only the values are compared, seed 12 is nothing new."""
    subjects = {"camcan": 48, "atlas": 12, "brats": 12}
    edited = changed(study, simulate={"seed": 12, "spacing": 3.0, "subjects": subjects})
    assert {path.parent.name for path in stale(edited) if path.name == "manifest.csv"} == set(subjects)


#: keys that earlier versions lacked
LATER = {"postprocessing": {"median": 3, "beside": True}, "tuned_on": "another cohort"}


@pytest.mark.parametrize(
    ("key", "again"),
    [(None, set()), ("postprocessing", {"params.json", "findings.npz"}), ("tuned_on", {"results.csv"})],
)
def test_a_key_that_records_of_earlier_versions_lack_was_not_set(former, key, again):
    for output in outputs.outputs(experiment(former)):
        parts = {name: value for name, value in output.parts.items() if name not in (*LATER, "width")}
        record = output.path if output.path.name in ("params.json", "recipe.json") else settings_file(output.path)
        record.write_text(json.dumps(parts))
    assert {path.name for path in stale(former | ({key: LATER[key]} if key else {}))} == again


#: what the record of an output names at least, besides hyper-parameters: any of these makes it again
NAMED = {
    "manifest.csv": {"layout", "seed", "spacing", "subjects", "revision"},
    "subjects.csv": {"options"},
    "1-of-2.csv": {"settings", "modalities", "revision"},
    "run.json": {"data", "params", "revision"},
    "findings.npz": {"params", "revision", "modality", "data", "labels", "healthy", "run", "scoring"},
    "results.csv": {"methods", "seeds", "tasks", "protocols", "resamples", "titles", "missing", "revision"},
    "histories.csv": {"runs", "seeds", "titles", "revision"},
    "synthesis.npz": {"params", "revision", "modality", "data"},
    "table2.csv": {"method", "protocol"},
    "figure3.pdf": {"method", "protocol", "seed"},
    "report.html": {"config"},
}


@pytest.mark.parametrize("name", NAMED)
def test_every_part_of_a_record_makes_its_output_again(study, name):
    output = next(output for output in outputs.outputs(experiment(study)) if output.path.name == name)
    assert {*output.parts} >= NAMED[name]
    record = settings_file(output.path)
    for part in output.parts:
        record.write_text(json.dumps(output.parts | {part: "another"}))
        assert output.stale(), part
        record.write_text(json.dumps({key: value for key, value in output.parts.items() if key != part}))
        assert output.stale() == (part in output.later and output.parts[part] is not None), part
    record.write_text(json.dumps(output.parts))


@pytest.fixture
def former(tmp_path, monkeypatch) -> dict:
    """A study of an earlier version: without records, but with what it noted elsewhere."""
    monkeypatch.chdir(tmp_path)
    config = {key: value for key, value in read(ROOT / "config.yaml").items() if key not in LATER}
    made(config, record=False)
    plan = experiment(config)
    for name, number in plan.simulated.items():
        rows = [f"s{n},2026,3.0" for n in range(number)]
        (R / "data/raw" / name / "manifest.csv").write_text("\n".join(["subject,seed,spacing", *rows, ""]))
    for run in plan.runs:
        about = json.loads(plan.settings(run.method, run.part).text) | {"dataset": "camcan"}
        (plan.folder.run(*run) / "run.json").write_text(json.dumps(about))
    name = base64.urlsafe_b64encode(plan.folder.results.as_posix().encode()).decode()
    Path(".snakemake/metadata").mkdir(parents=True)
    Path(".snakemake/metadata", name).write_text(json.dumps({"params": ["1000", "2"]}))
    return config


@pytest.mark.parametrize(("changes", "again"), EDITS[:8])
def test_a_study_without_records_is_known_by_its_other_files(former, changes, again):
    assert {path.name for path in stale(changed(former, **changes))} == again


def test_what_was_known_at_the_start_outlasts_a_run_that_stops(former):
    """`recipe.json` and `params.json` are written before the data and the scores that they tell of."""
    edited = changed(former, params__dae__erosion=1, datasets__camcan__split_seed=3, evaluation__resamples=7)
    before, plan = stale(edited), experiment(edited)
    for output in outputs.outputs(plan):
        output.note()
    for output in outputs.outputs(plan):
        if output.path.name in ("recipe.json", "params.json"):
            output.path.write_text(json.dumps(output.parts))
    after = stale(edited)
    assert after == {path for path in before if path.name not in ("recipe.json", "params.json")}
    assert {path.name for path in after} == {"subjects.csv", "findings.npz", "results.csv"}


def test_a_run_killed_before_its_end_leaves_no_file_that_counts_as_damaged(former):
    """Jobs that start it write records and parameters by the shell of their rules, past the checksums."""
    plan = experiment(former)
    checksums.begin(plan.folder.path)
    outputs.end(plan)  # of an earlier run
    assert all(checksums.noted(plan.folder.params(*run)) for run in plan.configured)
    edited = experiment(changed(former, params__dae__erosion=1))
    dae = [edited.folder.params(*run) for run in edited.configured if run[0] == "dae"]
    outputs.begin(edited, dae)
    for output in outputs.outputs(edited):
        if output.path in dae or output.path.name == "run.json":
            output._record.write_text(json.dumps(output.parts))
    assert not {path.name for path in stale(changed(former, params__dae__erosion=1))} & {"params.json", "run.json"}
    assert [run for run in plan.configured if not checksums.noted(plan.folder.params(*run))] == [
        run for run in plan.configured if run[0] == "dae"
    ]
    outputs.end(edited)
    assert all(checksums.noted(path) for path in dae)


def test_a_data_set_keeps_the_number_of_its_jobs(study):
    """Until it is to be made."""
    names = [path.name for path in outputs.reports(experiment(study | {"chunks": 3}), "atlas")]
    assert names == ["1-of-2.csv", "2-of-2.csv"]
    (R / "data/atlas/packed/index.json").unlink()
    assert len(outputs.reports(experiment(study | {"chunks": 3}), "atlas")) == 3
    (R / "data/atlas/packed/index.json").touch()


@pytest.mark.parametrize("record", [True, False])
@pytest.mark.parametrize("together", [True, False])
def test_scores_stay_as_their_jobs_made_them(tmp_path, monkeypatch, together, record):
    """By seed, or of all seeds together, whatever the config says then; a new study is scored as it says."""
    monkeypatch.chdir(tmp_path)
    config = read(ROOT / "config.yaml") | {"seeds_together": together}
    edited = config | {"seeds_together": not together}
    assert outputs.one_job(experiment(config)) == together
    made(config, record=record)
    for output in outputs.outputs(experiment(config)):
        output.note()
    assert outputs.one_job(experiment(config)) == together
    assert outputs.one_job(experiment(edited)) == together
    assert not {path.name for path in stale(edited)} & {"findings.npz"}
    again = {path.name for path in stale(config | {"seeds": [1, 2]})}
    assert ("findings.npz" in again) == together  # a job made all of them


def test_files_from_the_future_are_named(tmp_path):
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path, hours in zip(paths, (-5, 0, 24), strict=True):
        path.touch()
        os.utime(path, (time.time() + hours * 3600,) * 2)
    assert outputs.ahead([*paths[:2], tmp_path / "missing"]) is None
    message = outputs.ahead(paths)
    assert message.startswith(f"{paths[2]}: ")
    assert "24.0 hours; " in message
    assert "--touch" in message


def test_the_width_makes_tables_and_figures_again_alone(study):
    found = stale(changed(study, paper__width="column"))
    assert {path.suffix for path in found} == {".csv", ".pdf"}
    assert {path.parent.name for path in found} == {"paper"}
    assert stale(changed(study, paper__width="page")) == set()
