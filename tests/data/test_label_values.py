"""Which labels are lesion and which voxels count, in our own test sets and in other people's maps."""

import json

import nibabel
import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from tests.commands import call, fails
from uadbench.core.errors import HarnessError
from uadbench.core.files import sha256
from uadbench.data.label_values import EVERY, LabelValues, voxels_by_value
from uadbench.data.packing.store import Store
from uadbench.evaluation.detection.findings import beside, load
from uadbench.evaluation.detection.lesions import detect
from uadbench.evaluation.inference.examples import example_rows
from uadbench.evaluation.inference.inference import PackedTask, Trained, score_test_set
from uadbench.evaluation.voxels.histogram import load as load_histograms
from uadbench.evaluation.voxels.metrics import average_precision
from uadbench.methods.base import Context
from uadbench.training import run

LABELS = np.array([0, 1, 2, 3, 4, 255], np.uint8)


@pytest.mark.parametrize(
    ("values", "classes", "counted"),
    [
        (EVERY, [0, 1, 2, 3, 4, 255], [1, 1, 1, 1, 1, 1]),
        (LabelValues((1, 4)), [0, 1, 0, 0, 4, 0], [1, 1, 1, 1, 1, 1]),
        (LabelValues((), (3, 255)), [0, 1, 2, 0, 4, 0], [1, 1, 1, 0, 1, 0]),
        (LabelValues((1,), (2,)), [0, 1, 0, 0, 0, 0], [1, 1, 0, 1, 1, 1]),
    ],
)
def test_classes_and_voxels(values, classes, counted):
    assert values.classes(LABELS).tolist() == classes
    assert values.counted(LABELS, np.ones(6, bool)).tolist() == [bool(n) for n in counted]
    assert not values.counted(LABELS, np.zeros(6, bool)).any()


@pytest.mark.parametrize(
    ("lesion", "ignored", "message"),
    [("1,x", "", "not a list"), ("0", "", "1 to 255"), ("256", "", "1 to 255"), ("1,2", "2", "lesion and ignored")],
)
def test_lists_that_mean_nothing_are_refused(lesion, ignored, message):
    with pytest.raises(HarnessError, match=message):
        LabelValues.read(lesion, ignored)


def test_lists_are_read():
    assert LabelValues.read("1, 4", "3") == LabelValues((1, 4), (3,))
    assert LabelValues.read("", "") == EVERY


@pytest.fixture
def cohort(tiny_cohort, tmp_path):
    """The tiny cohort, its labels of three classes: half of every lesion 1, the other 2, and a slab of brain 3."""
    folder = tmp_path / "packed"
    folder.mkdir()
    for path in tiny_cohort.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    labels = np.load(folder / "mask.npy")
    x = np.arange(labels.shape[3])
    middle = (labels > 0).any((1, 2)).argmax(1) + (labels > 0).any((1, 2)).sum(1) // 2
    changed = np.where(labels > 0, 1 + (x >= middle[:, None, None, None]), 0).astype(np.uint8)
    slab = (x < len(x) // 2) & (np.arange(labels.shape[2])[:, None] % 5 == 0)
    changed[(changed == 0) & slab] = 3
    np.save(folder / "mask.npy", changed)
    index = json.loads((folder / "index.json").read_text())
    index["arrays"]["mask"] = sha256(folder / "mask.npy")
    (folder / "index.json").write_text(json.dumps(index))
    return folder


@pytest.mark.parametrize("values", [EVERY, LabelValues((1,)), LabelValues((1,), (3,)), LabelValues((), (2, 3))])
def test_a_test_pass_counts_what_the_values_say(cohort, tmp_path, values):
    store = Store.open(cohort)
    facts = {"method": "intensity", "task": "Tiny", "seed": 1}
    method = run.build("intensity", {}, Context("t2", 4.0))
    out = tmp_path / "out"
    task = PackedTask(store, "t2", values, healthy=Store.open(cohort))
    score_test_set(Trained(method, facts, torch.device("cpu")), task, ["full"], 1, out)
    rows = store.rows("t2", "test")
    images, labels = np.asarray(store.images("t2"), np.float32)[rows], store.labels()[rows]
    lesion = np.isin(labels, values.lesion) if values.lesion else (labels > 0) & ~np.isin(labels, values.ignored)
    counted = ((images > 0) & ~np.isin(labels, values.ignored)) | lesion
    histogram = load_histograms(out / "full.npz")[0]["final"]
    assert (histogram.voxels, histogram.positives) == (counted.sum(), lesion.sum())
    inside = np.where((images > 0) & ~np.isin(labels, values.ignored), images, 0)
    exact = average_precision_score(lesion[counted], inside[counted])
    assert average_precision(histogram) == pytest.approx(exact, abs=1e-4)
    found = load(beside(out / "full.npz"))[0]
    assert found.voxels.sum() == counted.sum()
    assert found.anomalous.sum() == lesion.sum()
    for k, threshold in enumerate(found.thresholds):
        assert found.flagged[:, k].sum() == (inside[counted] >= threshold).sum()
    # Scores of ignored voxels make no findings, nor join any.
    for row in range(len(rows)):
        expected = detect(inside[row].astype(np.float32), lesion[row], found.thresholds, 4.0)
        assert found.alarms[row].tolist() == expected.alarms.tolist()


def test_examples_are_chosen_by_what_is_lesion():
    labels = np.zeros((3, 1, 1, 10), np.uint8)
    labels[0, 0, 0, :9], labels[1, 0, 0, :2], labels[2, 0, 0, :1] = 3, 1, 1
    rows = np.arange(3)
    assert example_rows(labels, rows, 1) == [1]
    assert example_rows(labels, rows, 1, LabelValues((1,))) == [2]
    assert example_rows(labels, rows, 2, LabelValues((1,))) == [2, 1]


def test_evaluate_takes_the_same_lists(tmp_path):
    rng = np.random.default_rng(0)
    scores, labels = rng.random((2, 6, 7, 8)).astype(np.float32), rng.integers(0, 5, (2, 6, 7, 8)).astype(np.uint8)
    for folder, arrays in (("maps", scores), ("labels", labels)):
        (tmp_path / folder).mkdir()
        for name, array in zip("ab", arrays, strict=True):
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / folder / f"{name}.nii.gz")
    given = ["--maps", tmp_path / "maps", "--labels", tmp_path / "labels"]
    call("evaluate", *given, "--out", tmp_path / "out.json", "--lesion", "1,4", "--ignored", 3)
    found = json.loads((tmp_path / "out.json").read_text())
    counted, lesion = labels != 3, np.isin(labels, (1, 4))
    assert (found["voxels"], found["positives"]) == (counted.sum(), lesion.sum())
    assert found["ap"] == pytest.approx(average_precision_score(lesion[counted], scores[counted]), abs=1e-4)


