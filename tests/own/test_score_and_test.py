"""`score` maps a scan as `test` scored it for Table 2: with the scoring parameters of the study."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.commands import ROOT, call, fails
from tests.trainings import CPU, small, trained
from uadbench.core.errors import HarnessError
from uadbench.core.files import write_json
from uadbench.core.study_folder import PARAMS
from uadbench.data.packing.store import Store
from uadbench.evaluation.inference.inference import score_volume
from uadbench.evaluation.summary.tidy_results import tidy
from uadbench.evaluation.voxels.histogram import ScoreHistogram, load, save
from uadbench.methods import registry
from uadbench.methods.postprocessing import FILTERED, Postprocessing
from uadbench.methods.seeds import Streams
from uadbench.methods.settings import resolve
from uadbench.sharing.packing import Run
from uadbench.study.config_files import read
from uadbench.training import run


def configured() -> Iterator[tuple[str, str, dict]]:
    """Config, method and its scoring parameters, once for each method and variant with one that is not the default."""
    known: list[tuple[str, dict]] = []
    for path in (ROOT / "config.yaml", *sorted((ROOT / "config").rglob("*.yaml"))):
        config = read(path).get("params", {})
        for method in (name for name in registry.every() if {name, registry.base(name)} & set(config)):
            ours, default = (resolve(method, "t1", given) for given in (config, {}))
            names = [f.name for f in fields(ours.params) if f.metadata.get("scoring") and not f.metadata.get("curve")]
            changed = {name: ours.values[name] for name in names if ours.values[name] != default.values[name]}
            changed.pop("score_batch", None)  # bounds memory, changes no map
            if changed and (method, changed) not in known:
                known.append((method, changed))
                yield path.stem, method, changed


CASES = list(configured())


def counted(folder: Path, cohort: Path, required: Path | None) -> dict[str, ScoreHistogram]:
    """All maps that `score` can write of the test subjects, counted."""
    method, about = run.load(folder, CPU, required=required)
    store, found = Store.open(cohort), {}
    for row in store.rows("t1", "test"):
        volume = torch.from_numpy(np.array(store.images("t1")[row])).float()
        name, label = store.subjects[row], store.labels()[row][volume > 0] > 0
        for key, scores in score_volume(method, volume, Streams(about["seed"], CPU).child(name), name).items():
            found.setdefault(key, ScoreHistogram(key)).add(name, scores.numpy()[volume > 0], label)
    return found


@pytest.fixture(scope="module")
def study(tiny_cohort, tmp_path_factory):
    """Trains each method once, small and with other parameters than the given ones, which it states beside its run."""
    folder = tmp_path_factory.mktemp("study")

    def made(method: str, changed: dict) -> tuple[Path, Path | None, str]:
        about, out = registry.describe(method), folder / "training" / method / "t1" / "seed-1"
        required = made(about.requires, {})[0] if about.requires else None
        if not out.is_dir():
            own, default = small(method).values, resolve(method, "t1").values
            equal = {name: default[name] for name, value in changed.items() if own[name] == value}
            trained(method, tiny_cohort, out, required=required, **equal)
        settings = small(method, **changed).text
        (out.parent / PARAMS).write_text(settings)
        return out, required, settings

    return made


@pytest.mark.parametrize(("config", "method", "changed"), CASES, ids=[f"{c}-{m}" for c, m, _ in CASES])
def test_maps_of_score_are_those_that_test_counted(study, tiny_cohort, tmp_path, config, method, changed):
    folder, required, settings = study(method, changed)
    arguments = ["--run", folder, "--data", tiny_cohort, "--task", "A", "--modality", "t1", "--settings", settings]
    arguments += ["--required", required] if required else []
    call("test", *arguments, "--device", "cpu", "--out", tmp_path)
    tested = load(tmp_path / "full.npz")[0]
    assert counted(folder, tiny_cohort, required) == tested
    (folder.parent / PARAMS).unlink()  # then the run is scored as it was trained
    assert counted(folder, tiny_cohort, required) != tested


def test_runs_that_are_scored_together_have_the_scores_of_each_alone(tiny_cohort, tmp_path):
    """Also a method that draws while it scores, and one whose network is initialised with random numbers."""
    options = ["--data", tiny_cohort, "--healthy", tiny_cohort, "--task", "A", "--modality", "t1", "--device", "cpu"]
    for method in ("random", "dae"):
        for seed in (1, 2):
            trained(method, tiny_cohort, tmp_path / f"{method}-{seed}", seed=seed)
        runs = [["--run", tmp_path / f"{method}-{seed}", "--out"] for seed in (1, 2)]
        call("test", *options, *runs[0], tmp_path / "a", *runs[1], tmp_path / "b", "--volumes")
        call("test", *options, *runs[1], tmp_path / "alone", "--volumes")
        names = sorted(path.name for path in (tmp_path / "alone").glob("*.npz"))
        assert names == ["examples.npz", "findings.npz", "full.npz", "volumes.npz"]
        for name in names:
            assert (tmp_path / "b" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes(), name
        assert (tmp_path / "a" / "full.npz").read_bytes() != (tmp_path / "b" / "full.npz").read_bytes()


def test_each_run_needs_an_output(tmp_path):
    runs = ["--run", "a", "--run", "b", "--data", "d", "--task", "A", "--modality", "t1", "--out", tmp_path]
    assert "--run: is given 2 times; give --out as often" in fails("test", *runs)
    options = ["--out", tmp_path / "b", *["--settings", "{}"] * 3]
    assert "--settings and --required once or as often" in fails("test", *runs, *options)


FILTERS = [{"median": 3, "erosion": 1, "beside": beside} for beside in (True, False)]


@pytest.mark.parametrize("filters", FILTERS, ids=["beside", "for all"])
def test_the_filter_of_the_study_is_that_of_score_test_and_share(study, tiny_cohort, tmp_path, filters):
    folder, _, _ = study("dae", {})
    given = {"dae": registry.describe("dae").small}
    settings = resolve("dae", "t1", given, postprocessing=Postprocessing(**filters))
    (folder.parent / PARAMS).write_text(settings.text)
    test = ["test", "--data", tiny_cohort, "--task", "A", "--modality", "t1", "--device", "cpu"]
    call(*test, "--run", folder, "--settings", settings.text, "--out", tmp_path)
    call(*test, "--run", folder, "--out", tmp_path / "beside")  # the settings beside the run
    tested = load(tmp_path / "full.npz")[0]
    assert counted(folder, tiny_cohort, None) == tested == load(tmp_path / "beside" / "full.npz")[0]
    assert tested.keys() == {"final", *[FILTERED] * filters["beside"]}
    write_json(tmp_path / "run" / "run.json", Run.open(folder).about)  # as it is shared
    shutil.copytree(folder / "weights", tmp_path / "run" / "weights")
    assert counted(tmp_path / "run", tiny_cohort, None) == tested
    call("summarize", tmp_path / "full.npz", "--resamples", 0, "--out", tmp_path / "results.csv")
    said = pd.read_csv(tmp_path / "results.csv", keep_default_na=False).groupby("score")["postprocessing"].unique()
    words = ["median of 3 x 3 voxels, in axial slices"]
    assert {score: list(text) for score, text in said.items()} == (
        {"final": [""], FILTERED: words} if filters["beside"] else {"final": words}
    )


def test_seeds_with_other_filters_are_no_row(study, tiny_cohort, tmp_path):
    folder, _, _ = study("dae", {})
    paths = []
    for seed, filters in ((1, FILTERS[0]), (2, None)):
        chosen = None if filters is None else Postprocessing(**filters)
        settings = resolve("dae", "t1", {"dae": registry.describe("dae").small}, postprocessing=chosen)
        out = tmp_path / f"{seed}"
        test = ["--data", tiny_cohort, "--task", "A", "--modality", "t1", "--device", "cpu", "--out", out]
        call("test", "--run", folder, "--settings", settings.text, *test)
        histograms, meta = load(out / "full.npz")
        save(out / "full.npz", histograms, {**meta, "seed": seed})
        (out / "findings.npz").unlink()
        paths.append(out / "full.npz")
    with pytest.raises(HarnessError, match=r"seed 2, has postprocessing None, but seed 1 \{'median': 3"):
        tidy(paths)


def test_a_damaged_filter_is_named(study):
    folder, _, settings = study("dae", {})
    (folder.parent / PARAMS).write_text(json.dumps(json.loads(settings) | {"postprocessing": {"median": 2}}))
    with pytest.raises(HarnessError, match=rf"{PARAMS}: postprocessing.median: must be odd"):
        run.load(folder)


def test_a_shared_run_states_the_parameters_that_its_study_scores_with(study):
    folder, _, _ = study("dae", {"median": 3, "erosion": 3})
    assert run.load(folder)[1]["params"]["median"] == 3
    params = Run.open(folder).about["params"]
    assert (params["median"], params["erosion"]) == (3, 3)


def test_a_study_that_asks_for_other_weights_is_refused(study):
    folder, _, _ = study("dae", {"steps": 9})
    with pytest.raises(HarnessError, match="dae/t1/seed-1: was trained with different steps"):
        run.load(folder)


def test_damaged_settings_are_named(study):
    folder, _, settings = study("dae", {})
    for text, reason in (
        (settings[:40], "no JSON"),
        ("{}", "method: is missing"),
        ('{"method": 3}', "method: must be"),
    ):
        (folder.parent / PARAMS).write_text(text)
        with pytest.raises(HarnessError, match=rf"{PARAMS}: .*{reason}.*run snakemake again"):
            run.load(folder)
