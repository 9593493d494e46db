"""Lesions and false alarms: volumes whose components are counted by hand, and flood filling as a second opinion."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from harness.evaluation.lesions import LEAST, bounding_box, detect

SPACING = 2.0  # mm, so a voxel has 8 mm³ and a speck of one voxel is no lesion


@pytest.fixture
def volume():
    """Three lesions and a speck; scores that find one, part of another, and two false alarms."""
    truth = np.zeros((9, 12, 12), bool)
    score = np.zeros(truth.shape, np.float32)
    truth[1:3, 1:3, 1:3] = True  # a: 8 voxels, all found at 0.5
    score[1:3, 1:3, 1:3] = 0.6
    truth[5, 2:7, 2] = True  # b: 5 voxels in a row, two found
    score[5, 2:4, 2] = 0.9
    truth[7, 8, 8] = truth[8, 9, 9] = True  # c: two voxels that touch at a corner, missed
    truth[1, 10, 10] = True  # a speck of one voxel
    score[1, 10, 10] = 0.7  # a finding on it is no false alarm
    score[4, 9, 1:3] = 0.8  # a false alarm of two voxels
    score[7, 1, 6] = score[8, 2, 7] = 0.3  # one of two voxels that touch at a corner
    score[0, 0, 1] = 0.6  # touches lesion a, so belongs to its finding
    return score, truth


def test_counts_lesions_hits_and_alarms_by_hand(volume):
    found = detect(*volume, np.array([0.2, 0.5, 0.85, 1.0], np.float32), SPACING)
    assert found.sizes.tolist() == [8, 5, 2]
    assert found.hits.tolist() == [[8, 8, 0, 0], [2, 2, 2, 0], [0, 0, 0, 0]]
    assert found.alarms.tolist() == [2, 1, 0, 0]


def test_smaller_voxels_make_specks_of_small_lesions(volume):
    assert LEAST == 10
    found = detect(*volume, np.array([0.5], np.float32), 1.2)  # 1.728 mm³: only lesion a has 10 mm³
    assert found.sizes.tolist() == [8]
    assert found.alarms.tolist() == [1]  # specks are still no false alarms


def test_a_threshold_is_reached_by_equal_scores(volume):
    score, truth = volume
    found = detect(score, truth, score[1, 1, 1:2], SPACING)
    assert found.hits[0].tolist() == [8]


def test_neither_label_nor_threshold_nor_score():
    truth = np.zeros((3, 3, 3), bool)
    score = np.full(truth.shape, 0.5, np.float32)
    healthy = detect(score, truth, np.array([0.4, 0.6], np.float32), 1.0)
    assert (healthy.sizes.size, healthy.hits.shape, healthy.alarms.tolist()) == (0, (0, 2), [1, 0])
    nothing = detect(score, ~truth, np.zeros(0, np.float32), 4.0)
    assert (nothing.sizes.tolist(), nothing.hits.shape, nothing.alarms.shape) == ([27], (1, 0), (0,))


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
    found = detect(score, truth, thresholds, 3.0)
    lesions, anomalous = flooded(truth), set(map(tuple, np.argwhere(truth).tolist()))
    assert sorted(found.sizes) == sorted(map(len, lesions))
    for k, threshold in enumerate(thresholds):
        reached = set(map(tuple, np.argwhere(score >= threshold).tolist()))
        assert sorted(found.hits[:, k]) == sorted(len(lesion & reached) for lesion in lesions)
        assert found.alarms[k] == sum(not (component & anomalous) for component in flooded(score >= threshold))


def test_bounding_box():
    mask = np.zeros((6, 7, 8), bool)
    assert mask[bounding_box(mask)].size == 0
    mask[1, 2, 3] = mask[4, 2, 5] = True  # two parts, one box
    assert bounding_box(mask) == (slice(1, 5), slice(2, 3), slice(3, 6))
