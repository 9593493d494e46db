"""The plan of an experiment before it runs: what is there, and numbers that are summed by hand here."""

from pathlib import Path

import pytest
import yaml

from tests.commands import ROOT, call
from tests.records import facts
from tests.status.test_status import CONFIG
from uadbench.core.files import write_json
from uadbench.core.study_folder import FINDINGS, RUN, settings_file
from uadbench.status import plan
from uadbench.study import budget
from uadbench.study.outputs import outputs

BENCHMARK = "s\th:m:s\tmax_rss\n{}\t0:00:01\t{}\n"


def rows(*words: object) -> dict[str, list[str]]:
    """Cells of the lines of the plan: jobs, there, to run, hours, memory, disk, basis."""
    lines = [line.strip("|").split("|") for line in call("plan", *words).stdout.splitlines() if line.startswith("|")]
    return {line[0].strip(): [cell.strip() for cell in line[1:]] for line in lines[2:]}


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """Both data sets are there, DAE is trained with seeds 1 and 2, in 100 and 200 s, and scored with the first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UADBENCH_GPUS", "0")
    Path("config.yaml").write_text(yaml.safe_dump(CONFIG))
    experiment, _ = plan.unchecked()
    folder = experiment.folder
    for path in [f"{folder.packed(name)}/index.json" for name in experiment.datasets]:
        write_json(Path(path), {})
    there = [folder.run("dae", "t1", seed) / RUN for seed in (1, 2)] + [folder.scores("dae", "ATLAS", 1) / FINDINGS]
    for output in outputs(experiment):
        if output.path in there:
            output.path.parent.mkdir(parents=True)
            output.path.write_bytes(b"x" * 1000)
            write_json(settings_file(output.path), output.parts)
    for name, seconds, peak in (("train/dae-t1-seed-1", 100, 500), ("train/dae-t1-seed-2", 200, "NA")):
        path = folder.benchmarks / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BENCHMARK.format(seconds, peak))
    return folder.path


def test_measured_and_estimated_numbers_stand_apart(study):
    table, (experiment, _) = rows(), plan.unchecked()
    assert table["train dae"][:5] == ["3", "2", "1", f"{150 / 3600:.3g}", "0.5"]
    assert table["train dae"][-1] == "measured (2 jobs)"
    params = experiment.settings("mood22", "t1").values
    expected = budget.train(params, 6, experiment.preprocessing.spacing, gpu=False)
    hours = f"{3 * expected.seconds / 3600:.3g}"
    assert table["train mood22"] == ["3", "0", "3", hours, f"{expected.megabytes / 1e3:.1f}", "–", "estimated"]
    assert table["score dae"][:3] == ["3", "1", "2"]
    assert table["simulate"][:3] == table["pack"][:3] == ["2", "2", "0"]
    assert table["quality"][:3] == ["2", "0", "2"]
    assert table["all"][-1] == "measured (2 jobs) and estimated"
    on_gpu = rows("--gpu")["train mood22"]
    expected = budget.train(params, 6, experiment.preprocessing.spacing, gpu=True)
    assert on_gpu[3] == f"{3 * expected.seconds / 3600:.3g}"


def test_trainings_of_other_experiments_with_the_same_settings_tell_the_time(study):
    experiment, _ = plan.unchecked()
    params, spacing = experiment.settings("mood22", "t1"), experiment.preprocessing.spacing
    Path("results/other/logs").mkdir(parents=True)
    changes = ({"seconds": 360.0}, {"seconds": 9.0, "params": {"steps": 1}}, {"seconds": 9.0, "spacing": 2 * spacing})
    for seed, change in enumerate(changes):
        about = facts("mood22", seed=seed, **{"spacing": spacing, "revision": params.revision, **change})
        about["params"] = {**params.values, **about["params"]}
        write_json(Path(f"results/other/training/mood22/t1/seed-{seed}/run.json"), about)
    row = rows()["train mood22"]
    assert (row[3], row[-1]) == (f"{3 * 360 / 3600:.3g}", "measured (1 job)")


def test_what_a_change_of_the_config_makes_again_is_to_run(study):
    Path("wider.yaml").write_text("params: {dae: {widths: [8, 16]}}\n")
    table = rows("config.yaml", "wider.yaml")
    assert table["train dae"][:3] == table["score dae"][:3] == ["3", "0", "3"]
    assert table["train dae"][-1] == "estimated"  # other networks took those times
    Path("prepared.yaml").write_text("preprocessing: {spacing: 5.0}\n")
    recipe = next(output for output in outputs(plan.unchecked()[0]) if output.path.parent.name == "chunks")
    output = recipe.path
    output.parent.mkdir(parents=True)
    output.write_text("")
    write_json(settings_file(output), recipe.parts)
    table = rows("config.yaml", "prepared.yaml")
    assert table["pack"][:3] == ["2", "1", "1"]


def test_a_method_that_scores_seeds_together_is_timed_by_all_of_them(study):
    Path("together.yaml").write_text("seeds_together: true\n")
    experiment, _ = plan.unchecked(Path("together.yaml"))
    for seed in (1, 2, 3):
        path = experiment.folder.scores("dae", "ATLAS", seed) / FINDINGS
        output = next(output for output in outputs(experiment) if output.path == path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        write_json(settings_file(path), output.parts | {"seeds": [1, 2, 3]})
    benchmark = study / "benchmarks/test/dae-ATLAS.tsv"
    benchmark.parent.mkdir()
    benchmark.write_text(BENCHMARK.format(36, 700))
    Path("together.yaml").write_text("seeds_together: true\nseeds: [1, 2, 3, 4]\n")
    table = rows("together.yaml")  # four seeds, each a third of the job's time
    assert table["score dae"][:5] == ["4", "0", "4", f"{48 / 3600:.3g}", "0.7"]


def test_a_study_on_open_data_is_planned_before_anything_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = rows(ROOT / "config" / "open.yaml", "--gpu")
    assert table["download"][:4] == ["4", "0", "4", "–"]
    assert table["download"][5] == "17.1"
    # 2 modalities x 4 seeds of 100,000 steps of 96 images at 2.5 ms
    assert table["train disyre"][3] == f"{8 * 100_000 * 96 * 0.0025 / 3600:.3g}"
    assert table["score random"][3:] == ["–", "–", "–", "–"]
    refused = call("plan", ROOT / "config" / "open.yaml").stderr
    assert refused.startswith("note: the workflow would refuse to start: ")
    assert refused.count("\n") == 1
