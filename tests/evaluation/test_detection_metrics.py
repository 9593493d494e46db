"""Metrics of subjects, slices and lesions: against scikit-learn, brute force and direct resampling."""

import re
from dataclasses import astuple, replace

import numpy as np
import pytest
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from sklearn.metrics import average_precision_score, roc_auc_score

from uadbench.evaluation.detection.detection_metrics import detection, exact_auroc
from uadbench.evaluation.detection.findings import LATER, RATES, Calibrator, Findings, tolerance
from uadbench.evaluation.detection.lesions import detect, surface_agreement
from uadbench.evaluation.inference.collecting import ScoredSubject
from uadbench.evaluation.inference.findings_collector import FindingsCollector
from uadbench.evaluation.protocols.protocols import Truth
from uadbench.evaluation.voxels.jackknife import pooled, ratio
from uadbench.evaluation.voxels.metrics import ranked

SHAPE = (8, 14, 12)
SPACING = 4.0


def brain_of(rng) -> np.ndarray:
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in SHAPE), indexing="ij")
    return z**2 + y**2 + x**2 < rng.uniform(0.6, 0.9)


def scored(rng, brain, lesion, gain) -> np.ndarray:
    return np.where(brain, np.abs(rng.standard_normal(SHAPE) + gain * lesion), 0).astype(np.float32)


@pytest.fixture(scope="module")
def cohort():
    """Nine test subjects, not all with a lesion, as (score, label, brain), and five healthy ones (score, brain)."""
    rng = np.random.default_rng(0)
    tested, healthy = [], []
    for number in range(9):
        brain = brain_of(rng)
        lesion = ndimage.gaussian_filter(rng.standard_normal(SHAPE), 1.2)
        lesion = (lesion > np.quantile(lesion, 0.97)) & (number != 3)  # also outside of the brain
        tested.append((scored(rng, brain, lesion, rng.uniform(1, 4)), lesion, brain))
    for _ in range(5):
        brain = brain_of(rng)
        healthy.append((scored(rng, brain, 0, 0), brain))
    return tested, healthy


def collect(cohort, calibrate=True) -> Findings:
    tested, healthy = cohort
    calibrator = Calibrator()
    for number, (score, brain) in enumerate(healthy):
        calibrator.add(f"healthy-{number}", score, brain)
    collector = FindingsCollector(calibrator.finish() if calibrate else None)
    for number, (score, label, brain) in enumerate(tested):
        collector.add(ScoredSubject(Truth(f"sub-{number}", label, brain, (SPACING,) * 3), {"final": score}))
    return collector.finish()


@pytest.fixture(scope="module")
def findings(cohort) -> Findings:
    return collect(cohort)


@pytest.fixture(scope="module")
def rows(findings) -> dict[str, dict]:
    return {row["metric"]: row for row in detection(findings)}


def values(findings: Findings, **options) -> dict[str, float]:
    return {row["metric"]: row["value"] for row in detection(findings, **options)}


def voxels(cohort) -> list[tuple[np.ndarray, np.ndarray]]:
    """Scores and labels of brain and label; outside of the brain scores are 0."""
    return [(score[brain | label], label[brain | label]) for score, label, brain in cohort[0]]


def dice(scores, labels, threshold) -> float:
    predicted = scores >= threshold
    return 2 * (predicted & labels).sum() / (predicted.sum() + labels.sum())


def test_subjects_agree_with_scikit_learn_and_brute_force(cohort, rows):
    ill = [(scores, labels) for scores, labels in voxels(cohort) if labels.any()]
    assert 5 < len(ill) < 9
    ap = np.mean([average_precision_score(labels, scores) for scores, labels in ill])
    assert rows["subject_ap"]["value"] == pytest.approx(ap, abs=1e-9)
    best = np.mean([max(dice(scores, labels, t) for t in np.unique(scores)) for scores, labels in ill])
    assert rows["subject_dice"]["value"] == pytest.approx(best, abs=1e-9)


def test_ranking_takes_ties_as_one_threshold():
    rng = np.random.default_rng(1)
    scores, labels = (rng.integers(0, 6, 400) / 5).astype(np.float32), rng.random(400) < 0.2
    ap, best = ranked(scores, labels)
    assert ap == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    assert best == pytest.approx(max(dice(scores, labels, t) for t in np.unique(scores)), abs=1e-12)
    assert np.isnan(ranked(scores, np.zeros(400, bool))).all()


