"""Thresholds from healthy subjects: against sorting all scores, and at the edges where maps saturate or are empty."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluation.conftest import histogram_of
from uadbench.evaluation.detection.findings import RATES, Calibrator, slice_peaks, summary, thresholds_at
from uadbench.evaluation.voxels.histogram import ScoreHistogram


def healthy(scores: np.ndarray) -> ScoreHistogram:
    return histogram_of((scores, np.zeros(scores.size)))


def reached(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    return np.array([(scores.astype(np.float32) >= threshold).mean() for threshold in thresholds])


@pytest.mark.parametrize("kind", ["residual", "sigmoid", "large"])
def test_agrees_with_sorting_all_scores(kind):
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal(60_000)
    scores = {"residual": np.abs(drawn) / 20, "sigmoid": 1 / (1 + np.exp(-4 * drawn)), "large": np.exp(3 * drawn)}[kind]
    scores = scores.astype(np.float32)
    ordered = np.sort(scores)[::-1]
    exact = [ordered[int(rate * scores.size + 1e-9) - 1] for rate in RATES]
    thresholds = thresholds_at(healthy(scores), np.array(RATES))
    assert thresholds.dtype == np.float32
    np.testing.assert_allclose(thresholds, exact, rtol=1e-4)
    share = reached(scores, thresholds)
    assert (share <= RATES).all()
    np.testing.assert_allclose(share, RATES, atol=2 / scores.size)  # near 1, sigmoids tie


def test_bins_between_floats_are_rounded_up():
    # Just below 1 the codes are finer than floats, so that the edge of a bin need not be one.
    rng = np.random.default_rng(1)
    scores = (1 - 10.0 ** rng.uniform(-7.2, -0.5, 50_000)).astype(np.float32)
    assert (reached(scores, thresholds_at(healthy(scores), np.array(RATES))) <= RATES).all()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 1e-6, 0.1, 0.25, 0.5, 0.75, 0.999999, 1.0, 3.0, 1e6]), min_size=1, max_size=40),
    st.lists(st.floats(0, 0.99), min_size=1, max_size=6),
)
def test_no_more_than_the_rate_and_rising_as_it_falls(scores, rates):
    values = np.array(scores)
    falling = np.array(sorted(rates, reverse=True))
    thresholds = thresholds_at(healthy(values), falling)
    assert (thresholds > 0).all()
    assert (np.diff(thresholds) >= 0).all()
    assert (reached(values, thresholds) <= falling).all()


def test_nothing_reaches_the_threshold_of_a_saturated_map():
    scores = np.r_[np.linspace(0, 0.9, 900), np.ones(100)]
    low, high = thresholds_at(healthy(scores), np.array([0.1, 0.05]))
    assert (low, high) == (1.0, np.nextafter(np.float32(1), np.float32(2)))


def test_an_empty_map_has_thresholds_above_zero():
    assert thresholds_at(healthy(np.zeros(50)), np.array([0.01]))[0] > 0


def test_no_healthy_voxel_is_an_error():
    with pytest.raises(ValueError, match="no healthy voxel"):
        Calibrator().finish()


def test_counts_the_brain_alone():
    rng = np.random.default_rng(2)
    calibrator = Calibrator()
    inside = []
    for number in range(3):
        brain = np.zeros((5, 12, 10), bool)
        brain[number : number + 2, 2:9, 3:8] = True
        score = np.where(brain, rng.gamma(2, size=brain.shape), 0).astype(np.float32)
        calibrator.add(f"sub-{number}", score, brain)
        inside.append(score[brain])
    made = calibrator.finish()
    assert made.subjects == ("sub-0", "sub-1", "sub-2")
    np.testing.assert_allclose(made.summaries, [np.percentile(scores, 99) for scores in inside], rtol=1e-6)
    five = made.thresholds[list(RATES).index(0.05)]
    assert np.concatenate(inside).size * 0.05 >= (np.concatenate(inside) >= five).sum() == 10  # of 210 voxels


def test_summary_is_not_the_highest_score_and_0_without_voxels():
    assert summary(np.r_[np.zeros(999), 7.0].astype(np.float32)) == 0
    assert summary(np.zeros(0, np.float32)) == 0


def test_slices_without_brain_have_no_peak():
    brain = np.zeros((4, 3, 3), bool)
    brain[1, 1, 1] = True
    assert slice_peaks(np.zeros(brain.shape, np.float32), brain).tolist() == [0]
    assert slice_peaks(np.zeros(brain.shape, np.float32), np.zeros_like(brain)).size == 0
