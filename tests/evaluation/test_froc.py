"""FROC: the pass over all thresholds against labelling at each, and points of the curve by brute force and by hand."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from uadbench.evaluation.detection.froc import FLOODED, sweep
from uadbench.evaluation.detection.froc_curve import FALSE_POSITIVES, Curve, joined
from uadbench.evaluation.detection.lesions import LEAST, OVERLAP, detect


def volume(seed: int, levels: int = 0, noise: float = 1) -> tuple[np.ndarray, np.ndarray]:
    """Scores (10, 24, 24), smooth and higher on the label in part; levels: of so many different scores."""
    rng = np.random.default_rng(seed)
    common = ndimage.gaussian_filter(rng.standard_normal((10, 24, 24)), 1.5)
    truth = common > np.quantile(common, 0.97)
    score = common + noise * ndimage.gaussian_filter(rng.standard_normal(common.shape), 1.5)
    score = (score - score.min()) / np.ptp(score)
    return np.float32(np.ceil(score * levels) / levels if levels else score), truth


def brute(score: np.ndarray, truth: np.ndarray, threshold: float, spacing: float) -> tuple[int, int]:
    """Lesions found and false positives at a threshold, by scipy.ndimage.label and bipartite matching."""
    full, least = np.ones((3, 3, 3)), LEAST / spacing**3
    (drawn, lesions), (called, candidates) = (ndimage.label(mask, full) for mask in (truth, score >= threshold))
    sides = [np.bincount(marks.ravel(), minlength=n + 1)[1:] for marks, n in ((drawn, lesions), (called, candidates))]
    shared = np.zeros((candidates, lesions))
    np.add.at(shared, (called[truth & (called > 0)] - 1, drawn[truth & (called > 0)] - 1), 1)
    enough = shared / (sides[1][:, None] + sides[0][None] - shared) >= OVERLAP
    wanted, kept = enough[:, sides[0] >= least], sides[1] >= least
    pairs = csr_array((wanted & kept[:, None]).astype(int))
    matched = maximum_bipartite_matching(pairs, perm_type="row") >= 0 if min(pairs.shape) else np.zeros(0, bool)
    # A candidate on a speck of the label is no false positive. In these volumes none of them overlaps a lesion, too.
    on_specks = enough[:, sides[0] < least].any(axis=1) & kept & ~wanted.any(axis=1)
    return int(matched.sum()), int(kept.sum() - matched.sum() - on_specks.sum())


def below_flood(score: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """All scores that at most FLOODED of the normal voxels reach, descending."""
    values = np.unique(score[score > 0])[::-1]
    return np.array([value for value in values if (score[~truth] >= value).mean() <= FLOODED], np.float32)


@pytest.mark.parametrize(
    ("seed", "levels", "spacing"), [(0, 0, 3.0), (1, 0, 1.2), (2, 40, 3.0), (3, 12, 1.2), (4, 60, 1.6)]
)
def test_every_threshold_as_by_brute_force(seed, levels, spacing):
    score, truth = volume(seed, levels)
    curve = sweep(score, truth, np.ones(truth.shape, bool), spacing)
    thresholds = below_flood(score, truth)
    alarms = Curve(curve.scores, curve.scans, curve.alarms, curve.found).at(thresholds, 1)[0]
    found = curve.at(thresholds, 1)[0]
    chosen = thresholds if levels else thresholds[::23]
    wanted = {float(threshold): brute(score, truth, threshold, spacing) for threshold in chosen}
    got = dict(zip(thresholds.tolist(), zip(found.tolist(), alarms.tolist(), strict=True), strict=True))
    assert {threshold: got[threshold] for threshold in wanted} == wanted
    assert max(found) > 0
    assert max(alarms) > 3
    same = detect(score, truth, chosen, spacing)
    assert [*zip(same.found.sum(axis=0).tolist(), same.alarms.tolist(), strict=True)] == [*wanted.values()]


def test_points_of_several_scans_as_by_brute_force():
    scans = [volume(seed, 40, 0.3) for seed in range(3)]
    curve = joined([sweep(score, truth, np.ones(truth.shape, bool), 3.0) for score, truth in scans])
    lesions = sum(ndimage.label(truth, np.ones((3, 3, 3)))[1] for _, truth in scans)
    best, most = dict.fromkeys(FALSE_POSITIVES, 0), 0.0
    for threshold in sorted({value for score, _ in scans for value in score[score > 0].tolist()}, reverse=True):
        found = alarms = 0
        for score, truth in scans:
            flooded = (score[~truth] >= threshold).mean() > FLOODED
            reached = threshold if not flooded else below_flood(score, truth)[-1]
            numbers = brute(score, truth, reached, 3.0)
            found, alarms = found + (0 if flooded else numbers[0]), alarms + numbers[1]
        most = max(most, alarms / len(scans))
        best |= {rate: max(best[rate], found) for rate in FALSE_POSITIVES if most <= rate}
    np.testing.assert_array_equal(curve.sensitivities(3, lesions), [best[rate] / lesions for rate in FALSE_POSITIVES])
    assert best[0.125] == 0 < best[1.0] < best[8.0]
    np.testing.assert_array_equal(curve.shortened(3).sensitivities(3, lesions), curve.sensitivities(3, lesions))


def test_points_by_hand():
    """Two scans, four lesions; components that merge at 0.5 give back no false positive and lose a lesion at 0.4."""
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3], np.float32)
    curve = Curve(
        scores, np.array([0, 1, 0, 1, 0, 1, 1]), np.array([1, 0, 2, 1, 2, 0, 1]), np.array([0, 1, 1, 4, 0, 4, 9])
    )
    found, alarms = curve.pooled(2)
    assert found.tolist() == [1, 1, 2, 3, 3, 3, 3]
    assert alarms.tolist() == [0, 0.5, 1, 2.5, 2.5, 2.5, 4.5]
    assert curve.sensitivities(2, 4).tolist() == [0.25, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75]


def test_equal_scores_of_two_scans_are_one_threshold():
    """The false positive of the second scan comes at the same threshold as the lesion of the first."""
    curve = Curve(np.full(2, 0.5, np.float32), np.array([0, 1]), np.array([1, 0]), np.array([0, 1]))
    assert curve.sensitivities(2, 1).tolist() == [0, 0, 1, 1, 1, 1, 1]


def test_a_flooded_scan_finds_nothing_and_others_go_on():
    truth = np.zeros((4, 10, 10), bool)
    truth[1:3, 1:3, 1:3] = True
    good, flooded = np.where(truth, np.float32(0.9), np.float32(0)), np.full(truth.shape, 0.95, np.float32)
    curves = [sweep(score, truth, np.ones(truth.shape, bool), 3.0) for score in (good, flooded)]
    assert joined(curves).sensitivities(2, 2).tolist() == [0.5] * 7
    assert not curves[1].scores.size
    rising = np.where(truth, np.float32(0.9), np.float32(0.5))
    held = sweep(rising, truth, np.ones(truth.shape, bool), 3.0)
    assert held.at(np.float32([0.95, 0.9, 0.6, 0.5, 0.1]), 1).tolist() == [[0, 1, 1, 0, 0]]


def test_neither_lesion_nor_score():
    nothing, everywhere = np.zeros((3, 4, 5), bool), np.ones((3, 4, 5), bool)
    assert not sweep(np.zeros(nothing.shape, np.float32), nothing, everywhere, 3.0).scores.size
    speck = np.zeros(nothing.shape, np.float32)
    speck[1, 1, 1] = 0.5
    assert sweep(speck, nothing, everywhere, 3.0).alarms.tolist() == [1]
    assert not sweep(speck, everywhere, everywhere, 3.0).found.any()
    assert not joined([sweep(speck, nothing, everywhere, 1.0)]).scores.size  # 1 mm³ is no candidate


@pytest.mark.parametrize("seed", range(4))
def test_specks_of_the_label_as_at_single_thresholds(seed):
    """Where candidates overlap specks and lesions at once, which one is matched depends on the overlaps."""
    rng = np.random.default_rng(seed)
    truth = rng.random((8, 14, 14)) < 0.05
    score = np.float32(np.ceil((rng.random(truth.shape) + truth) * 60) / 120)
    thresholds = below_flood(score, truth)
    curve = sweep(score, truth, np.ones(truth.shape, bool), 1.6)  # 4.1 mm³: one and two voxels are specks
    same = detect(score, truth, thresholds, 1.6)
    np.testing.assert_array_equal(curve.at(thresholds, 1)[0], same.found.sum(axis=0))
    alarms = Curve(curve.scores, curve.scans, curve.alarms, curve.found).at(thresholds, 1)[0]
    np.testing.assert_array_equal(alarms, same.alarms)
    assert same.found.any()


def test_a_candidate_on_a_speck_is_judged_again_as_overlaps_change():
    """The candidate on a lesion and a speck overlaps the lesion more from 0.5 on, so that the other one is false."""
    truth, score = np.zeros((1, 5, 40), bool), np.zeros((1, 5, 40), np.float32)
    truth[0, 2, :10] = truth[0, 2, 11:13] = True  # a lesion and, at 1.6 mm, a speck of two voxels
    score[0, 2, :3] = score[0, 2, 7:13] = 0.9
    score[0, 2, 5:7] = 0.5
    curve = sweep(score, truth, np.ones(truth.shape, bool), 1.6)
    assert [*zip(curve.found, curve.alarms, strict=True)] == [(1, 0), (1, 1)]
    assert detect(score, truth, np.float32([0.9, 0.5]), 1.6).alarms.tolist() == [0, 1]