@pytest.mark.parametrize(("metric", "rate"), [("dice_healthy5", 0.05), ("dice_healthy1", 0.01)])
def test_dice_at_a_healthy_rate_agrees_with_brute_force(cohort, rows, metric, rate):
    healthy = np.concatenate([score[brain] for score, brain in cohort[1]])
    scores, labels = (np.concatenate(parts) for parts in zip(*voxels(cohort), strict=True))
    threshold = rows[f"threshold@{rate}"]["value"]
    assert rate - 1 / healthy.size <= (healthy >= threshold).mean() <= rate
    assert rows[metric]["value"] == pytest.approx(dice(scores, labels, threshold), abs=1e-12)
    assert rows[f"voxel_fpr@{rate}"]["value"] == pytest.approx((scores[~labels] >= threshold).mean(), abs=1e-12)


def test_auroc_of_slices_and_subjects_agrees_with_scikit_learn(cohort, rows):
    labels, peaks = [], []
    for score, label, brain in cohort[0]:
        for z in range(SHAPE[0]):
            if (brain | label)[z].any():
                labels.append(label[z].any())
                peaks.append(score[z].max())
    assert rows["slice_auroc"]["value"] == pytest.approx(roc_auc_score(labels, peaks), abs=1e-12)
    assert rows["slice_ap"]["value"] == pytest.approx(average_precision_score(labels, peaks), abs=1e-12)
    assert rows["slice_chance"]["value"] == pytest.approx(np.mean(labels))
    ill = [np.percentile(score[brain], 99) for score, label, brain in cohort[0] if label.any()]
    healthy = [np.percentile(score[brain], 99) for score, brain in cohort[1]]
    exact = roc_auc_score([1] * len(ill) + [0] * len(healthy), ill + healthy)
    assert rows["subject_auroc"]["value"] == pytest.approx(exact, abs=1e-12)


def test_auroc_counts_ties_half():
    rng = np.random.default_rng(5)
    scores, labels = rng.integers(0, 4, 60), rng.random(60) < 0.4
    assert exact_auroc(scores[~labels], scores[labels]) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@pytest.mark.parametrize("rate", RATES)
def test_lesions_and_false_positives_agree_with_counting(cohort, rows, rate):
    threshold = rows[f"threshold@{rate:g}"]["value"]
    lesions = hits = alarms = wrong = 0
    for score, label, _ in cohort[0]:
        marked, count = ndimage.label(label, np.ones((3, 3, 3)))
        lesions += count  # a voxel of 64 mm³ is large enough
        flagged, candidates = ndimage.label(score >= threshold, np.ones((3, 3, 3)))
        pairs = np.zeros((candidates, count), int)
        for i, j in np.ndindex(pairs.shape):
            one, other = flagged == i + 1, marked == j + 1
            pairs[i, j] = (one & other).sum() / (one | other).sum() >= 0.1
        matched = np.count_nonzero(maximum_bipartite_matching(csr_array(pairs), perm_type="column") >= 0)
        hits, alarms = hits + matched, alarms + candidates - matched
        wrong += np.count_nonzero((score >= threshold) & ~label)
    assert rows["lesions"]["value"] == lesions
    assert rows[f"sensitivity@{rate:g}"]["value"] == pytest.approx(hits / lesions)
    assert rows[f"false_positives@{rate:g}"]["value"] == pytest.approx(alarms / 9)
    assert rows[f"false_positive_ml@{rate:g}"]["value"] == pytest.approx(wrong * 0.064 / 9)
    assert rows[f"lesion_f1@{rate:g}"]["value"] == pytest.approx(2 * hits / (lesions + hits + alarms))


@pytest.mark.parametrize("seed", range(8))
def test_thresholds_rise_with_falling_rates(seed):
    rng = np.random.default_rng(seed)
    brain = brain_of(rng)
    lesion = rng.random(SHAPE) < 0.05
    power = rng.uniform(0.5, 8)  # scores of any shape
    tested = [(scored(rng, brain, lesion, 2) ** power, lesion, brain) for _ in range(3)]
    found = values(collect((tested, [(scored(rng, brain, 0, 0) ** power, brain)])))
    for name, sign in (("threshold", 1), ("voxel_fpr", -1)):
        line = np.array([found[f"{name}@{rate:g}"] for rate in RATES])
        assert (sign * np.diff(line) >= 0).all()
        assert np.ptp(line) > 0


