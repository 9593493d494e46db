"""Verb `evaluate`: folders of NIfTI maps, labels and brain masks to metrics, and mistakes that people make."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import average_precision_score, roc_auc_score

from harness.errors import HarnessError
from harness.evaluation.maps import evaluate_maps
from harness.verbs.evaluate import command

AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
SHIFTED = AFFINE + np.array([[0, 0, 0, 0.01]] + [[0] * 4] * 3)  # by 10 µm
SHAPE = (10, 12, 8)


def store(path, values, affine=AFFINE) -> None:
    path.parent.mkdir(exist_ok=True)
    nibabel.Nifti1Image(values, affine).to_filename(path)


@pytest.fixture
def cohort(tmp_path):
    """Three subjects: maps .nii.gz, labels .nii, brain masks .nii.gz; returns folders and the raw arrays."""
    rng = np.random.default_rng(0)
    arrays = []
    for name in ("a", "b.1", "c"):
        label = (rng.random(SHAPE) < 0.1).astype(np.uint8) * rng.integers(1, 5, SHAPE, dtype=np.uint8)
        score = np.abs(rng.standard_normal(SHAPE) + 2 * (label > 0)).astype(np.float32)
        brain = (rng.random(SHAPE) < 0.7).astype(np.uint8)
        store(tmp_path / "maps" / f"{name}.nii.gz", score)
        store(tmp_path / "labels" / f"{name}.nii", label)
        store(tmp_path / "brain" / f"{name}.nii.gz", brain)
        arrays.append((score, label > 0, brain > 0))
    return tmp_path, [np.stack(parts) for parts in zip(*arrays, strict=True)]


def test_agrees_with_scikit_learn_on_every_voxel(cohort):
    folder, (scores, labels, _) = cohort
    result = evaluate_maps(folder / "maps", folder / "labels")
    assert result["ap"] == pytest.approx(average_precision_score(labels.ravel(), scores.ravel()), abs=1e-4)
    low, high = result["ap_bounds"]
    assert low <= average_precision_score(labels.ravel(), scores.ravel()) <= high
    assert high - low < 0.01
    assert result["auroc"] == pytest.approx(roc_auc_score(labels.ravel(), scores.ravel()), abs=1e-4)
    predicted = scores >= result["threshold"]
    assert result["dice"] == pytest.approx(2 * (predicted & labels).sum() / (predicted.sum() + labels.sum()))
    assert (result["subjects"], result["voxels"], result["positives"]) == (3, scores.size, labels.sum())
    assert result["chance_ap"] == pytest.approx(labels.mean())
    for metric in ("ap", "dice", "auroc"):
        low, high = result[f"{metric}_interval"]
        assert low <= result[metric] <= high


def test_counts_only_the_brain_where_given(cohort):
    folder, (scores, labels, brain) = cohort
    scores[~brain] = np.nan  # outside nothing matters
    for number, name in enumerate(("a", "b.1", "c")):
        store(folder / "maps" / f"{name}.nii.gz", scores[number])
    store(folder / "brain" / "unused.nii", np.ones(SHAPE, np.uint8))
    result = evaluate_maps(folder / "maps", folder / "labels", folder / "brain")
    assert result["ap"] == pytest.approx(average_precision_score(labels[brain], scores[brain]), abs=1e-4)
    assert result["voxels"] == brain.sum()
    assert result["positives"] == labels[brain].sum()


def test_verb_prints_and_writes_the_same_json(cohort):
    folder, _ = cohort
    arguments = [
        "--maps",
        folder / "maps",
        "--labels",
        folder / "labels",
        "--resamples",
        50,
        "--out",
        folder / "o.json",
    ]
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert json.loads(result.output) == json.loads((folder / "o.json").read_text())
    assert json.loads(result.output)["resamples"] == 50


def test_one_subject_has_no_interval(cohort):
    folder, _ = cohort
    for name in ("b.1", "c"):
        (folder / "maps" / f"{name}.nii.gz").unlink()
        (folder / "labels" / f"{name}.nii").unlink()
    result = evaluate_maps(folder / "maps", folder / "labels")
    assert result["ap_interval"] is None
    assert 0 < result["ap"] < 1


def negative(folder, values):
    values = np.abs(values)
    values[3, 3, 3] = -0.5
    store(folder / "maps" / "c.nii.gz", values)


def unclean(folder, values):
    values[3, 3, 3] = np.nan
    store(folder / "maps" / "c.nii.gz", values)


MISTAKES = {
    "map without label": (lambda f, _: (f / "labels" / "c.nii").unlink(), r"maps/c\.nii\.gz: no label of this name"),
    "label without map": (lambda f, _: (f / "maps" / "c.nii.gz").unlink(), r"labels/c\.nii: no map of this name"),
    "map without brain": (lambda f, _: (f / "brain" / "c.nii.gz").unlink(), r"maps/c\.nii\.gz: no brain mask of"),
    "shape": (
        lambda f, v: store(f / "labels" / "c.nii", v[:-1]),
        r"labels/c\.nii: has 9×12×8 voxels but .*maps/c\.nii\.gz has 10×12×8",
    ),
    "affine": (lambda f, v: store(f / "labels" / "c.nii", v, np.eye(4)), r"labels/c\.nii: its affine differs"),
    "shifted brain": (
        lambda f, v: store(f / "brain" / "c.nii.gz", v, SHIFTED),
        r"brain/c\.nii\.gz: its affine differs",
    ),
    "negative": (negative, r"maps/c\.nii\.gz of c: 1 of 960 scores are negative"),
    "not finite": (unclean, r"maps/c\.nii\.gz of c: 1 of 960 scores are not finite"),
    "four dimensions": (
        lambda f, v: store(f / "maps" / "c.nii.gz", np.stack([v, v], -1)),
        r"maps/c\.nii\.gz: has shape \(10, 12, 8, 2\); give one volume",
    ),
    "no NIfTI": (lambda f, _: (f / "maps" / "c.nii.gz").write_text("x"), r"maps/c\.nii\.gz: is not compressed"),
    "colours": (
        lambda f, v: store(f / "maps" / "c.nii.gz", np.zeros(v.shape, [(c, "u1") for c in "RGB"])),
        r"maps/c\.nii\.gz: holds values of type .*; give grey values as real numbers",
    ),
    "complex": (
        lambda f, v: store(f / "maps" / "c.nii.gz", (1j * v).astype(np.complex64)),
        r"maps/c\.nii\.gz: holds values of type complex64",
    ),
    "interpolated labels": (
        lambda f, v: store(f / "labels" / "c.nii", v / v.max()),
        r"labels/c\.nii: mask holds other values than whole numbers",
    ),
    "labels of NaN": (
        lambda f, v: store(f / "labels" / "c.nii", np.where(v == v.max(), np.nan, 0).astype(np.float32)),
        r"labels/c\.nii: mask holds other values than whole numbers",
    ),
    "saturated in float64": (
        lambda f, v: store(f / "maps" / "c.nii.gz", 1 - np.exp(-20.0 - v.astype(np.float64))),
        r"maps/c\.nii\.gz: \d+\.\d% of its voxels have scores of type float64 that are one number in float32; store",
    ),
    "few scores, saturated": (
        lambda f, v: store(f / "maps" / "c.nii.gz", 1 - np.where(v > np.median(v), 1e-12, 2e-12)),
        r"maps/c\.nii\.gz: 50\.0% of its voxels have scores of type float64 that are one number in float32; store",
    ),
    "large whole numbers": (
        lambda f, v: nibabel.Nifti1Image(
            10**12 + np.arange(v.size).reshape(v.shape), AFFINE, dtype=np.int64
        ).to_filename(f / "maps" / "c.nii.gz"),
        r"maps/c\.nii\.gz: \d+\.\d% of its voxels have scores of type (int|float)64 that are one number",
    ),
    "twice": (lambda f, v: store(f / "maps" / "c.nii", v), r"maps/c\.nii\.gz: same name as c\.nii"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_name_the_file_in_one_line(cohort, mistake):
    folder, (scores, _, _) = cohort
    make, message = MISTAKES[mistake]
    store(folder / "brain" / "c.nii.gz", np.ones(SHAPE, np.uint8))
    make(folder, scores[2].copy())
    with pytest.raises(HarnessError, match=message) as error:
        evaluate_maps(folder / "maps", folder / "labels", folder / "brain")
    assert "\n" not in str(error.value)


def test_a_single_fourth_axis_and_double_precision_change_nothing(cohort):
    folder, (scores, _, _) = cohort
    expected = evaluate_maps(folder / "maps", folder / "labels")
    store(folder / "maps" / "a.nii.gz", scores[0][..., None])
    store(folder / "maps" / "c.nii.gz", scores[2].astype(np.float64) * (1 + 1e-12))
    assert evaluate_maps(folder / "maps", folder / "labels") == expected


def test_nothing_to_find_is_an_error(cohort):
    folder, _ = cohort
    for name in ("a", "b.1", "c"):
        store(folder / "labels" / f"{name}.nii", np.zeros(SHAPE, np.uint8))
    with pytest.raises(HarnessError, match="labels: no label has an anomalous voxel"):
        evaluate_maps(folder / "maps", folder / "labels")


def test_folders_must_exist_and_hold_volumes(tmp_path):
    with pytest.raises(HarnessError, match="maps: no such folder"):
        evaluate_maps(tmp_path / "maps", tmp_path)
    with pytest.raises(HarnessError, match=r"holds no \.nii or \.nii\.gz file"):
        evaluate_maps(tmp_path, tmp_path)
