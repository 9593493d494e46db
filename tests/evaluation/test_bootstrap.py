"""Bootstrap intervals over subjects: against direct resampling of the raw voxels, and properties."""

from unittest import mock

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.evaluation.conftest import exact_dice, histogram_of
from uadbench.evaluation.voxels import bins
from uadbench.evaluation.voxels.bootstrap import bootstrap_all, coarsen, crowded, resampling_weights
from uadbench.evaluation.voxels.histogram import ScoreHistogram
from uadbench.evaluation.voxels.metrics import METRICS, auroc, average_precision, best_dice


def cohort(subjects: int, voxels: int = 600, seed: int = 0):
    """Subjects that differ in lesion size and in how well the scores find it."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(subjects):
        labels = rng.random(voxels) < rng.uniform(0.02, 0.2)
        out.append((np.abs(rng.standard_normal(voxels) + rng.uniform(0, 3) * labels).astype(np.float32), labels))
    return out


@pytest.mark.parametrize(
    ("metric", "exact"), [("ap", average_precision_score), ("auroc", roc_auc_score), ("dice", exact_dice)]
)
def test_agrees_with_direct_resampling(metric, exact):
    subjects = cohort(8)
    values = []
    for weights in resampling_weights(8, 150, seed=7).astype(int):
        drawn = [subjects[number] for number, times in enumerate(weights) for _ in range(times)]
        scores, labels = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
        values.append(exact(labels, scores))
    interval = bootstrap_all(histogram_of(*subjects), [metric], resamples=150, seed=7)[metric]
    assert interval == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=4e-3)  # bins


VISITS = [0, 1, 0, 2, 3, 3, 3, 4]  # patient of each scan


@pytest.mark.parametrize(
    ("metric", "exact"), [("ap", average_precision_score), ("auroc", roc_auc_score), ("dice", exact_dice)]
)
def test_whole_patients_are_resampled(metric, exact):
    """Against a cluster bootstrap of the voxels in numpy, which draws patients and takes all of their scans."""
    scans = cohort(8)
    drawn = np.random.default_rng(7).multinomial(5, np.full(5, 1 / 5), size=150)
    values = []
    for times in drawn:
        chosen = [
            scan
            for patient in range(5)
            for _ in range(times[patient])
            for scan in np.flatnonzero(np.equal(VISITS, patient))
        ]
        scores, labels = (np.concatenate([scans[scan][part] for scan in chosen]) for part in (0, 1))
        values.append(exact(labels, scores))
    histogram = histogram_of(*scans)
    alone = bootstrap_all(histogram, [metric], resamples=150, seed=7)
    histogram.patient_of = {
        f"sub-{scan}": f"patient {patient}" for scan, patient in enumerate(VISITS) if patient in (0, 3)
    }
    interval = bootstrap_all(histogram, [metric], resamples=150, seed=7)[metric]
    assert interval == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=4e-3)  # bins
    histogram.patient_of = {f"sub-{scan}": f"patient {9 - scan}" for scan in range(8)}
    assert bootstrap_all(histogram, [metric], resamples=150, seed=7) == alone  # to the bit: a scan of each patient
    histogram.patient_of = dict.fromkeys(histogram.subjects, "anna")
    assert bootstrap_all(histogram, [metric], resamples=150)[metric] is None


def test_contains_the_value_of_all_subjects():
    histogram = histogram_of(*cohort(12))
    intervals = bootstrap_all(histogram)
    values = {"ap": average_precision(histogram), "dice": best_dice(histogram)[0], "auroc": auroc(histogram)}
    for metric, value in values.items():
        low, high = intervals[metric]
        assert 0 <= low < value < high <= 1


def test_equal_subjects_leave_no_doubt():
    histogram = histogram_of(*cohort(1, voxels=20_000) * 9)
    values = {"ap": average_precision(histogram), "dice": best_dice(histogram)[0], "auroc": auroc(histogram)}
    for metric, interval in bootstrap_all(histogram).items():
        assert interval == pytest.approx((values[metric], values[metric]), abs=1e-9)


def test_more_subjects_narrow_the_interval():
    few, many = (bootstrap_all(histogram_of(*cohort(n, seed=3)), ["ap"])["ap"] for n in (10, 160))
    width = (few[1] - few[0]) / (many[1] - many[0])
    assert 2 < width < 8  # √16 = 4 but for chance


@mock.patch.object(bins, "MAX_ROWS", 64)  # faster
def test_covers_the_true_value_about_as_often_as_it_says():
    # The truth is that of very many subjects.
    truth = auroc(histogram_of(*cohort(1500, voxels=200, seed=99)))
    hits = 0
    for seed in range(60):
        histogram = histogram_of(*cohort(25, voxels=200, seed=1000 + seed))
        low, high = bootstrap_all(histogram, ["auroc"], resamples=200)["auroc"]
        hits += low <= truth <= high
    assert 48 <= hits <= 60  # 95 % of 60 is 57; the percentile interval of 25 subjects covers a little less


def test_undefined_where_nothing_can_be_drawn_or_found():
    one = histogram_of(*cohort(1))
    healthy = histogram_of(*((scores, np.zeros_like(labels)) for scores, labels in cohort(3)))
    for histogram in (one, healthy, ScoreHistogram()):
        assert bootstrap_all(histogram) == dict.fromkeys(METRICS)


def test_resamples_without_anomaly_are_left_out():
    subjects = [(scores, labels & (number == 0)) for number, (scores, labels) in enumerate(cohort(3))]
    low, high = bootstrap_all(histogram_of(*subjects), ["ap"])["ap"]
    assert 0 < low <= high < 1


def test_seed_decides():
    histogram = histogram_of(*cohort(6))
    assert bootstrap_all(histogram, seed=1) == bootstrap_all(histogram, seed=1)
    assert bootstrap_all(histogram, seed=1) != bootstrap_all(histogram, seed=2)


def test_one_metric_alone_has_the_interval_it_has_among_others():
    histogram = histogram_of(*cohort(6))
    together = bootstrap_all(histogram, ["ap", "dice", "auroc"], resamples=100)
    assert {metric: bootstrap_all(histogram, [metric], resamples=100)[metric] for metric in together} == together


def test_weights_draw_as_many_subjects_as_there_are():
    weights = resampling_weights(5, 4000, seed=0)
    assert weights.shape == (4000, 5)
    assert (weights.sum(axis=1) == 5).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.06)
    np.testing.assert_allclose(weights.var(axis=0), 0.8, atol=0.08)  # binomial: 5 · 1/5 · 4/5


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


@pytest.mark.parametrize(
    ("shift", "kept", "there", "expected"),
    [
        (0.0, 15, 61, True),
        (0.0, 15, 60, False),
        (0.0, 16, 900, False),
        (-0.06, 300, 300, True),
        (0.05, 300, 300, False),
    ],
)
def test_scores_are_crowded_in_few_coarse_bins_or_after_a_large_shift(shift, kept, there, expected):
    coarse, fine = np.zeros((2, 2, 400)), np.zeros((2, 2, 1000))
    coarse[0, 1, :kept], fine[1, 0, :there] = 3, 1
    assert crowded(shift, coarse, fine) is expected
