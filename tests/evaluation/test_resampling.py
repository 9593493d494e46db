"""Resamples of patients, and coarse bins."""

import numpy as np

from uadbench.evaluation.voxels.resampling import coarsen, resampling_weights


def test_weights_draw_as_many_subjects_as_there_are():
    weights = resampling_weights(5, 4000, seed=0)
    assert weights.shape == (4000, 5)
    assert (weights.sum(axis=1) == 5).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.06)
    np.testing.assert_allclose(weights.var(axis=0), 0.8, atol=0.08)  # binomial: 5 · 1/5 · 4/5


def test_the_scans_of_a_patient_stay_together():
    weights = resampling_weights(["a", "b", "a"], 50, seed=0)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    assert (weights[:, :2].sum(axis=1) == 2).all()


def test_coarsening_keeps_order_totals_and_detail():
    rng = np.random.default_rng(0)
    negatives, positives = rng.poisson(3, (4, 900)), rng.poisson(0.2, (4, 900))
    coarse = coarsen(negatives, positives, 50)
    for fine, joined in zip((negatives, positives), coarse, strict=True):
        assert 40 <= joined.shape[1] <= 50
        np.testing.assert_array_equal(joined.sum(axis=1), fine.sum(axis=1))
        assert np.isin(np.cumsum(joined.sum(axis=0)), np.cumsum(fine.sum(axis=0))).all()
    assert coarse[0].sum(axis=0).max() < 3 * coarse[0].sum() / 50


def test_few_bins_stay_as_they_are():
    negatives, positives = np.array([[5, 1, 7]]), np.array([[0, 2, 3]])
    coarse = coarsen(negatives, positives, 512)
    np.testing.assert_array_equal(coarse[0], negatives)
    np.testing.assert_array_equal(coarse[1], positives)