def test_a_map_that_floods_the_brain_detects_nothing():
    """As where a test set's scanner lifts all scores above the healthy threshold."""
    brain = np.ones((6, 20, 20), bool)
    label = np.zeros(brain.shape, bool)
    label[2:4, 5:9, 5:9] = True
    flooded, sharp = (np.where(where, np.float32(5), np.float32(0)) for where in (brain, label))
    healthy = [(np.where(brain, np.float32(0.1), np.float32(0)), brain)]
    found = values(collect(([(flooded, label, brain)], healthy)))
    assert (found["sensitivity@0.01"], found["lesion_f1@0.01"], found["false_positives@0.01"]) == (0, 0, 1)
    assert found["false_positive_ml@0.01"] == pytest.approx((2400 - 32) * 0.064)
    exact = values(collect(([(sharp, label, brain)], healthy)))
    assert (exact["sensitivity@0.01"], exact["lesion_f1@0.01"], exact["false_positives@0.01"]) == (1, 1, 0)


def test_lesions_outside_of_the_brain_are_missed():
    brain = np.zeros((4, 10, 10), bool)
    brain[1:3, 2:8, 2:8] = True
    label = np.zeros(brain.shape, bool)
    label[1, 3:5, 3:5] = True
    label[1, 9, 4:6] = True  # two of six voxels outside
    score = np.where(brain, np.float32(0.1), np.float32(0))
    score[label & brain] = 1
    found = values(collect(([(score, label, brain)], [(np.where(brain, np.float32(0.2), np.float32(0)), brain)])))
    assert found["outside_brain"] == pytest.approx(2 / 6)
    assert found["subject_dice"] == pytest.approx(2 * 4 / (4 + 6))
    assert found["subject_ap"] == pytest.approx(4 / 6 + 2 / 6 * 6 / 74, abs=1e-6)
    assert (found["lesions"], found["sensitivity@0.01"]) == (2, 0.5)


def test_subjects_by_volume_of_their_lesions(findings):
    anomalous = np.array([0, 7, 8, 79, 80, 0, 0, 0, 0])  # voxels of 0.125 ml
    made = replace(findings, spacing=5.0, anomalous=anomalous, ap=np.linspace(0.1, 0.9, 9), dice=np.linspace(0, 0.8, 9))
    found = values(made)
    assert found["subject_ap/0-1ml"] == pytest.approx(0.2)
    assert found["subject_ap/1-10ml"] == pytest.approx((0.3 + 0.4) / 2)
    assert found["subject_dice/10-100ml"] == pytest.approx(0.4)
    assert "subject_ap/100ml+" not in found


def test_dice_of_subjects_at_a_healthy_rate(cohort, rows):
    threshold = rows["threshold@0.01"]["value"]
    ill = [dice(scores, labels, threshold) for scores, labels in voxels(cohort) if labels.any()]
    assert rows["subject_dice_healthy1"]["value"] == pytest.approx(np.mean(ill), abs=1e-12)


def test_surfaces_are_those_at_a_healthy_threshold(cohort, rows):
    threshold, expected = rows["threshold@0.01"]["value"], []
    for score, label, brain in cohort[0]:
        if label.any():
            called = np.where(brain, score, 0) >= threshold
            box = np.argwhere(brain | label)
            diagonal = float(np.linalg.norm((np.ptp(box, axis=0) + 1) * SPACING))
            expected.append(surface_agreement(called, label, (SPACING,) * 3, diagonal, tolerance((SPACING,) * 3)))
    found = [rows[f"subject_{name}_healthy1"]["value"] for name in ("hd95", "surface_dice")]
    assert found == pytest.approx(np.mean(expected, axis=0))
    assert 0 <= rows["subject_surface_dice_healthy1"]["low"] < found[1] < rows["subject_surface_dice_healthy1"]["high"]


@pytest.mark.parametrize("rate", RATES)
def test_sensitivity_at_a_rate_of_normal_voxels_is_that_of_detect(cohort, rows, rate):
    """At the lowest score that at most this fraction of all normal voxels of the test set reach."""
    normal = np.sort(np.concatenate([scores[~labels] for scores, labels in voxels(cohort)]))[::-1]
    allowed = int(rate * len(normal))
    everything = np.unique(np.concatenate([scores for scores, _ in voxels(cohort)]))
    threshold = everything[everything > max(normal[allowed], 0)][:1]
    found = [
        detect(np.where(brain, score, np.float32(0)), label, threshold, SPACING) for score, label, brain in cohort[0]
    ]
    hits, lesions = (
        sum(numbers) for numbers in zip(*((one.found.sum(), len(one.sizes)) for one in found), strict=True)
    )
    assert rows[f"sensitivity_equal@{rate:g}"]["value"] == pytest.approx(hits / lesions)


