"""Score histograms: order-preserving codes, exact counts, merging, files."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uadbench.core.errors import HarnessError
from uadbench.evaluation.voxels import bins
from uadbench.evaluation.voxels.bins import HALF, INFINITE, ONE, decode, encode
from uadbench.evaluation.voxels.histogram import ScoreHistogram, load, save

SCORE = st.one_of(
    st.floats(0, float(np.float32(3e38)), width=32),
    st.floats(0, 1, width=32),
    st.floats(0.9990234375, 1, width=32),
    st.sampled_from([0.0, -0.0, 1.0, 0.5, 1e-45, 1e-8, 2.0**-24, float(np.float32(1 - 2**-24))]),
)
NARROW = st.one_of(st.floats(0.25, 0.3125, width=32), st.just(0.0))  # bins stay as wide, only more are needed


def cohorts(score):
    voxels = st.lists(st.tuples(score, st.booleans()), max_size=30)
    return st.lists(st.tuples(st.sampled_from("abc"), voxels), min_size=1, max_size=6)


PROPERTY = settings(deadline=None, derandomize=True, max_examples=50)
ROWS = st.sampled_from([3, 24, 200, 1400])  # small grids are faster and have to coarsen more
COHORT = st.one_of(cohorts(SCORE), cohorts(NARROW))


def histogram_of(cohort) -> ScoreHistogram:
    histogram = ScoreHistogram()
    for subject, voxels in cohort:
        histogram.add(subject, *arrays(voxels))
    return histogram


def filled(subject, scores, labels) -> ScoreHistogram:
    histogram = ScoreHistogram()
    histogram.add(subject, scores, labels)
    return histogram


def arrays(voxels):
    scores = np.array([score for score, _ in voxels], np.float32)
    return scores, np.array([label for _, label in voxels], bool)


def test_codes_grow_with_the_score_and_decode_exactly():
    rng = np.random.default_rng(0)
    edges = [np.arange(at - 3000, at + 3000) for at in (HALF, ONE)]
    bits = np.unique(np.concatenate([rng.integers(0, INFINITE, 300_000), np.arange(3000), *edges, [INFINITE - 1]]))
    codes = encode(bits.astype(np.uint32)).astype(np.int64)
    assert codes[0] == 0
    assert (np.diff(codes) > 0).all()
    np.testing.assert_array_equal(decode(codes), bits.astype(np.uint32).view(np.float32).astype(np.float64))


def test_codes_resolve_scores_near_one_as_finely_as_those_near_zero():
    near_zero = np.array([1e-3, 1.001e-3], np.float32)
    near_one = np.array([1 - 1.001e-3, 1 - 1e-3], np.float32)
    distance = [int(np.diff(encode(pair.view(np.uint32)).astype(np.int64))[0]) for pair in (near_zero, near_one)]
    assert distance[1] == pytest.approx(distance[0], rel=0.05)


@PROPERTY
@given(COHORT, ROWS)
def test_counts_above_every_threshold_are_those_of_the_scores(cohort, rows):
    with mock.patch.object(bins, "MAX_ROWS", rows):
        histogram = histogram_of(cohort)
    scores, labels = arrays([voxel for _, voxels in cohort for voxel in voxels])
    thresholds, negatives, positives = histogram.pooled()
    assert histogram.voxels == len(scores)
    assert histogram.positives == labels.sum()
    assert histogram.subjects == sorted({subject for subject, _ in cohort})
    assert (np.diff(thresholds) > 0).all()
    for place, threshold in enumerate(thresholds):
        chosen = scores.astype(np.float64) >= threshold
        assert positives[place:].sum() == (chosen & labels).sum()
        assert negatives[place:].sum() == (chosen & ~labels).sum()


@PROPERTY
@given(COHORT, ROWS, st.randoms(use_true_random=False))
def test_order_of_subjects_and_voxels_does_not_matter(cohort, rows, random):
    shuffled = [(subject, random.sample(voxels, len(voxels))) for subject, voxels in cohort]
    random.shuffle(shuffled)
    with mock.patch.object(bins, "MAX_ROWS", rows):
        assert histogram_of(shuffled) == histogram_of(cohort)


def test_distant_ranges_in_any_order_make_the_same_histogram():
    rng = np.random.default_rng(1)
    parts = [
        ("a", np.exp(rng.normal(0, 1, 5000))),
        ("b", rng.uniform(0.4, 0.41, 70_000)),
        ("c", np.maximum(rng.normal(0, 1e-30, 5000), 0)),
        ("a", 1 / (1 + np.exp(-rng.normal(8, 4, 5000)))),
        ("d", np.zeros(100)),
    ]
    labelled = [(subject, scores.astype(np.float32), rng.random(len(scores)) < 0.2) for subject, scores in parts]
    union, turned = ScoreHistogram(), ScoreHistogram()
    for part in labelled:
        union.add(*part)
    for part in reversed(labelled):
        turned.add(*part)
    assert turned == union
    assert union.voxels == sum(len(scores) for _, scores in parts)
    assert union.grid.rows <= bins.MAX_ROWS


def test_histograms_that_differ_in_one_voxel_are_unequal():
    scores = np.array([0.1, 0.2, 0.3], np.float32)
    labels = np.array([True, False, False])
    fine = scores + np.float32([0, 2e-5, 0])
    first = filled("a", scores, labels)
    assert first != filled("a", scores, np.array([False, True, False]))
    assert first != filled("b", scores, labels)
    assert first != filled("a", fine, labels)
    assert np.array_equal(first.by_subject["a"], filled("a", fine, labels).by_subject["a"])


def test_few_distinct_scores_are_resolved_exactly_also_beside_zeros():
    five = np.float32(5)
    scores = np.array([np.nextafter(five, np.float32(6)), five, 0, 0], np.float32)
    histogram = filled("a", scores, np.array([True, False, False, True]))
    thresholds, negatives, positives = histogram.pooled()
    np.testing.assert_array_equal(thresholds, np.array([0, five, scores[0]], np.float64))
    assert negatives.tolist() == [1, 1, 0]
    assert positives.tolist() == [1, 0, 1]


def test_counts_per_subject_sum_to_the_pool():
    rng = np.random.default_rng(2)
    histogram = ScoreHistogram()
    sizes = {"c": 500, "a": 0, "b": 300}
    for subject, size in sizes.items():
        histogram.add(subject, rng.gamma(1, size=size).astype(np.float32), rng.random(size) < 0.3)
    negatives, positives = histogram.per_subject()
    assert (negatives + positives).sum(axis=1).tolist() == [0, 300, 500]  # subjects are sorted
    assert positives.sum() == histogram.positives


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, -1e-6, -3.0])
def test_invalid_scores_are_named_and_not_counted(wrong):
    histogram = ScoreHistogram("single/t=25")
    with pytest.raises(HarnessError, match=r"single/t=25 of sub-1: 1 of 3 scores are (negative|not finite)"):
        histogram.add("sub-1", np.array([0.1, wrong, 0.2], np.float32), np.zeros(3, bool))
    assert histogram.voxels == 0
    assert histogram.subjects == []


def test_scores_and_labels_must_match():
    with pytest.raises(ValueError, match="equally long"):
        ScoreHistogram().add("a", np.zeros(3, np.float32), np.zeros(2, bool))


@mock.patch.object(bins, "MAX_ROWS", 200)
@settings(PROPERTY, max_examples=15)
@given(COHORT)
def test_file_gives_back_exactly_what_was_saved(tmp_path_factory, cohort):
    path = tmp_path_factory.mktemp("histograms") / "full.npz"
    saved = {"final": histogram_of(cohort), "single/t=25": histogram_of(cohort[:1]), "nothing": ScoreHistogram()}
    meta = {"title": "⌈VAE⌉", "seed": 3, "revision": 1, "test_set": "0123456789ab"}
    save(path, saved, meta)
    loaded, facts = load(path)
    assert loaded == saved
    assert list(loaded) == list(saved)
    assert facts == meta
    assert load(path, only=["single/t=2?"]) == ({"single/t=25": saved["single/t=25"]}, meta)
    assert load(path, only=["none"]) == ({}, meta)
    loaded["final"].add("later", np.array([0.5], np.float32), np.array([True]))  # a loaded histogram goes on counting
    assert loaded["final"].voxels == saved["final"].voxels + 1


def test_file_keeps_large_counts(tmp_path):
    histogram = filled("a", np.array([0.25, 0.5], np.float32), np.array([False, True]))
    histogram.pool *= 5_000_000_000
    histogram.by_subject["a"] *= np.uint32(4_000_000_000)
    save(tmp_path / "h.npz", {"final": histogram}, {})
    assert load(tmp_path / "h.npz")[0]["final"] == histogram


def test_unreadable_files_are_named(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(HarnessError, match=r"other\.npz: not a whole file of score histograms .*; score"):
        load(tmp_path / "other.npz")
