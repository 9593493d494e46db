"""The file of findings, how a test pass fills it, and its rows in the tidy table."""

from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import average_precision_score

from tests.commands import call
from tests.trainings import CPU, trained
from uadbench.core.archive import FINDINGS
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json, sha256, write_json
from uadbench.core.study_folder import FINDINGS as NAME
from uadbench.data.label_values import EVERY
from uadbench.data.packing.store import Store
from uadbench.evaluation.detection.findings import ARRAYS, RATES, Findings, beside, load, save
from uadbench.evaluation.inference.collecting import digest_of_test_set
from uadbench.evaluation.inference.inference import PackedTask, Trained, score_test_set
from uadbench.evaluation.summary import comparisons, tidy_results
from uadbench.evaluation.summary.tidy_results import COLUMNS, META, METRIC_ORDER, tidy
from uadbench.evaluation.voxels.columns import SIMULATED
from uadbench.methods.base import Context, Method, SliceMethod
from uadbench.methods.params import NoParams
from uadbench.methods.seeds import Streams
from uadbench.training import run

FACTS = {
    **{"experiment": "demo", "trained_on_simulated": True, "tested_on_simulated": True},
    **{"method": "intensity", "revision": 1, "title": "Intensity", "family": "control", "seed": 1},
    **{"task": "ATLAS", "dataset": "tiny", "test_set": "", "modality": "t2", "left_out": 0},
}


def copied(cohort: Path, folder: Path, **changes) -> Path:
    """The arrays of a packed cohort in another folder, with changes of its index."""
    folder.mkdir()
    for path in cohort.glob("*.npy"):
        (folder / path.name).symlink_to(path)
    write_json(folder / "index.json", read_json(cohort / "index.json") | changes)
    return folder


def method(name: str = "intensity") -> Method:
    return run.build(name, {}, Context("t2", 4.0))


def fill(out: Path, cohort: Path, healthy: Path | None = None, protocols=("full",), **changes) -> Path:
    facts = {**FACTS, **changes}
    store = None if healthy is None else Store.open(healthy)
    task = PackedTask(Store.open(cohort), "t2", healthy=store)
    score_test_set(Trained(method(facts["method"]), facts, CPU), task, protocols, 2, out)
    return out / f"{protocols[0]}.npz"


@pytest.fixture(scope="module")
def histograms(tiny_cohort, tmp_path_factory) -> Path:
    """The histograms of the image itself on the tiny cohort, calibrated on its validation subjects."""
    return fill(tmp_path_factory.mktemp("tested"), tiny_cohort, tiny_cohort)


class Flat(SliceMethod):
    """One score in each subject, as an erosion of the whole brain leaves."""

    params = NoParams()

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.context = SimpleNamespace(postprocessing=None)

    def score_slices(self, images: torch.Tensor, rng: Streams) -> torch.Tensor:
        return torch.full_like(images, 0.5)


