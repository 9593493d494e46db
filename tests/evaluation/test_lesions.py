"""Lesions and false alarms: volumes whose components are counted by hand, and flood filling with scipy's matching."""

from itertools import product

import numpy as np
import pytest
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from uadbench.evaluation.detection import lesions
from uadbench.evaluation.detection.lesions import LEAST, OVERLAP, bounding_box, detect

SPACING = 2.0  # mm, so a voxel has 8 mm³ and a speck of one voxel is no lesion


@pytest.fixture
def volume():
    """Three lesions and a speck; scores that find one, a tenth of another, and two false alarms."""
    truth = np.zeros((9, 12, 12), bool)
    score = np.zeros(truth.shape, np.float32)
    truth[1:3, 1:3, 1:3] = True  # a: 8 voxels, all found at 0.5
    score[1:3, 1:3, 1:3] = 0.6
    truth[4:6, 1:6, 2:4] = True  # b: 20 voxels, two reached: a tenth
    score[4, 2:4, 2] = 0.9
    truth[7, 8, 8] = truth[8, 9, 9] = True  # c: two voxels that touch at a corner, missed
    truth[1, 10, 10] = True  # a speck of one voxel
    score[1, 10, 9:11] = 0.7  # two voxels, one on the speck: half of their union, no false alarm
    score[4, 9, 1:3] = 0.8  # a false alarm of two voxels
    score[7, 1, 6] = score[8, 2, 7] = 0.3  # another one, of two voxels that touch at a corner
    score[5, 10, 6] = 0.9  # a speck of the map
    score[0, 0, 1] = 0.6  # touches lesion a, so belongs to its finding
    return score, truth


def test_counts_lesions_and_alarms_by_hand(volume):
    found = detect(*volume, np.array([0.2, 0.5, 0.85, 1.0], np.float32), SPACING)
    assert found.sizes.tolist() == [8, 20, 2]
    assert found.found.tolist() == [[True, True, False, False], [True, True, True, False], [False] * 4]
    assert found.alarms.tolist() == [2, 1, 0, 0]


def test_less_than_a_tenth_of_the_union_finds_nothing(volume):
    score, truth = volume
    truth[6, 3, 2] = True  # lesion b has 21 voxels now
    found = detect(score, truth, np.array([0.85], np.float32), SPACING)
    assert (found.found[1, 0], found.alarms[0]) == (False, 1)


def test_specks_of_label_and_map_are_of_the_same_size(volume):
    assert LEAST == 10
    found = detect(*volume, np.array([0.5], np.float32), 1.2)  # 1.728 mm³: 10 mm³ are six voxels
    assert found.sizes.tolist() == [8, 20]
    assert found.found[:, 0].tolist() == [True, False]  # what overlaps b is a speck
    assert found.alarms.tolist() == [0]


def test_a_map_that_is_high_everywhere_finds_nothing(volume):
    truth = volume[1]
    found = detect(np.ones(truth.shape, np.float32), truth, np.array([0.5], np.float32), SPACING)
    assert not found.found.any()
    assert found.alarms.tolist() == [1]


def test_a_finding_counts_for_one_lesion_and_a_lesion_for_one_finding():
    truth, score = np.zeros((1, 6, 20), bool), np.zeros((1, 6, 20), np.float32)
    truth[0, 0, :4] = truth[0, 0, 5:9] = True  # two lesions under one finding
    score[0, 0, :9] = 1
    truth[0, 4, :12] = True  # a lesion under two findings
    score[0, 4, :4] = score[0, 4, 6:12] = 1
    found = detect(score, truth, np.array([0.5], np.float32), SPACING)
    assert found.found[:, 0].sum() == 2
    assert found.found[2, 0]
    assert found.alarms.tolist() == [1]


def test_as_many_matches_as_can_be():
    """The candidate that overlaps both lesions goes to the one that has no other, whose overlap is smaller."""
    truth, score = np.zeros((1, 3, 30), bool), np.zeros((1, 3, 30), np.float32)
    truth[0, 0, :8] = truth[0, 2, 9:17] = True
    score[0, 0, 3:8] = 1  # five of the first lesion's eight
    score[0, 1, 8] = score[0, 2, 9:12] = 1  # joined with three of the second's
    score[0, 0, :2] = 1  # two of the first, apart
    found = detect(score, truth, np.array([0.5], np.float32), SPACING)
    assert found.found[:, 0].tolist() == [True, True]
    assert found.alarms.tolist() == [0]


