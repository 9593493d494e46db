"""Metrics against scikit-learn on raw scores, hand-computed cases and properties that hold for every ranking."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.evaluation.conftest import exact_dice, histogram_of
from uadbench.evaluation.voxels import bins, metrics
from uadbench.evaluation.voxels.histogram import ScoreHistogram
from uadbench.evaluation.voxels.metrics import auroc, average_precision, average_precision_bounds, best_dice

TOLERANCE = 1e-4
VOXELS = 60_000


def drawn(seed: int = 0, share: float = 0.03, gap: float = 2.0):
    rng = np.random.default_rng(seed)
    labels = rng.random(VOXELS) < share
    return rng.standard_normal(VOXELS) + gap * labels, labels


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


DISTRIBUTIONS = {
    "residual": lambda x: np.abs(x) / 20,
    "squared": np.square,
    "tiny": lambda x: 1e-8 * np.abs(x),
    "rectified": lambda x: np.maximum(x, 0),
    "mostly zero": lambda x: np.maximum(x - 2, 0),
    "sigmoid low": lambda x: sigmoid(3 * x - 9),
    "sigmoid high": lambda x: sigmoid(3 * x + 9),
    "sigmoid saturated": lambda x: sigmoid(6 * x + 14),
    "heavy-tailed": lambda x: np.exp(5 * x),
    "above one": lambda x: 1 + np.exp(x),
    "offset": lambda x: 5 + x / 1000,
    "rounded": lambda x: np.round(np.abs(x), 1),
    "constant": lambda x: np.full_like(x, 0.3),
    "zero": np.zeros_like,
    "bfloat16": lambda x: (np.abs(x).astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_agrees_with_scikit_learn_on_raw_scores(name):
    x, labels = drawn()
    scores = DISTRIBUTIONS[name](x).astype(np.float32)
    histogram = histogram_of((scores, labels))
    assert average_precision(histogram) == pytest.approx(average_precision_score(labels, scores), abs=TOLERANCE)
    assert auroc(histogram) == pytest.approx(roc_auc_score(labels, scores), abs=TOLERANCE)
    dice, threshold = best_dice(histogram)
    assert dice == pytest.approx(exact_dice(labels, scores), abs=TOLERANCE)
    predicted = scores >= threshold  # the threshold attains what is reported
    assert dice == pytest.approx(2 * (predicted & labels).sum() / (predicted.sum() + labels.sum()), abs=1e-12)


def test_ties_count_as_in_scikit_learn():
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 6, 3000).astype(np.float32) / 4
    labels = rng.random(3000) < scores / 3
    histogram = histogram_of((scores, labels))
    assert average_precision(histogram) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    assert auroc(histogram) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert best_dice(histogram)[0] == pytest.approx(exact_dice(labels, scores), abs=1e-12)


def test_by_hand():
    # Ranking: + - + - ; precision 1 at recall ½, 2/3 at recall 1. Dice 2/3, 1/2, 4/5, 2/3. 3 of 4 pairs are in order.
    histogram = histogram_of(([0.9, 0.8, 0.4, 0.1], [1, 0, 1, 0]))
    assert average_precision(histogram) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    dice, threshold = best_dice(histogram)
    assert dice == pytest.approx(4 / 5)
    assert threshold == pytest.approx(0.4, rel=1e-6)
    assert auroc(histogram) == pytest.approx(3 / 4)


def test_without_anomalous_voxel_all_are_undefined():
    histogram = histogram_of(([0.1, 0.2], [0, 0]))
    values = [average_precision(histogram), *best_dice(histogram), auroc(histogram)]
    values += [*average_precision_bounds(histogram), average_precision(ScoreHistogram())]
    assert np.isnan(values).all()


def test_without_normal_voxel_only_auroc_is_undefined():
    histogram = histogram_of(([0.1, 0.2], [1, 1]))
    assert average_precision(histogram) == 1
    assert best_dice(histogram)[0] == 1
    assert np.isnan(auroc(histogram))


def test_of_equal_dice_the_highest_threshold_is_reported():
    # Dice is 2/3 at both 0.9 (1 of 2 found, none wrong) and 0.2 (2 of 2, two wrong).
    assert best_dice(histogram_of(([0.9, 0.5, 0.4, 0.2], [1, 0, 0, 1]))) == (pytest.approx(2 / 3), pytest.approx(0.9))


def test_given_thresholds_restrict_dice():
    x, labels = drawn()
    scores = np.abs(x).astype(np.float32)
    grid = np.linspace(scores.max(), 0, 7)
    brute = {t: 2 * labels[scores >= t].sum() / ((scores >= t).sum() + labels.sum()) for t in grid}
    dice, threshold = best_dice(histogram_of((scores, labels)), grid)
    assert threshold in grid
    assert dice == pytest.approx(max(brute.values()), abs=TOLERANCE)
    assert dice == pytest.approx(brute[threshold], abs=TOLERANCE)
    assert dice < best_dice(histogram_of((scores, labels)))[0]


def test_a_voxel_at_the_threshold_is_called_anomalous():
    assert best_dice(histogram_of(([0.25, 0.5], [0, 1])), np.array([0.5])) == (1, 0.5)


def test_thresholds_above_all_scores_find_nothing():
    assert best_dice(histogram_of(([0.1, 0.2], [0, 1])), np.array([0.5, 0.9]))[0] == 0


def test_many_rows_at_once_equal_one_by_one():
    rng = np.random.default_rng(4)
    negatives, positives = rng.integers(0, 50, (5, 40)), rng.integers(0, 9, (5, 40))
    positives[2] = 0
    for metric in metrics.METRICS.values():
        together = metric(negatives, positives)
        single = [float(metric(n, p)) for n, p in zip(negatives, positives, strict=True)]
        np.testing.assert_allclose(together, single)
        assert np.isnan(together).tolist() == [False, False, True, False, False]
    assert metrics.dice_by_threshold(negatives, positives).shape == (5, 40)


RANKING = st.lists(
    st.tuples(st.one_of(st.floats(0, 1, width=32), st.floats(0, 2.0**100, width=32)), st.booleans()),
    min_size=1,
    max_size=60,
)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(RANKING, st.sampled_from([3, 24, 200]))
def test_exact_value_lies_within_the_bounds_however_coarse_the_bins(ranking, rows):
    scores, labels = (np.array(parts) for parts in zip(*ranking, strict=True))
    assume(labels.any())
    with mock.patch.object(bins, "MAX_ROWS", rows):
        histogram = histogram_of((scores, labels))
    low, high = average_precision_bounds(histogram)
    assert 0 < low <= average_precision(histogram) + 1e-12
    assert low - 1e-12 <= average_precision_score(labels, scores) <= high + 1e-12
    assert high <= 1 + 1e-12


def test_bounds_meet_where_every_bin_is_one_score_and_warn_where_bins_are_too_wide():
    x, labels = drawn()
    tied = np.round(5 + x / 100, 3)
    exact = average_precision_score(labels, tied.astype(np.float32))
    assert average_precision_bounds(histogram_of((tied, labels))) == pytest.approx((exact, exact), abs=1e-12)
    crowded = 5 + x / 1000
    crowded[0] = 1e-30  # one voxel 102 octaves lower costs the others their resolution
    low, high = average_precision_bounds(histogram_of((crowded, labels)))
    assert high - low > TOLERANCE
    assert low <= average_precision_score(labels, crowded.astype(np.float32)) <= high


@pytest.mark.parametrize(
    ("voxels", "positives", "least"), [(20_000, 1000, 0.005), (5000, 500, 0.0), (20_000, 200, 0.0)]
)
def test_few_random_orders_are_below_the_lowest_ap_of_chance(voxels, positives, least):
    """With 1000 anomalous voxels about 1 %; with fewer hardly any."""
    rng = np.random.default_rng(0)
    ranks = (np.sort(rng.choice(voxels, positives, replace=False)) + 1 for _ in range(1000))
    drawn = np.array([(np.arange(1, positives + 1) / rank).mean() for rank in ranks])
    lowest = metrics.lowest_of_chance(np.array([positives]), np.array([voxels]))[0]
    assert least <= (drawn < lowest).mean() <= 0.03
    assert (drawn < positives / voxels).mean() > 0.3