def test_maps_that_rank_no_voxel_are_an_error(tiny_cohort, tmp_path):
    flat = Trained(Flat(), {**FACTS, "method": "flat"}, CPU)
    with pytest.raises(HarnessError, match="flat on ATLAS: in each subject all voxels have the same score") as caught:
        score_test_set(flat, PackedTask(Store.open(tiny_cohort), "t2"), ["full"], 2, tmp_path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_test_pass_writes_what_the_images_say(histograms, tiny_cohort):
    found, meta = load(beside(histograms))
    assert meta == FACTS
    store = Store.open(tiny_cohort)
    images, labels = np.asarray(store.images("t2"), np.float32), store.labels() > 0
    healthy = np.concatenate([images[row][images[row] > 0] for row in store.rows("t2", "validation")])
    rows = store.rows("t2", "test")
    assert found.subjects == tuple(store.subjects[row] for row in rows)
    assert found.spacing == 4.0
    for k, rate in enumerate(RATES):
        assert (healthy >= found.thresholds[k]).mean() <= rate
        reached = [images[row] >= found.thresholds[k] for row in rows]
        assert found.flagged[:, k].tolist() == [mask.sum() for mask in reached]
        assert found.true[:, k].tolist() == [
            (mask & labels[row]).sum() for mask, row in zip(reached, rows, strict=True)
        ]
    for number, row in enumerate(rows):
        brain = images[row] > 0
        assert (found.voxels[number], found.anomalous[number]) == (brain.sum(), labels[row].sum())
        exact = average_precision_score(labels[row][brain], images[row][brain])
        assert found.ap[number] == pytest.approx(exact, abs=1e-9)
        own = found.slice_subjects == number
        inside = brain.any((1, 2))
        np.testing.assert_array_equal(found.slice_peaks[own], images[row].max((1, 2))[inside])
        np.testing.assert_array_equal(found.slice_anomalous[own], labels[row].any((1, 2))[inside])
        assert found.lesion_voxels[found.lesion_subjects == number].tolist() == [labels[row].sum()]


def test_file_comes_back_as_it_was(histograms, tmp_path):
    found, meta = load(beside(histograms))
    save(tmp_path / NAME, found, meta)
    again, same = load(tmp_path / NAME)
    assert same == meta
    for field in fields(Findings):
        one, two = getattr(found, field.name), getattr(again, field.name)
        np.testing.assert_array_equal(one, two)
        if field.name in ARRAYS:
            assert (one.dtype, one.shape) == (two.dtype, two.shape)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert (tmp_path / NAME).stat().st_size < 20_000


def test_the_same_pass_gives_the_same_bytes(histograms, tiny_cohort, tmp_path):
    again = fill(tmp_path, tiny_cohort, tiny_cohort)
    assert beside(again).read_bytes() == beside(histograms).read_bytes()
    assert again.read_bytes() == histograms.read_bytes()


def test_unreadable_files_are_named(histograms, tmp_path):
    with pytest.raises(HarnessError, match="score histograms, not findings"):
        load(histograms)
    arrays = {name: getattr(load(beside(histograms))[0], name) for name in ARRAYS}
    FINDINGS.save(tmp_path / NAME, arrays | {"lesion_hits": np.zeros((3, 6))}, subjects=[], spacing=1, meta={})
    assert load(tmp_path / NAME)[0].spacing == 1  # of earlier versions, with an array that nothing reads
    replace(FINDINGS, format=2).save(tmp_path / NAME, {})
    with pytest.raises(HarnessError, match=r"findings of format 2, not 3; .*--forcerun test"):
        load(tmp_path / NAME)


def test_a_cohort_without_held_out_subjects_sets_no_thresholds(tiny_cohort, tmp_path, capsys):
    subjects = read_json(tiny_cohort / "index.json")["subjects"]
    for subject in subjects:
        subject["split"] = subject["split"].replace("validation", "train")
    folder = copied(tiny_cohort, tmp_path / "packed", subjects=subjects)
    path = fill(tmp_path / "out", tiny_cohort, folder)
    assert "no validation subject with t2; no thresholds are set" in capsys.readouterr().err
    found, _ = load(beside(path))
    assert (found.rates.size, found.flagged.shape, found.lesion_found.shape[1]) == (0, (3, 0), 0)
    at_rates = tidy([path])["metric"].str.partition("@")[0].unique()
    assert not {"threshold", "voxel_fpr", "sensitivity", "false_positives", "lesion_f1"} & {*at_rates}
    assert {"froc", "sensitivity_equal"} <= {*at_rates}  # which need no healthy subject


def test_tidy_has_rows_of_findings_of_the_final_map(histograms):
    table = tidy([histograms])
    assert list(table.columns) == COLUMNS
    extra = table[~table["metric"].isin(["ap", "dice", "dice_threshold", "auroc"])]
    assert {"subject_ap", "dice_healthy1", "slice_auroc", "subject_auroc", "sensitivity@0.01"} <= set(extra["metric"])
    assert set(zip(extra["score"], extra["protocol"], strict=True)) == {("final", "full")}
    facts = table[[*META, "subjects", "left_out", "voxels", "positives"]].drop_duplicates()
    assert len(facts) == 1  # those of the histograms: both count every voxel of the brain
    assert table["value"].notna().all()
    assert not table.duplicated(["score", "protocol", "metric"]).any()


def test_earlier_headers_have_one_fact_for_training_and_test_and_no_digest(tiny_cohort, tmp_path, monkeypatch):
    for key in (*SIMULATED, "revision", "test_set"):
        monkeypatch.delitem(FACTS, key)
    for simulated in (True, False):
        table = tidy([fill(tmp_path / str(simulated), tiny_cohort, simulated=simulated)])
        assert set(table["metric"]) > {"ap", "subject_ap"}
        assert (table[SIMULATED] == simulated).all(axis=None)
        assert (table[["revision", "test_set"]] == "").all(axis=None)


def test_rows_are_in_order_of_metric_rate_and_size(histograms):
    metrics = tidy([histograms])["metric"].tolist()
    stems = [METRIC_ORDER.index(metric.split("@")[0].split("/")[0]) for metric in metrics]
    assert stems == sorted(stems)
    thresholds = [metric for metric in metrics if metric.startswith("threshold@")]
    assert thresholds == [f"threshold@{rate:g}" for rate in sorted(RATES)]
    at = [metric for metric in metrics if metric.startswith("sensitivity@0.01")]
    assert at[0] == "sensitivity@0.01"
    sizes = [metric.split("/")[1] for metric in at[1:]]
    assert sizes == [size for size in ("0-1ml", "1-10ml", "10-100ml", "100ml+") if size in sizes]


def test_unknown_metrics_sort_last(histograms, monkeypatch):
    monkeypatch.setattr(tidy_results, "detection", lambda *_, **__: [{"metric": "aaa@0.1", "value": 1.0}])
    assert tidy([histograms])["metric"].iloc[-1] == "aaa@0.1"


def test_outputs_without_findings_still_summarise(histograms, tmp_path):
    alone = tmp_path / "full.npz"
    alone.write_bytes(histograms.read_bytes())
    table = tidy([alone])
    assert table["metric"].tolist() == ["ap", "dice", "dice_threshold", "auroc"]
    whole = tidy([histograms])
    pd.testing.assert_frame_equal(whole[whole["metric"].isin(table["metric"])].reset_index(drop=True), table)


def test_findings_of_several_protocols_are_read_once(tiny_cohort, tmp_path):
    fill(tmp_path, tiny_cohort, tiny_cohort, protocols=("full", "upd"))
    table = tidy([tmp_path / "upd.npz", tmp_path / "full.npz"])
    assert not table.duplicated(["score", "protocol", "metric"]).any()
    assert set(table.loc[table["metric"] == "subject_ap", "protocol"]) == {"full"}


def test_findings_of_another_run_are_an_error(histograms, tmp_path):
    found, meta = load(beside(histograms))
    (tmp_path / "full.npz").write_bytes(histograms.read_bytes())
    save(tmp_path / NAME, replace(found), {**meta, "seed": 2})
    with pytest.raises(HarnessError, match=r"findings\.npz: of seed 2 but beside histograms of 1; run the test again"):
        tidy([tmp_path / "full.npz"])


def test_summarize_writes_comparisons_beside_the_results(tiny_cohort, tmp_path):
    paths = [
        fill(tmp_path / name, tiny_cohort, tiny_cohort, method=name, title=name) for name in ("intensity", "random")
    ]
    out = tmp_path / "new" / "results.csv"
    call("summarize", *paths, "--resamples", 20, "--out", out, "--releases", '{"tiny": "ixi", "other": "atlas"}')
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "comparisons.csv",
        "order.csv",
        "profiles.csv",
        "restorations.csv",
        "results.csv",
        "subgroup_means.csv",
        "subsets.csv",
    ]
    table = pd.read_csv(out.with_name("comparisons.csv"))
    assert list(table.columns) == comparisons.COLUMNS
    assert table[["method", "other", "metric"]].values.tolist() == [
        ["intensity", "random", metric] for metric in ("ap", "dice")
    ]
    assert (table["difference"] > 0.3).all()  # lesions of the tiny cohort are its brightest voxels
    assert set(pd.read_csv(out)["method"]) == {"intensity", "random"}
    assert set(pd.read_csv(out, keep_default_na=False)["release"]) == {"ixi"}