def test_three_small_overlaps_go_before_two_large_ones():
    """Two candidates lie mostly on the next lesion; only if they give it up, all three lesions are found."""
    shared = csr_array(np.array([[19, 80, 0], [0, 19, 80], [0, 0, 19]]))
    matched, excused = lesions.match(shared, np.full(3, 100), np.full(3, 100), np.ones(3, bool))
    assert (sorted(matched), excused) == ([0, 1, 2], 0)


def test_a_threshold_is_reached_by_equal_scores(volume):
    score, truth = volume
    found = detect(score, truth, score[1, 1, 1:2], SPACING)
    assert found.found[0].tolist() == [True]


def test_neither_label_nor_threshold_nor_score():
    truth = np.zeros((3, 3, 3), bool)
    score = np.full(truth.shape, 0.5, np.float32)
    healthy = detect(score, truth, np.array([0.4, 0.6], np.float32), 1.0)
    assert (healthy.sizes.size, healthy.found.shape, healthy.alarms.tolist()) == (0, (0, 2), [1, 0])
    nothing = detect(score, ~truth, np.zeros(0, np.float32), 4.0)
    assert (nothing.sizes.tolist(), nothing.found.shape, nothing.alarms.shape) == ([27], (1, 0), (0,))


def flooded(mask: np.ndarray) -> list[set[tuple[int, ...]]]:
    """The 26-connected components of a mask, by flood filling."""
    left = set(map(tuple, np.argwhere(mask).tolist()))
    components = []
    while left:
        todo = [left.pop()]
        component = set(todo)
        while todo:
            voxel = todo.pop()
            around = {tuple(v + s for v, s in zip(voxel, step, strict=True)) for step in product((-1, 0, 1), repeat=3)}
            todo += around & left
            component |= around & left
            left -= around
        components.append(component)
    return components


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_flood_filling(seed):
    rng = np.random.default_rng(seed)
    truth, score = rng.random((7, 9, 8)) < 0.06, rng.random((7, 9, 8)).astype(np.float32)
    thresholds = np.array([0.8, 0.9, 0.97], np.float32)
    found = detect(score, truth, thresholds, 3.0)  # a voxel has 27 mm³, so none is a speck
    wanted = flooded(truth)
    assert sorted(found.sizes) == sorted(map(len, wanted))
    for k, threshold in enumerate(thresholds):
        candidates = flooded(score >= threshold)
        pairs = [[len(a & b) / len(a | b) >= OVERLAP for b in wanted] for a in candidates]
        matches = maximum_bipartite_matching(csr_array(np.array(pairs, int)), perm_type="column")
        assert found.found[:, k].sum() == np.count_nonzero(matches >= 0)
        assert found.alarms[k] == len(candidates) - found.found[:, k].sum()


#: (seed, quantile): lesions found, false positives, lesions; `evaluate_case(overlap_func="IoU", min_overlap=0.1,
#: allow_unmatched_candidates_with_minimal_overlap=False)` of picai_eval 1.4.13, and tp, fp, tp + fn of panoptica 2.1.7
#: with `MaxBipartiteMatching(matching_metric=Metric.IOU, matching_threshold=0.1)`
OTHERS = {
    **{(0, 0.9): (11, 23, 22), (0, 0.97): (7, 23, 22), (1, 0.97): (9, 18, 19), (2, 0.9): (8, 25, 17)},
    **{(3, 0.97): (7, 21, 17), (4, 0.99): (5, 9, 23), (5, 0.9): (11, 25, 26), (6, 0.97): (8, 29, 21)},
}


@pytest.mark.parametrize(("seed", "quantile"), OTHERS)
def test_agrees_with_picai_eval_and_panoptica(seed, quantile):
    rng = np.random.default_rng(seed)
    common = ndimage.gaussian_filter(rng.standard_normal((12, 40, 40)), 2)
    truth = common > np.quantile(common, 0.96)
    score = common + ndimage.gaussian_filter(rng.standard_normal(common.shape), 1.5)
    score = (score - score.min()).astype(np.float32)
    found = detect(score, truth, np.array([np.quantile(score, quantile)], np.float32), 10.0)  # no voxel is a speck
    assert (found.found.sum(), found.alarms[0], len(found.sizes)) == OTHERS[seed, quantile]


def test_bounding_box():
    mask = np.zeros((6, 7, 8), bool)
    assert mask[bounding_box(mask)].size == 0
    mask[1, 2, 3] = mask[4, 2, 5] = True  # two parts, one box
    assert bounding_box(mask) == (slice(1, 5), slice(2, 3), slice(3, 6))