def test_a_value_that_no_label_holds_is_an_error_and_others_are_named():
    voxels = voxels_by_value(iter([LABELS, LABELS[:3]]))
    assert voxels == {1: 2, 2: 2, 3: 1, 4: 1, 255: 1}
    assert LabelValues((1, 4), (3,)).left_over(voxels, "set") == (
        "set: labels also hold 2 (2 voxels), 255 (1 voxels): neither lesion nor ignored, they count as healthy"
    )
    assert EVERY.left_over(voxels, "set") == LabelValues((), (3,)).left_over(voxels, "set") == ""
    with pytest.raises(HarnessError, match=r"set: no label holds 5, but 1 \(2 voxels\), .*; correct `lesion`"):
        LabelValues((1, 5)).left_over(voxels, "set")
    with pytest.raises(HarnessError, match="no label holds 7, but only 0; correct `ignored`"):
        LabelValues((), (7,)).left_over({}, "set")


def test_a_test_set_is_checked_before_it_is_scored(cohort, capsys):
    store = Store.open(cohort)
    with pytest.raises(HarnessError, match="no label holds 4, but 1 "):
        PackedTask(store, "t2", LabelValues((1, 2, 4)))
    PackedTask(store, "t2", LabelValues((1,)))
    assert "labels also hold 2 (" in capsys.readouterr().err


def test_evaluate_says_which_values_are_left_over(tmp_path):
    label = np.zeros((4, 5, 6), np.uint8)
    label[1, 1, :3] = 1, 2, 3
    for folder, array in (("maps", np.random.default_rng(0).random(label.shape)), ("labels", label)):
        (tmp_path / folder).mkdir()
        nibabel.save(nibabel.Nifti1Image(array.astype(np.float32), np.eye(4)), tmp_path / folder / "A.NII.GZ")
    (tmp_path / "maps" / "b.mgz").touch()
    given = ["evaluate", "--maps", tmp_path / "maps", "--labels", tmp_path / "labels"]
    said = call(*given, "--lesion", "1,2").stderr
    assert f"{tmp_path / 'labels'}: labels also hold 3 (1 voxels)" in said
    assert f"{tmp_path / 'maps'}: 1 files are passed over, they are no .nii or .nii.gz (b.mgz)" in said
    assert "no label holds 4" in fails(*given, "--lesion", "1,4")
    assert "no label holds 4" in fails(*given, "--ignored", "4")