def test_verb_test_takes_the_training_cohort(histograms, tiny_cohort, tmp_path):
    run = trained("intensity", tiny_cohort, tmp_path / "run", modality="t2")
    arrays = {name: sha256(tiny_cohort / f"{name}.npy") for name in ("t2", "mask")}
    prepared = read_json(tiny_cohort / "index.json")["preprocessing"] | {"template": "templates/SRI24.nii.gz"}
    real = copied(tiny_cohort, tmp_path / "real", simulated=False, arrays=arrays, preprocessing=prepared)
    left_out = [{"subject": "anna", "file": "a.nii", "reason": "is empty", "modalities": ["t2"]}]
    healthy = copied(tiny_cohort, tmp_path / "healthy", left_out=left_out)
    options = ["--run", run, "--data", real, "--healthy", healthy, "--task", "ATLAS", "--modality", "t2"]
    call("test", *options, "--experiment", "demo", "--device", "cpu", "--examples", 2, "--out", tmp_path / "out")
    (made, meta), (found, same) = load(tmp_path / "out" / NAME), load(beside(histograms))
    digest = digest_of_test_set(Store.open(real), "t2", EVERY)
    source = meta.pop("source")
    assert (meta.pop("voxel_mm"), meta.pop("space")) == ("4", "SRI24")
    changed = {"tested_on_simulated": False, "test_set": digest, "trained": {"revision": 1}, "lost_training": ["anna"]}
    assert meta == same | changed
    assert source["healthy"] == sha256(healthy / "index.json") != source["test_set"] == sha256(real / "index.json")
    assert source["baseline"]["trained"] == source["baseline"]["scored"]
    assert len(digest) == 12
    np.testing.assert_array_equal(made.healthy_summaries, found.healthy_summaries)
    np.testing.assert_array_equal(made.thresholds, found.thresholds)
    np.testing.assert_array_equal(made.true, found.true)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["examples.npz", NAME, "full.npz"]
