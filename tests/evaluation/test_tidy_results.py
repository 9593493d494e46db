"""The tidy table of results, protocols, and the verb that writes the table."""

import numpy as np
import pandas as pd
import pytest

from tests.commands import call, fails
from tests.evaluation.conftest import histogram_of
from uadbench.core.errors import HarnessError
from uadbench.evaluation.protocols import protocols
from uadbench.evaluation.summary.tidy_results import COLUMNS, numbers, tidy
from uadbench.evaluation.voxels.histogram import ScoreHistogram, save
from uadbench.evaluation.voxels.metrics import average_precision, best_dice

META = {
    **{"experiment": "demo", "trained_on_simulated": True, "tested_on_simulated": False, "protocol": "full"},
    **{"method": "disyre", "revision": 2, "title": "DISYRE", "family": "S-S", "seed": 1, "task": "ATLAS"},
    **{"dataset": "atlas", "test_set": "0123456789ab", "modality": "t1", "left_out": 2},
}


def drawn(seed: int = 0, subjects: int = 3) -> ScoreHistogram:
    rng = np.random.default_rng(seed)
    labels = rng.random((subjects, 400)) < 0.1
    return histogram_of(*zip(np.abs(rng.standard_normal(labels.shape) + 2 * labels), labels, strict=True))


def written(folder, name: str, maps=None, **changes):
    path = folder / f"{name}.npz"
    save(path, maps or {"final": drawn()}, {**META, **changes})
    return path


def test_one_row_for_every_metric_of_every_map(tmp_path):
    histogram = drawn()
    names = ("single/t=100", "cumulative/t=75", "final", "single/t=25")
    path = written(tmp_path, "run", dict.fromkeys(names, histogram))
    table = tidy([path])
    assert list(table.columns) == COLUMNS
    assert list(zip(table["score"], table["metric"], strict=True)) == [
        (score, metric)
        for score in ("final", "cumulative/t=75", "single/t=25", "single/t=100")
        for metric in ("ap", "dice", "dice_threshold", "auroc")
    ]
    row = table.iloc[0]
    assert {key: row[key] for key in META} == META
    assert (row["voxels"], row["positives"], row["subjects"]) == (1200, histogram.positives, 3)
    assert row["low"] < row["value"] < row["high"]
    assert table.loc[table["metric"] == "dice_threshold", ["low", "high"]].isna().all(axis=None)
    dice, threshold = best_dice(histogram)
    assert table["value"].tolist()[:3] == [average_precision(histogram), dice, threshold]


def test_order_of_rows_does_not_depend_on_that_of_files(tmp_path):
    paths = [
        written(tmp_path, f"{method}-{task}-{seed}", method=method, task=task, seed=seed)
        for method in ("vae", "dae")
        for task in ("BraTS-T2", "ATLAS")
        for seed in (10, 2)
    ]
    table = tidy(paths)
    pd.testing.assert_frame_equal(tidy(paths[::-1]), table)
    runs = list(dict.fromkeys(zip(table["task"], table["method"], table["seed"], strict=True)))
    assert runs == [(t, m, s) for t in ("ATLAS", "BraTS-T2") for m in ("dae", "vae") for s in (2, 10)]


def test_a_map_without_anomalous_voxel_is_left_out_and_said_so(tmp_path, capsys):
    path = written(tmp_path, "run", {"final": drawn(), "single/t=25": histogram_of((np.ones(5), np.zeros(5)))})
    table = tidy([path])
    assert set(table["score"]) == {"final"}
    assert table["value"].notna().all()
    error = capsys.readouterr().err
    assert "run.npz: map single/t=25 has no anomalous voxel" in error
    assert error.count("\n") == 1


def test_an_undefined_metric_has_no_row():
    histogram = histogram_of(([0.1, 0.2], [1, 1]))
    assert [row["metric"] for row in numbers(histogram)] == ["ap", "dice", "dice_threshold"]


def test_a_protocol_is_one_entry_with_its_own_voxels_and_thresholds(monkeypatch):
    def ten(truth: protocols.Truth) -> protocols.Region:
        chosen = truth.rng.choice(truth.brain.size, 10, replace=False)
        return protocols.Region(truth.label.ravel()[chosen] > 0, lambda score: score.ravel()[chosen])

    grid = protocols.Protocol("grid", "ten voxels at random", ten, lambda histogram: np.array([0.0, 0.5, 1.0]))
    monkeypatch.setitem(protocols.PROTOCOLS, "grid", grid)
    label = np.arange(27).reshape(3, 3, 3) > 10
    region = protocols.protocol("grid").region(protocols.Truth("a", label, np.zeros((3, 3, 3), bool), (1.0, 1.0, 1.0)))
    scores = np.linspace(0, 0.9, 27, dtype=np.float32).reshape(3, 3, 3)
    histogram = histogram_of((region.scores(scores), region.labels))
    assert histogram.voxels == 10
    threshold = next(row["value"] for row in numbers(histogram, "grid") if row["metric"] == "dice_threshold")
    assert threshold in (0.0, 0.5, 1.0)


