"""Evaluation of maps with hostile values: ties, crowds, denormal and rounded scores, against scikit-learn."""

import nibabel
import numpy as np
import pytest
from sklearn.metrics import average_precision_score

import uadbench
from tests.evaluation.conftest import exact_dice
from tests.own.test_evaluate import store
from uadbench.core.errors import HarnessError
from uadbench.own.external_maps import evaluate

HOSTILE = {
    "all equal": lambda draw, label: np.full(label.shape, 0.5),
    "two values": lambda draw, label: (draw.random(label.shape) < 0.1 + 0.5 * label) * 1.0,
    "ties at 0": lambda draw, label: np.maximum(0, draw.normal(2 * label - 1)),
    "thirty octaves": lambda draw, label: np.exp(draw.normal(4 * label, 8)),
    "denormal": lambda draw, label: 1e-42 * draw.integers(0, 900, label.shape) * (1 + label),
    "tiny": lambda draw, label: 1e-30 * np.abs(draw.normal(1 + label)),
    "huge": lambda draw, label: 1e30 * np.abs(draw.normal(1 + label)),
    "sigmoid": lambda draw, label: 1 / (1 + np.exp(-draw.normal(6 * label - 3, 3))),
    "whole numbers": lambda draw, label: draw.poisson(3 + 2 * label),
    "offset": lambda draw, label: 5 + 0.01 * draw.normal(label),
}


def made(folder, names: str, draw, share: float, scores) -> dict[str, float]:
    """Store maps and labels; returns the exact values of the metrics."""
    pairs = []
    for name in names:
        label = draw.random((16, 16, 16)) < share
        score = scores(draw, label).astype(np.float32)
        store(folder / "maps" / f"{name}.nii", score)
        store(folder / "labels" / f"{name}.nii", label.astype(np.uint8))
        pairs.append((label.ravel(), score.ravel()))
    label, score = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    return {"ap": average_precision_score(label, score.astype(float)), "dice": exact_dice(label, score)}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_maps_against_scikit_learn(kind, tmp_path):
    """Within 1e-4 of scikit-learn and of every threshold tried, and within the bounds."""
    exact = made(tmp_path, "abc", np.random.default_rng(1), 0.06, HOSTILE[kind])
    result = evaluate(tmp_path / "maps", tmp_path / "labels").summary()
    for metric, value in exact.items():
        assert result[metric] == pytest.approx(value, abs=1e-4)
        low, high = result[f"{metric}_bounds"]
        assert low - 1e-12 <= value <= high + 1e-12


CROWDED = {  # one voxel far below the others stretches the grid
    "continuous": lambda draw, label: 5 + 0.001 * draw.normal(2 * label),
    "eleven values": lambda draw, label: 1000 + 0.001 * np.clip(np.round(draw.normal(5 + 2 * label)), 0, 10),
    "denormal part": lambda draw, label: np.where(draw.random(label.shape) < 0.5, 1e-42, 1 + 1e-4 * draw.normal(label)),
}


@pytest.mark.parametrize("kind", CROWDED)
def test_where_bins_decide_there_is_no_number(kind, tmp_path, capsys):
    """The exact values are still within the bounds, and what bins do not decide is still given."""
    stray = np.indices((16, 16, 16)).any(axis=0)
    crowd = lambda draw, label: np.where(stray, CROWDED[kind](draw, label), 1e-30)  # noqa: E731
    exact = made(tmp_path, "abcdef", np.random.default_rng(0), 0.05, crowd)
    result = evaluate(tmp_path / "maps", tmp_path / "labels").summary()
    for metric, value in exact.items():
        low, high = result[f"{metric}_bounds"]
        assert low <= value <= high
    assert result["ap_bounds"][1] - result["ap_bounds"][0] > 0.01
    for metric in ("ap", "dice", "auroc"):
        assert [result[f"{metric}{part}"] for part in ("", "_interval", "_n_eff")] == [None] * 3
    assert result["threshold"] is None
    assert "aupro" not in result["detection"]
    assert result["detection"]["subject_ap"]["value"] > 0
    assert "share a few bins (AP between" in capsys.readouterr().err


def test_ties_are_no_crowding(tmp_path):
    """Three values over twenty octaves: each bin is one score, and the bounds coincide."""
    values = lambda draw, label: np.array([0, 1e-6, 0.7])[draw.integers(0, 2, label.shape) + label]  # noqa: E731
    exact = made(tmp_path, "abc", np.random.default_rng(1), 0.06, values)
    result = evaluate(tmp_path / "maps", tmp_path / "labels").summary()
    for metric, value in exact.items():
        assert result[metric] == pytest.approx(value)
        assert result[f"{metric}_bounds"] == pytest.approx([value, value])


def test_minus_zero_is_zero(tmp_path):
    """-0.0 where a rectified map is 0: all metrics as of 0.0."""
    found = []
    for zero in (0.0, -0.0):
        folder = tmp_path / f"{zero}"
        made(folder, "abc", np.random.default_rng(1), 0.06, lambda draw, label: np.maximum(draw.normal(label), 0))
        for path in (folder / "maps").iterdir():
            values = nibabel.load(path).get_fdata().astype(np.float32)
            store(path, np.where(values > 0, values, np.float32(zero)))
        found.append(evaluate(folder / "maps", folder / "labels").summary())
    assert str(found[0]) == str(found[1])


@pytest.mark.parametrize("kind", [np.float64, np.uint64])
def test_rounding_is_judged_where_it_matters(kind):
    """Lesions of less than a thousandth of the volume that are one number in float32, beside normal voxels that are."""
    rng, shape = np.random.default_rng(0), (50, 50, 50)
    label, brain = np.zeros(shape, np.uint8), np.ones(shape, np.uint8)
    label[10:14, 10:14, 10:14] = 1
    z = rng.normal(2, 3, shape).clip(0)
    z[label > 0] = rng.normal(30, 3, 64)
    z[20:24, 20:24, 20:23] = rng.normal(26, 3, (4, 4, 3))
    scores = 1 / (1 + np.exp(-z)) if kind is np.float64 else np.where(z < 17, 1e16 * z, 2**61 + 2000 * z).astype(kind)
    with pytest.raises(HarnessError, match=r"map 0: AP may be .* or .*: \d+ of its voxels have scores of type 64 bits"):
        uadbench.evaluate([scores], [label])
    brain[20:24] = 0  # the artefact does not count: lesions alone are one number, which changes nothing
    result = uadbench.evaluate([scores], [label], [brain])
    assert result["ap"] == pytest.approx(average_precision_score(label[brain > 0], scores[brain > 0]), abs=1e-4)