def test_froc_is_the_mean_of_its_points_and_missing_in_earlier_files(rows, findings):
    points = [rows[f"froc@{alarms:g}"]["value"] for alarms in (0.125, 0.25, 0.5, 1, 2, 4, 8)]
    assert rows["froc"]["value"] == pytest.approx(np.mean(points))
    assert points == sorted(points)
    earlier = replace(findings, **{name: np.zeros(0) for name in LATER})
    assert {metric for metric in rows if metric not in values(earlier)} == {
        metric for metric in rows if metric.startswith(("froc", "sensitivity_equal"))
    }


def test_regions_are_lesions_among_normal_voxels(cohort, rows):
    normal = np.concatenate([scores[~labels] for scores, labels in voxels(cohort)])
    areas = []
    for score, label, brain in cohort[0]:
        components, count = ndimage.label(label, np.ones((3, 3, 3)))
        for number in range(1, count + 1):
            lesion = np.where(brain, score, 0)[components == number]
            truth = np.r_[np.zeros(len(normal)), np.ones(len(lesion))]
            # McClish's standardisation, undone: the area itself, of its largest value
            partial = roc_auc_score(truth, np.r_[normal, lesion], max_fpr=0.3)
            least, most = 0.3**2 / 2, 0.3
            areas.append(((2 * partial - 1) * (most - least) + least) / most)
    assert rows["aupro"]["value"] == pytest.approx(np.mean(areas), abs=2e-3)


def test_sensitivity_by_size_of_lesion(findings):
    sizes = np.array([1, 7, 8, 79, 80, 799, 800, 5000])  # voxels of 0.125 ml
    hits = np.zeros((8, 6), bool)
    hits[[1, 2, 4, 6, 7], 2] = True  # at 1 %
    made = replace(findings, spacing=5.0, lesion_voxels=sizes, lesion_subjects=np.arange(8), lesion_found=hits)
    found = values(made)
    parts = {"0-1ml": 1 / 2, "1-10ml": 1 / 2, "10-100ml": 1 / 2, "100ml+": 1.0}
    for part, sensitivity in parts.items():
        assert found[f"lesions/{part}"] == 2
        assert found[f"sensitivity@0.01/{part}"] == sensitivity
        assert found[f"sensitivity@0.001/{part}"] == 0
    assert found["sensitivity@0.01"] == 5 / 8
    only = replace(made, lesion_voxels=sizes[:1], lesion_subjects=np.zeros(1, int), lesion_found=hits[:1])
    assert "lesions/1-10ml" not in values(only)
    assert not any(metric.endswith("100ml+") for metric in values(only))


def limits(row) -> tuple[float, float]:
    return row["low"], row["high"]


def test_intervals_are_those_of_means_and_of_fractions(findings, rows):
    """By the metric without each subject."""
    values = findings.ap[findings.anomalous > 0]
    left_out = (values.sum() - values) / (len(values) - 1)
    expected = pooled(values.mean(), left_out, freedom=len(values) - 1)
    assert limits(rows["subject_ap"]) == pytest.approx(astuple(expected)[:2])
    alarms = findings.alarms[:, 0]
    expected = pooled(alarms.mean(), (alarms.sum() - alarms) / (len(alarms) - 1), bounded=False)
    assert limits(rows["false_positives@0.05"]) == pytest.approx(astuple(expected)[:2])
    whole = range(len(findings.subjects))

    def found(metric: str, left: list[int]) -> float:
        if metric == "sensitivity@0.01":
            return findings.lesion_found[np.isin(findings.lesion_subjects, left), 2].mean()
        both = findings.flagged[left, 0].sum() + findings.anomalous[left].sum()
        return 2 * findings.true[left, 0].sum() / both

    for metric in ("sensitivity@0.01", "dice_healthy5"):
        counts = [s for s in whole if metric != "sensitivity@0.01" or s in findings.lesion_subjects]
        left_out = np.array([found(metric, [s for s in whole if s != one]) for one in counts])
        expected = pooled(found(metric, [*whole]), left_out)
        assert (*limits(rows[metric]), rows[metric]["n_eff"]) == pytest.approx(astuple(expected))
        assert rows[metric]["low"] < rows[metric]["value"] < rows[metric]["high"]