def test_unknown_protocol_names_those_there_are(tmp_path):
    with pytest.raises(HarnessError, match=r"protocol none: unknown; there are full"):
        protocols.protocol("none")
    with pytest.raises(HarnessError, match=r"run\.npz: protocol none is unknown"):
        tidy([written(tmp_path, "run", protocol="none")])


def test_lost_training_subjects_are_a_column_where_there_are_some(tmp_path):
    first = written(tmp_path, "first")
    table = tidy([first, written(tmp_path, "second", seed=2, lost_training=["anna", "bert"])])
    assert list(table.columns) == [*COLUMNS, "lost_training"]
    assert dict(zip(table["seed"], table["lost_training"].fillna(""), strict=True)) == {1: "", 2: "anna, bert"}
    assert list(tidy([first]).columns) == COLUMNS


def test_a_run_given_twice_or_without_facts_is_an_error(tmp_path):
    first, second = written(tmp_path, "first"), written(tmp_path, "second")
    with pytest.raises(HarnessError, match=r"second\.npz: same experiment.*first\.npz"):
        tidy([first, second])
    incomplete = tmp_path / "incomplete.npz"
    save(incomplete, {"final": drawn()}, {key: value for key, value in META.items() if key != "dataset"})
    with pytest.raises(HarnessError, match=r"incomplete\.npz: no dataset given"):
        tidy([incomplete])


def test_verb_reads_arguments_and_list_and_writes_csv(tmp_path):
    first, second = written(tmp_path, "first"), written(tmp_path, "second", seed=2)
    (tmp_path / "list.txt").write_text(f"\n{second}\n")
    out = tmp_path / "new" / "results.csv"
    call("summarize", first, "--list", tmp_path / "list.txt", "--resamples", 20, "--out", out)
    pd.testing.assert_frame_equal(pd.read_csv(out), tidy([first, second]), rtol=1e-8)
    low = COLUMNS.index("low")
    assert out.read_text().splitlines()[3].split(",")[low : low + 2] == ["", ""]  # no interval of the threshold


def test_verb_names_methods_as_the_config_does_and_those_without_results(tmp_path):
    paths = [written(tmp_path, method, method=method, title=method.upper()) for method in ("dae", "vae")]
    call("summarize", *paths, "--resamples", 0, "--titles", '{"vae": "VAE (wide)"}', "--out", tmp_path / "all.csv")
    given = ["--missing", "Blur", "--missing", "PII, wide"]
    call("summarize", *paths, "--resamples", 0, *given, "--out", tmp_path / "some.csv")
    whole, part = (pd.read_csv(tmp_path / name) for name in ("all.csv", "some.csv"))
    assert list(whole.columns) == COLUMNS
    assert dict(zip(whole["method"], whole["title"], strict=True)) == {"dae": "DAE", "vae": "VAE (wide)"}
    assert dict(zip(part["method"], part["title"], strict=True)) == {"dae": "DAE", "vae": "VAE"}
    assert set(part["missing"]) == {"Blur, PII, wide"}


def test_verb_without_files_is_an_error(tmp_path):
    for arguments, message in (([], "no histograms"), (["--list", tmp_path / "none.txt"], "no such file")):
        assert message in fails("summarize", *arguments, "--out", tmp_path / "r.csv")
    assert not (tmp_path / "r.csv").exists()


@pytest.mark.parametrize(
    ("key", "values"), [("trained", ({"steps": 5}, {"steps": 6})), ("test_set", ("a", "b")), ("revision", (1, 2))]
)
def test_seeds_that_do_not_fit_are_no_row(tmp_path, key, values):
    first, second = (written(tmp_path, f"{n}", seed=n, **{key: value}) for n, value in enumerate(values))
    name = "steps" if key == "trained" else key
    with pytest.raises(HarnessError, match=rf"1.npz: .*, seed 1, has {name} .*, but seed 0 .*: no two of one row"):
        tidy([first, second])
    tidy([first, written(tmp_path, "2", seed=2, **{key: values[0]})])
