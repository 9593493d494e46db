"""Intervals by the delete-one jackknife: against metrics of the raw voxels without each patient, and properties."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.evaluation.conftest import exact_dice, histogram_of
from uadbench.evaluation.voxels import jackknife
from uadbench.evaluation.voxels.histogram import ScoreHistogram
from uadbench.evaluation.voxels.jackknife import (
    ALONE,
    CROWDED,
    NONE,
    Interval,
    Spread,
    leave_one_out,
    of_histogram,
    pooled,
    ratio,
)
from uadbench.evaluation.voxels.metrics import METRICS, auroc, average_precision, best_dice

EXACT = [("ap", average_precision_score), ("auroc", roc_auc_score), ("dice", exact_dice)]


def cohort(subjects: int, voxels: int = 600, seed: int = 0):
    """Subjects that differ in lesion size and in how well the scores find it."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(subjects):
        labels = rng.random(voxels) < rng.uniform(0.02, 0.2)
        out.append((np.abs(rng.standard_normal(voxels) + rng.uniform(0, 3) * labels).astype(np.float32), labels))
    return out


def by_hand(value: float, left_out: list[float]) -> tuple[float, float, float]:
    """Limits and n_eff by the formulas of the delete-one jackknife on the logit."""
    d = logit(left_out) - np.mean(logit(left_out))
    error = np.sqrt((len(d) - 1) / len(d) * np.sum(d**2))
    effective = np.sum(d**2) ** 2 / np.sum(d**4)
    half = stats.t.ppf(0.975, effective) * error
    return (*expit([logit(value) - half, logit(value) + half]), effective)


@pytest.mark.parametrize(("metric", "exact"), EXACT)
@pytest.mark.parametrize("visits", [None, [0, 1, 0, 2, 3, 3, 3, 4]])
def test_agrees_with_the_metric_of_raw_voxels_without_each_patient(metric, exact, visits):
    scans = cohort(8)
    histogram = histogram_of(*scans)
    if visits:
        histogram.patient_of = {f"sub-{scan}": f"p{visit}" for scan, visit in enumerate(visits) if visit in (0, 3)}

    def of(chosen) -> float:
        scores, labels = (np.concatenate([scans[scan][part] for scan in chosen]) for part in (0, 1))
        return exact(labels, scores)

    patients = visits or range(8)
    left_out = [of([s for s in range(8) if patients[s] != patient]) for patient in dict.fromkeys(patients)]
    found = of_histogram(histogram, [metric])[metric]
    low, high, effective = by_hand(of(range(8)), left_out)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)  # bins
    assert found.n_eff == pytest.approx(effective, rel=0.15)
    assert found.n_eff < len(left_out)


def test_several_scans_of_a_patient_widen_and_one_patient_has_none():
    histogram = histogram_of(*cohort(8))
    alone = of_histogram(histogram)
    histogram.patient_of = {f"sub-{scan}": f"patient {9 - scan}" for scan in range(8)}
    assert of_histogram(histogram) == alone  # to the bit: a scan of each patient
    histogram.patient_of = dict.fromkeys(histogram.subjects, "anna")
    assert of_histogram(histogram) == dict.fromkeys(METRICS, NONE)


def test_contains_the_value_of_all_subjects():
    histogram = histogram_of(*cohort(12))
    values = {"ap": average_precision(histogram), "dice": best_dice(histogram)[0], "auroc": auroc(histogram)}
    for metric, found in of_histogram(histogram).items():
        assert 0 <= found.low < values[metric] < found.high <= 1


def test_equal_subjects_are_no_certainty():
    assert of_histogram(histogram_of(*cohort(1, voxels=20_000) * 9)) == dict.fromkeys(METRICS, NONE)


def counts(subjects: int, seed: int, noise: bool = True) -> list[np.ndarray]:
    """Normal and anomalous voxels (subjects, bins) whose lesions differ in size and ease."""
    rng, edges = np.random.default_rng(seed), np.append(-np.inf, np.linspace(-3, 6, 60))
    share, ease = np.exp(rng.normal(-3.5, 0.8, (subjects, 1))), rng.normal(1.5, 0.5, (subjects, 1))
    means = [5000 * part * np.diff(stats.norm.cdf(edges - by)) for part, by in ((1 - share, 0), (share, ease))]
    return [rng.poisson(mean) if noise else mean for mean in means]


def interval_of(parts: list[np.ndarray]) -> Interval:
    value = float(METRICS["ap"](*(part.sum(axis=0) for part in parts)))
    return pooled(value, leave_one_out(METRICS["ap"], *parts, range(len(parts[0]))))


def test_covers_the_true_value_as_often_as_it_says_and_narrows():
    """`benchmarks/uncertainty.py` measures this on many laws."""
    truth = float(METRICS["ap"](*(part.sum(axis=0) for part in counts(8_000, 99, noise=False))))
    few, many = ([interval_of(counts(n, seed)) for seed in range(100)] for n in (30, 120))
    for found in (few, many):
        assert 91 <= sum(one.low <= truth <= one.high for one in found) <= 100  # 95 %: 95 ± 2
    widths = [np.median([one.high - one.low for one in found]) for found in (few, many)]
    assert 2 < widths[0] / widths[1] < 3  # √4 and fewer degrees of freedom


