"""Protocols against scikit-learn, scipy and counting by hand: which voxels they count, and at which thresholds."""

import subprocess
import sys
from dataclasses import astuple
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
import torch
from scipy import ndimage
from sklearn.metrics import average_precision_score

from uadbench.core.files import sha256, write_json
from uadbench.data.packing.store import Store
from uadbench.evaluation.inference.inference import PackedTask, Trained, score_test_set
from uadbench.evaluation.protocols.protocols import OFFICIAL_VOXELS, PROTOCOLS, Truth, protocol
from uadbench.evaluation.protocols.upd_resize import FIELD, SIDE
from uadbench.evaluation.summary.tidy_results import numbers
from uadbench.evaluation.voxels.histogram import ScoreHistogram, load
from uadbench.evaluation.voxels.jackknife import pooled
from uadbench.evaluation.voxels.metrics import best_dice
from uadbench.own.external_maps import evaluate

SPACING = (3.0, 1.0, 1.5)  # mm: slice, row, column
SHAPE = (6, 200, 120)  # 200 x 180 mm


def subject(seed: int, shape=SHAPE, classes=(1, 2, 4)):
    """Score, label and brain of an elliptic brain in all but the outer slices, with a blob of several classes."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    brain = (y**2 + x**2 < 0.8) & (np.abs(z) < 0.9)
    blob = (y - 0.3 * rng.uniform(-1, 1)) ** 2 + (x + 0.2) ** 2
    label = np.select([blob < 0.005 * c * c for c in (1, 2, 3)], classes, 0).astype(np.uint8) * brain
    score = ndimage.gaussian_filter(rng.standard_normal(shape), 1) ** 2 + 0.1 * (label > 0) * rng.random(shape)
    score = np.where(brain, score, np.nan).astype(np.float32)  # outside of the brain nothing matters
    return score, label, brain


def on_squares(values: np.ndarray) -> np.ndarray:
    """A volume of SPACING, padded by hand to 240 mm and resized with scipy as scikit-image's `resize` does it."""
    sides = [round(FIELD / step) for step in SPACING[1:]]
    pads = [(0, 0), *(((side - n) // 2,) * 2 for side, n in zip(sides, values.shape[1:], strict=True))]
    padded = np.pad(values.astype(np.float64), pads)
    factors = [side / SIDE for side in sides]
    smooth = ndimage.gaussian_filter(padded, [0, *(max(f - 1, 0) / 2 for f in factors)], mode="mirror")
    zoomed = ndimage.zoom(smooth, [1, *(1 / f for f in factors)], order=1, mode="mirror", grid_mode=True)
    assert zoomed.shape[1:] == (SIDE, SIDE)
    return zoomed


def upd_by_hand(subjects) -> tuple[np.ndarray, np.ndarray]:
    """Pooled scores and labels (n,) of UPD_study's protocol."""
    scores, labels = [], []
    for score, label, brain in subjects:
        image = on_squares(brain)
        kept = image.sum(axis=(1, 2)) > 0
        scores.append((on_squares(np.where(brain, score, 0)) * (image > 0))[kept].ravel())
        labels.append(on_squares(label)[kept].ravel() > 0.4)
    return np.concatenate(scores), np.concatenate(labels)


def dice_above(scores: np.ndarray, labels: np.ndarray, thresholds: np.ndarray) -> float:
    """Best Dice over thresholds, a voxel being called anomalous above, by counting at each."""
    found = [(scores > t) for t in thresholds]
    return max(2 * (f & labels).sum() / (f.sum() + labels.sum()) for f in found)


def histogram_of(name: str, volumes) -> ScoreHistogram:
    histogram = ScoreHistogram()
    for volume in volumes:
        histogram.add(volume[0], *counted(name, *volume))
    return histogram


def counted(protocol_name: str, subject: str, score, label, brain, spacing):
    """Scores and labels (n,) that a protocol counts of one score map."""
    device = score.device if isinstance(score, torch.Tensor) else None
    region = protocol(protocol_name).region(Truth(subject, label, brain, spacing, device))
    return region.scores(score), region.labels


def volumes_of(subjects, spacing=SPACING) -> list[tuple]:
    return [(f"sub-{number}", *arrays, spacing) for number, arrays in enumerate(subjects)]


def values(histogram: ScoreHistogram, name: str) -> dict[str, float]:
    return {row["metric"]: row["value"] for row in numbers(histogram, name)}


@pytest.fixture(scope="module")
def subjects():
    return [subject(seed) for seed in range(3)]


def test_upd_against_scipy_and_scikit_learn(subjects):
    histogram = histogram_of("upd", volumes_of(subjects))
    scores, labels = upd_by_hand(subjects)
    assert histogram.voxels == scores.size == 3 * 4 * SIDE * SIDE  # two of six slices have no brain
    assert histogram.positives == labels.sum() > 0
    found = values(histogram, "upd")
    assert found["ap"] == pytest.approx(average_precision_score(labels, scores), abs=1e-4)
    thresholds = np.linspace(scores.max(), scores.min(), 100)
    assert thresholds[-1] == 0  # the background: what lies above it is not everything
    assert found["dice"] == pytest.approx(dice_above(scores, labels, thresholds), abs=1e-3)
    assert np.abs(thresholds - found["dice_threshold"]).min() < 1e-5


def test_full_and_official_against_scikit_learn(subjects):
    full = values(histogram_of("full", volumes_of(subjects)), "full")
    scores, labels = (np.concatenate([a[k][a[2]] for a in subjects]) for k in (0, 1))
    assert full["ap"] == pytest.approx(average_precision_score(labels > 0, scores), abs=1e-4)

    histogram = histogram_of("official", volumes_of(subjects))
    assert histogram.voxels == 3 * OFFICIAL_VOXELS
    chosen = [counted("official", *volume) for volume in volumes_of(subjects)]
    scores, labels = (np.concatenate(parts).astype(float) for parts in zip(*chosen, strict=True))
    found = values(histogram, "official")
    assert found["ap"] == pytest.approx(average_precision_score(labels, scores), abs=1e-4)
    thresholds = np.linspace(scores.min(), 1, 200)
    assert found["dice"] == pytest.approx(dice_above(scores, labels > 0, thresholds), abs=1e-3)
    assert found["ap"] == pytest.approx(full["ap"], abs=0.1)  # a sample of the same voxels


def test_official_is_what_torchmetrics_counts():
    """It passes a volume with a score above 1 through a sigmoid (`_binary_precision_recall_curve_format`)."""
    rng = np.random.default_rng(0)
    volumes = []
    for name, offset, gain in (("a", 0.4, 0.4), ("b", 0.2, 1.2), ("c", 0.0, 3.0)):
        label = rng.random((10, 20, 20)) < 0.1
        score = (0.1 * rng.random(label.shape) + offset * ~label + gain * label).astype(np.float32)
        volumes.append((name, score, label.astype(np.uint8), np.ones(label.shape, bool), SPACING))
    pairs = [counted("official", *volume) for volume in volumes]
    for volume, (scores, _) in zip(volumes, pairs, strict=True):
        name, score, *rest = volume
        drawn = np.sort(score.ravel())
        expected = drawn if drawn[-1] <= 1 else 1 / (1 + np.exp(-drawn))
        np.testing.assert_allclose(np.sort(scores), expected, rtol=1e-6)
        as_tensor = counted("official", name, torch.from_numpy(score), *rest)[0]
        np.testing.assert_allclose(as_tensor, scores, rtol=1e-6)
    assert pairs[0][0].max() < 0.6  # as it was
    assert pairs[1][0].min() >= 0.5  # the sigmoid of 0.2 and more

    scores, labels = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    found = values(histogram_of("official", volumes), "official")
    assert found["ap"] == pytest.approx(average_precision_score(labels, scores), abs=1e-4)
    # By torchmetrics 1.9.0, BinaryAveragePrecision, volume by volume.
    assert found["ap"] == pytest.approx(0.68976, abs=1e-4)
    raw = average_precision_score(labels, np.concatenate([score.ravel() for _, score, *_ in volumes]))
    assert abs(found["ap"] - raw) > 0.05


def test_anomalous_voxels_outside_of_the_brain_are_missed(subjects):
    score, label, brain = subjects[0]
    outside = label.copy()
    outside[~brain & (np.random.default_rng(0).random(brain.shape) < 0.02)] = 1
    scores, labels = counted("full", "a", score + 1, outside, brain, SPACING)
    assert len(scores) == np.count_nonzero(brain | (outside > 0))
    assert labels.sum() == np.count_nonzero(outside)
    np.testing.assert_array_equal(np.sort(scores[labels])[: np.count_nonzero(outside[~brain])], 0)
    assert scores[~labels].min() >= 1  # normal voxels outside of the brain do not count


def test_grids_of_thresholds_underestimate_dice_of_heavy_tails(subjects):
    tailed = [(np.exp(30 * score), label, brain) for score, label, brain in subjects]
    histogram = histogram_of("upd", volumes_of(tailed))
    assert values(histogram, "upd")["dice"] < best_dice(histogram)[0] - 0.05


def test_a_threshold_is_exceeded_not_reached():
    score = np.zeros((1, 1, 4), np.float32)
    score[0, 0] = [0, 0.25, 0.5, 1]  # on the grid of 200 thresholds from 0 to 1 only 0 and 1 are met exactly
    volume = ("a", score, np.array([[[0, 0, 0, 1]]]), np.ones((1, 1, 4), bool), SPACING)
    histogram = histogram_of("official", [volume])
    assert values(histogram, "official")["dice"] == 1
    thresholds = PROTOCOLS["official"].thresholds(histogram)
    assert len(thresholds) == 200
    np.testing.assert_allclose(thresholds, np.linspace(0, 1, 200), atol=1e-12)
    _, negatives, positives = histogram.pooled()
    above_lowest = best_dice(histogram, thresholds[:1])[0]
    assert above_lowest == pytest.approx(2 * 1 / (3 + 1))  # three of four above 0, not all four
    assert best_dice(histogram, thresholds[-1:])[0] == 0  # nothing above 1
    assert (negatives.sum(), positives.sum()) == (3, 1)


def test_classes_count_as_numbers():
    """A line one voxel wide, midway between two pixels, is a little of both: enough for class 4, not for class 1."""
    line = np.zeros((1, 240, 240), np.uint8)
    line[0, :, 127] = 1  # its centre is 7.5 mm from the image's, four pixels
    score, brain = np.ones(line.shape, np.float32), np.ones(line.shape, bool)
    for value, wanted in ((1, []), (4, [67, 68])):
        labels = counted("upd", "a", score, line * np.uint8(value), brain, (1.0, 1.0, 1.0))[1].reshape(SIDE, SIDE)
        assert np.flatnonzero(labels[64]).tolist() == wanted


@pytest.mark.parametrize("spacing", [1.0, 1.875, 4.0])
def test_squares_are_not_resampled(spacing):
    rng = np.random.default_rng(0)
    score = rng.random((4, SIDE, SIDE)).astype(np.float32)
    label = (rng.random(score.shape) < 0.1).astype(np.uint8)
    brain = rng.random(score.shape) < 0.5
    brain[2] = False
    scores, labels = counted("upd", "a", score, label, brain, (1.0, spacing, spacing))
    kept = [0, 1, 3]
    np.testing.assert_array_equal(scores.reshape(3, SIDE, SIDE), (score * brain)[kept])
    np.testing.assert_array_equal(labels.reshape(3, SIDE, SIDE), label[kept] > 0)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_score_maps_of_a_subject_share_labels_and_a_brain_may_be_empty(name, subjects):
    score, label, brain = subjects[0]
    region = protocol(name).region(Truth("a", label, brain, SPACING))
    first, second = region.scores(score), region.scores(2 * score)
    np.testing.assert_allclose(second, 2 * first, rtol=1e-6)
    assert first.dtype == np.float32
    assert region.labels.dtype == bool
    assert region.labels.shape == first.shape
    nothing = counted(name, "a", score, 0 * label, np.zeros(SHAPE, bool), SPACING)
    assert [part.shape for part in nothing] == [(0,), (0,)]


def test_official_draws_from_the_box_of_the_brain_by_the_subjects_name():
    shape = (20, 50, 40)
    score = np.arange(1, 40_001, dtype=np.float32).reshape(shape) / 2**18  # every voxel's score tells its number
    brain = np.zeros(shape, bool)
    brain[2:18, 5:45, 3:37] = True
    brain[9, 20, 20] = False
    label = np.zeros(shape, np.uint8)
    label[5:9] = 3

    def drawn(name, values=score, truth=label, inside=brain):
        return counted("official", name, values, truth, inside, SPACING)

    scores, labels = drawn("sub-1")
    np.testing.assert_array_equal(drawn("sub-1")[0], scores)
    np.testing.assert_array_equal(drawn("sub-1", values=3 * score)[0], 3 * scores)
    assert not np.array_equal(drawn("sub-2")[0], scores)
    numbered = (scores[scores > 0] * 2**18).astype(int) - 1
    assert len(np.unique(numbered)) == len(numbered) >= OFFICIAL_VOXELS - 1  # without replacement; the hole scores 0
    assert brain.ravel()[numbered].all()
    np.testing.assert_array_equal(labels[scores > 0], label.ravel()[numbered] > 0)
    share = labels.mean()
    assert share == pytest.approx(4 / 16, abs=0.02)
    few = np.zeros(shape, bool)
    few[:10, :20, :20] = True
    assert sorted(drawn("sub-1", inside=few)[0]) == sorted(score[few])


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A packed test set of two subjects, 12 slices of 60 x 48 voxels of 4 mm."""
    folder = tmp_path_factory.mktemp("packed")
    arrays = [subject(seed, (12, 60, 48)) for seed in (1, 2)]
    np.save(folder / "t1.npy", np.stack([brain * 0.5 for _, _, brain in arrays]).astype(np.float16))
    np.save(folder / "mask.npy", np.stack([label for _, label, _ in arrays]))
    index = {
        "dataset": "tiny",
        "simulated": True,
        "modalities": ["t1"],
        "has_mask": True,
        "spacing": 4.0,
        "preprocessing": {},
    }
    index |= {"left_out": [], "arrays": {name: sha256(folder / f"{name}.npy") for name in ("t1", "mask")}}
    rows = [{"subject": f"sub-{row}", "split": "test", "modalities": ["t1"]} for row in (1, 2)]
    write_json(folder / "index.json", {**index, "affine": np.diag([4.0, 4.0, 4.0, 1.0]).tolist(), "subjects": rows})
    return Store.open(folder), arrays


class Numbered:
    """A method that scores every voxel by a share of its number, and by twice that; or at random."""

    context = SimpleNamespace(postprocessing=None)

    def __init__(self, random: bool) -> None:
        self.random = random

    def score(self, volume, rng):
        if self.random:
            return {"final": torch.rand(volume.shape, generator=rng["scores"])}
        numbers = torch.arange(1.0, volume.numel() + 1).reshape(volume.shape) / 2**17
        return {"final": numbers, "single/t=25": 2 * numbers}

    def restore(self, volume, rng):
        return None

    def restoration(self):
        return ""


def scored(packed, out, seed: int, random: bool = False) -> dict[str, dict[str, ScoreHistogram]]:
    meta = {"method": "numbered", "task": "tiny", "seed": seed}
    device = torch.device("cpu")
    names = ["full", "upd", "official"]
    trained = Trained(Numbered(random), meta, device)  # type: ignore[arg-type]
    score_test_set(trained, PackedTask(packed[0], "t1"), names, 1, out)
    return {name: load(out / f"{name}.npz")[0] for name in names}


def test_one_pass_gives_every_protocol_and_official_the_same_voxels_for_all(packed, tmp_path):
    first, second = scored(packed, tmp_path / "1", seed=1), scored(packed, tmp_path / "2", seed=2)
    assert first["official"] == second["official"]
    once, twice = (first["official"][name].pooled() for name in ("final", "single/t=25"))
    np.testing.assert_array_equal(twice[0], 2 * once[0])  # the same voxels by their numbers
    np.testing.assert_array_equal(twice[2], once[2])
    random = scored(packed, tmp_path / "3", seed=1, random=True)
    for name in ("full", "upd", "official"):
        ours, theirs = random[name]["final"], first[name]["final"]
        assert (ours.voxels, ours.positives) == (theirs.voxels, theirs.positives)
    brains = sum(int(brain.sum()) for _, _, brain in packed[1])
    slices = sum(int(brain.any((1, 2)).sum()) for _, _, brain in packed[1])
    assert first["full"]["final"].voxels == brains
    assert first["upd"]["final"].voxels == slices * SIDE * SIDE


def test_interval_is_that_of_dice_over_the_protocols_thresholds(subjects):
    tailed = [(np.exp(30 * score), label, brain) for score, label, brain in map(subject, range(6))]
    histogram = histogram_of("upd", volumes_of(tailed))
    thresholds = PROTOCOLS["upd"].thresholds(histogram)
    dice = best_dice(histogram, thresholds)[0]
    (row,) = [row for row in numbers(histogram, "upd") if row["metric"] == "dice"]
    assert row["value"] == dice

    pairs = [counted("upd", *volume) for volume in volumes_of(tailed)]
    above = np.array([[((s > t) & y).sum() for t in np.nextafter(thresholds, -1)] for s, y in pairs])
    flagged = np.array([[(s > t).sum() for t in np.nextafter(thresholds, -1)] for s, _ in pairs])
    wanted = np.array([y.sum() for _, y in pairs])
    rest = [part.sum(axis=0) - part for part in (above, flagged, wanted)]
    brute = pooled(dice, (2 * rest[0] / (rest[1] + rest[2][:, None])).max(axis=1))
    np.testing.assert_allclose([row["low"], row["high"], row["n_eff"]], astuple(brute), atol=0.005)


def test_evaluate_takes_voxel_sizes_from_the_header(subjects, tmp_path):
    affine = np.diag([-SPACING[2], SPACING[1], SPACING[0], 1.0])  # stored right to left
    for number, arrays in enumerate(subjects):
        for folder, array in zip(("maps", "labels", "brain"), arrays, strict=True):
            (tmp_path / folder).mkdir(exist_ok=True)
            stored = array.transpose(2, 1, 0)[::-1].astype(np.float32 if folder == "maps" else np.uint8)
            nibabel.Nifti1Image(stored, affine).to_filename(tmp_path / folder / f"sub-{number}.nii.gz")
    folders = [tmp_path / name for name in ("maps", "labels", "brain")]
    result = evaluate(*folders, protocol="upd").summary()
    scores, labels = upd_by_hand(subjects)
    assert (result["voxels"], result["positives"]) == (scores.size, labels.sum())
    assert result["ap"] == pytest.approx(average_precision_score(labels, scores), abs=1e-4)
    assert result["protocol"] == "upd"
    official = evaluate(*folders, protocol="official").summary()
    packed = values(histogram_of("official", volumes_of(subjects)), "official")
    assert official["ap"] == pytest.approx(packed["ap"], abs=1e-9)  # the same voxels, whatever way they come


def test_range_is_of_the_scores_counted():
    histogram = ScoreHistogram()
    assert np.isnan(histogram.range).all()
    histogram.add("a", np.array([0.3, 7.5], np.float32), np.zeros(2, bool))
    assert histogram.range == (float(np.float32(0.3)), 7.5)
    histogram.add("b", np.zeros(1, np.float32), np.zeros(1, bool))
    assert histogram.range == (0, 7.5)
    zeros = ScoreHistogram()
    zeros.add("a", np.zeros(3, np.float32), np.zeros(3, bool))
    assert zeros.range == (0, 0)


def test_names_are_read_without_numpy(root):
    code = "from uadbench.evaluation.protocols.protocols import PROTOCOLS; print(*PROTOCOLS)"
    code = f"import sys; sys.modules['numpy'] = None; {code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.split() == ["full", "upd", "official"]