def test_whole_patients_are_left_out(findings, rows):
    """For the AUROC of subjects those of the healthy ones as well, as a group of their own."""
    visits, healthy = [0, 1, 1, 2, 3, 3, 3, 4, 5], findings.healthy_summaries
    well = ["x", "x", *map(str, range(len(healthy) - 2))]
    found = replace(findings, healthy_subjects=tuple(f"well-{k}" for k in range(len(healthy))))
    named = {name: f"p{patient}" for name, patient in zip(found.subjects, visits, strict=True)}
    named |= dict(zip(found.healthy_subjects, well, strict=True))
    has = found.anomalous > 0
    ill = [patient for patient, anomalous in zip(visits, has, strict=True) if anomalous]

    def won(without, group: int) -> float:
        keep = [np.array([who != without or group != k for who in people]) for k, people in enumerate((ill, well))]
        a, b = found.summaries[has][keep[0]], healthy[keep[1]]
        return float(((a[:, None] > b) + 0.5 * (a[:, None] == b)).mean())

    groups = [np.array([won(who, k) for who in dict.fromkeys(people)]) for k, people in enumerate((ill, well))]
    made = {row["metric"]: row for row in detection(found, named)}
    assert limits(made["subject_auroc"]) == pytest.approx(astuple(pooled(won(None, 0), *groups))[:2])
    by_hand = ratio(np.where(has, found.ap, 0), has, visits, mean=True)
    assert limits(made["subject_ap"]) == pytest.approx(astuple(by_hand)[:2])
    assert limits(made["subject_ap"]) != limits(rows["subject_ap"])
    assert made["subject_ap"]["value"] == rows["subject_ap"]["value"]
    alone = {name: f"q{9 - k}" for k, name in enumerate(found.subjects)}
    assert str(detection(found, alone)) == str([*rows.values()])  # to the bit


def test_intervals_of_auroc_hold_the_value_and_narrow_with_subjects(cohort, rows):
    tested, healthy = cohort
    many = {row["metric"]: row for row in detection(collect((tested * 8, healthy * 8)))}
    for metric in ("slice_auroc", "subject_auroc"):
        low, value, high = (rows[metric][key] for key in ("low", "value", "high"))
        assert 0 <= low <= value <= high <= 1
        assert many[metric]["value"] == pytest.approx(value)
        assert many[metric]["high"] - many[metric]["low"] < 0.7 * (high - low)


def test_what_bins_decide_can_be_left_out(findings, rows):
    kept = {row["metric"] for row in detection(findings, binned=False)}
    assert {"subject_ap", "slice_auroc", "subject_auroc", "lesions", "outside_brain"} <= kept
    assert all("@" in metric or "healthy" in metric or metric == "aupro" for metric in rows.keys() - kept)


def test_counts_and_thresholds_have_no_interval(rows):
    for metric, row in rows.items():
        counted = metric.startswith(("threshold", "lesions", "slice_chance", "aupro", "froc"))
        assert np.isnan([row["low"], row["high"]]).all() == counted


def test_with_one_subject_there_is_no_interval(cohort):
    found = detection(collect((cohort[0][:1], cohort[1])))
    assert found
    assert all(np.isnan([row["low"], row["high"]]).all() for row in found)


def test_without_healthy_subjects_nothing_depends_on_a_threshold(cohort):
    found = values(collect(cohort, calibrate=False))
    assert {re.split("[/@]", metric)[0] for metric in found} == {
        *("subject_ap", "subject_dice", "outside_brain", "aupro", "slice_auroc", "slice_ap", "slice_chance", "lesions"),
        *("froc", "sensitivity_equal"),
    }


def test_without_lesions_false_positives_remain(cohort):
    healthy = [(score, np.zeros_like(label), brain) for score, label, brain in cohort[0]]
    found = values(collect((healthy, cohort[1])))
    assert {metric.split("@")[0] for metric in found} == {
        *("threshold", "voxel_fpr", "false_positives", "false_positive_ml")
    }
    assert all(np.isfinite(value) for value in found.values())