def test_undefined_where_nothing_is_left_or_found():
    one = histogram_of(*cohort(1))
    healthy = histogram_of(*((scores, np.zeros_like(labels)) for scores, labels in cohort(3)))
    for histogram in (one, healthy, ScoreHistogram()):
        assert of_histogram(histogram) == dict.fromkeys(METRICS, NONE)
    single = [(scores, labels & (number == 0)) for number, (scores, labels) in enumerate(cohort(3))]
    assert of_histogram(histogram_of(*single), ["ap"])["ap"] is ALONE


def test_a_giant_lesion_decides():
    """Eleven small lesions that nothing finds, and a large one: the truth may be anywhere, and n_eff says why."""
    rng = np.random.default_rng(0)
    subjects = []
    for number in range(12):
        labels = np.arange(4000) < (1500 if number == 0 else 20)
        subjects.append((np.abs(rng.standard_normal(4000) + 2.5 * labels * (number == 0)).astype(np.float32), labels))
    found = of_histogram(histogram_of(*subjects), ["ap"])["ap"]
    assert found.n_eff < 1.5
    assert found.low < 0.05
    assert found.high > 0.95


def test_where_bins_of_subjects_crowd_there_is_no_interval():
    """A voxel far below the others: the pool still tells them apart, the bins of subjects do not."""
    subjects = [(5 + 0.01 * scores, labels) for scores, labels in cohort(6, 4000)]
    assert of_histogram(histogram_of(*subjects), ["ap"])["ap"].low > 0
    subjects[0][0][0] = 1e-6
    assert of_histogram(histogram_of(*subjects), ["ap"])["ap"] is CROWDED


def test_means_have_the_interval_of_a_mean_on_the_logit():
    values = np.array([0.2, 0.9, 0.4, 0.5, 0.1, 0.0])
    has = np.array([True, True, True, True, True, False])
    found = ratio(values, has, range(6), mean=True)
    left_out = logit((values[:5].sum() - values[:5]) / 4)
    error = np.sqrt(4 / 5 * ((left_out - left_out.mean()) ** 2).sum())
    half = stats.t.ppf(0.975, 4) * error
    assert (found.low, found.high) == pytest.approx(tuple(expit(logit(0.42) + np.array([-half, half]))))
    assert error == pytest.approx(values[:5].std(ddof=1) / np.sqrt(5) / 0.42 / 0.58, rel=0.05)  # delta method


def test_means_of_other_numbers_are_on_the_logarithm():
    alarms = np.array([3.0, 0, 12, 4, 7])
    found = ratio(alarms, np.ones(5), range(5), mean=True)
    left_out = np.log((26 - alarms) / 4)
    d = left_out - left_out.mean()
    effective = (d**2).sum() ** 2 / (d**4).sum()
    half = stats.t.ppf(0.975, effective) * np.sqrt(4 / 5 * (d**2).sum())
    assert (found.low, found.high, found.n_eff) == pytest.approx((*(5.2 * np.exp([-half, half])), effective))
    assert ratio(np.array([9.0, 0, 0]), np.ones(3), range(3), mean=True) is ALONE  # all of one subject
    assert ratio(np.zeros(3), np.ones(3), range(3), mean=True) is NONE


def test_fractions_of_all_lesions_are_pooled():
    found, lesions = np.array([3, 1, 0, 5, 2]), np.array([4, 3, 1, 5, 9])
    left_out = [(found.sum() - f) / (lesions.sum() - n) for f, n in zip(found, lesions, strict=True)]
    made = ratio(found, lesions, range(5))
    assert (made.low, made.high, made.n_eff) == pytest.approx(by_hand(found.sum() / lesions.sum(), left_out))
    assert ratio(found, lesions, ["a", "a", "b", "c", "c"]).n_eff < made.n_eff
    assert ratio(np.array([2, 0]), np.array([3, 0]), range(2)) is ALONE
    assert ratio(np.array([2, 3]), np.array([2, 3]), range(2)) is NONE  # all found: no certainty


def test_two_groups_add_their_variances():
    one, other = np.array([0.7, 0.72, 0.69]), np.array([0.71, 0.7, 0.75, 0.7])
    found = pooled(0.71, one, other)
    parts = [Spread.of(logit(group)) for group in (one, other)]
    total = sum(part.variance for part in parts)
    freedom = total**2 / sum(part.variance**2 / part.freedom for part in parts)  # Satterthwaite
    assert found.n_eff == pytest.approx(freedom)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(total)
    assert logit(found.high) - logit(found.low) == pytest.approx(2 * half)


def test_batches_of_patients_change_nothing(monkeypatch):
    histogram = histogram_of(*cohort(9))
    whole = of_histogram(histogram)
    monkeypatch.setattr(jackknife, "BATCH", 4)
    assert of_histogram(histogram) == whole


@pytest.mark.parametrize(
    ("shift", "kept", "there", "expected"),
    [
        (0.0, 15, 61, True),
        (0.0, 15, 60, False),
        (0.0, 16, 900, False),
        (-0.011, 300, 300, True),
        (0.009, 300, 300, False),
    ],
)
def test_scores_are_crowded_in_few_bins_of_subjects_or_after_a_shift(shift, kept, there, expected):
    rows, fine = np.zeros((2, 2, 400)), np.zeros((2, 1000))
    rows[0, 1, :kept], fine[0, :there] = 3, 1
    metric = lambda negatives, _: np.float64(shift if negatives.shape == (1000,) else 0)  # noqa: E731
    assert jackknife.crowded(metric, rows, fine) is expected
