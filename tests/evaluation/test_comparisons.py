"""Paired comparisons: clear and absent differences, the same resamples for both methods, correction for many."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score
from statsmodels.stats.multitest import multipletests

from tests.evaluation.conftest import exact_dice
from uadbench.evaluation.summary import comparisons
from uadbench.evaluation.summary.comparisons import COLUMNS, MARGIN, holm
from uadbench.evaluation.summary.runs import Runs
from uadbench.evaluation.voxels.columns import SIMULATED
from uadbench.evaluation.voxels.histogram import ScoreHistogram, load, save
from uadbench.evaluation.voxels.metrics import average_precision

VOXELS = 500
META = {"experiment": "demo", **dict.fromkeys(SIMULATED, False), "task": "ATLAS", "protocol": "full"}


def compare(paths):
    return comparisons.compare(Runs.read(paths))


def truths(subjects: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.random(VOXELS) < rng.uniform(0.02, 0.25) for _ in range(subjects)]


def scores_of(labels, gain: float, seed: int) -> list[np.ndarray]:
    """Scores of a method; subjects differ in difficulty, the same for all methods."""
    hard, rng = np.random.default_rng(99), np.random.default_rng(seed)
    ease = [hard.uniform(0, 2) for _ in labels]
    return [
        np.abs(rng.standard_normal(VOXELS) + (gain + e) * label).astype(np.float32)
        for label, e in zip(labels, ease, strict=True)
    ]


def write(folder, method: str, labels, scores, seed: int = 1, skip: tuple[int, ...] = (), **changes):
    histogram = ScoreHistogram()
    for number, (label, score) in enumerate(zip(labels, scores, strict=True)):
        if number not in skip:
            histogram.add(f"sub-{number:02d}", score, label)
    path = folder / f"{method}-{seed}-{len(list(folder.iterdir()))}.npz"
    save(
        path, {"single/t=25": ScoreHistogram(), "final": histogram}, {**META, "method": method, "seed": seed, **changes}
    )
    return path


def pooled_ap(labels, scores, chosen=slice(None)) -> float:
    return float(average_precision_score(np.concatenate(labels[chosen]), np.concatenate(scores[chosen])))


def only(table, metric: str):
    (row,) = table[table["metric"] == metric].to_dict("records")
    return row


def test_a_clearly_better_method_is_found(tmp_path):
    labels = truths(15)
    good, bad = scores_of(labels, 1.5, 1), scores_of(labels, 0.5, 2)
    of_simulated = write(tmp_path, "bad", labels, bad, trained_on_simulated=True)
    table = compare([write(tmp_path, "good", labels, good), of_simulated])
    assert list(table.columns) == COLUMNS
    row = only(table, "ap")
    assert (row["method"], row["other"], row["subjects"], row["seeds"], row["seeds_other"]) == ("bad", "good", 15, 1, 1)
    assert row["difference"] == pytest.approx(pooled_ap(labels, bad) - pooled_ap(labels, good), abs=1e-4)
    assert row["low"] < row["difference"] < row["high"] < 0
    assert row["p"] < 0.01
    assert row["p_holm"] == pytest.approx(min(2 * row["p"], max(2 * only(table, "dice")["p"], row["p"])))  # two metrics
    assert row["worse"] > 0.95 > row["equal"] > row["better"] >= 0
    assert row["resampled"] == "subjects"  # one seed each
    assert only(table, "dice")["high"] < 0
    assert (row["trained_on_simulated"], row["tested_on_simulated"]) == (True, False)  # either of the two methods


def test_equal_methods_do_not_differ(tmp_path):
    labels = truths(15)
    same = scores_of(labels, 1.0, 3)
    paths = [write(tmp_path, "a", labels, same), write(tmp_path, "b", labels, same)]
    table = compare([*paths, write(tmp_path, "c", labels, scores_of(labels, 1.0, 4))])
    for row in table.to_dict("records"):
        if row["other"] == "b":
            assert (row["difference"], row["low"], row["high"], row["p"]) == (0, 0, 0, 1)
        else:
            assert row["low"] < 0 < row["high"]
            assert row["p"] > 0.05
        assert row["p_holm"] >= row["p"]


def test_rejects_a_true_hypothesis_about_as_rarely_as_it_says(tmp_path, monkeypatch):
    monkeypatch.setattr(comparisons, "COMPARED", ("ap",))
    p = []
    for seed in range(25):
        labels = truths(20, seed)
        pair = [
            write(tmp_path, name, labels, scores_of(labels, 1.0, 100 * seed + k), task=f"task {seed:02d}")
            for k, name in enumerate(("a", "b"))
        ]
        p.append(only(compare(pair), "ap")["p"])
    assert sum(value < 0.05 for value in p) <= 4  # 1 of 25 expected, and few subjects make the interval a little short
    assert 0.25 < np.mean(p) < 0.75  # uniform: 0.5 ± 0.06


def by_hand(left_out: np.ndarray, *seeds: np.ndarray) -> tuple[float, float]:
    """Standard error and degrees of freedom of a difference, without each patient and by seed."""
    d, n = left_out - left_out.mean(), len(left_out)
    parts = [((n - 1) / n * (d**2).sum(), (d**2).sum() ** 2 / (d**4).sum())]
    parts += [(values.var(ddof=1) / len(values), len(values) - 1) for values in seeds]
    total = sum(variance for variance, _ in parts)
    return np.sqrt(total), total**2 / sum(variance**2 / freedom for variance, freedom in parts)


@pytest.mark.parametrize("metric", ["ap", "dice"])
@pytest.mark.parametrize("number", [1, 3])
def test_agrees_with_the_metric_of_raw_voxels_without_each_subject(tmp_path, metric, number):
    labels = truths(10)
    gains = (("a", 1.2), ("b", 0.9))
    seeds = {name: [scores_of(labels, gain, seed) for seed in (5, 6, 8)[:number]] for name, gain in gains}
    paths = [write(tmp_path, n, labels, s, seed) for n, many in seeds.items() for seed, s in enumerate(many)]
    row = only(compare(paths), metric)

    def exact(scores, without: int = -1) -> float:
        label, score = (np.concatenate([part[k] for k in range(10) if k != without]) for part in (labels, scores))
        return average_precision_score(label, score) if metric == "ap" else exact_dice(label, score)

    values = {name: np.array([exact(scores) for scores in many]) for name, many in seeds.items()}
    left_out = [np.mean([[exact(s, k) for s in many] for many in seeds.values()], axis=1) for k in range(10)]
    difference = values["a"].mean() - values["b"].mean()
    error, freedom = by_hand(np.array([a - b for a, b in left_out]), *(values.values() if number > 1 else ()))
    t = stats.t(freedom, difference, error)
    assert row["difference"] == pytest.approx(difference, abs=5e-4)  # two voxels in a bin are one threshold
    assert (row["low"], row["high"]) == pytest.approx(t.interval(0.95), abs=0.02)
    assert row["p"] == pytest.approx(2 * min(t.cdf(0), t.sf(0)), abs=0.03)
    expected = (t.sf(MARGIN), t.cdf(MARGIN) - t.cdf(-MARGIN), t.cdf(-MARGIN))
    assert (row["better"], row["equal"], row["worse"]) == pytest.approx(expected, abs=0.03)
    assert row["better"] + row["equal"] + row["worse"] == pytest.approx(1)
    assert (row["seeds"], row["seeds_other"]) == (number, number)
    assert row["resampled"] == ("subjects and seeds" if number > 1 else "subjects")


def test_whole_patients_are_left_out(tmp_path):
    labels = truths(9)
    scores = {name: scores_of(labels, gain, 5) for name, gain in (("a", 1.2), ("b", 0.9))}
    patients = [0, 0, 0, 1, 2, 2, 3, 3, 4]

    def compared(folder: str, **patient_of) -> dict:
        (tmp_path / folder).mkdir()
        paths = [write(tmp_path / folder, name, labels, own, patients=patient_of) for name, own in scores.items()]
        return only(compare(paths), "ap")

    found = compared("visits", **{f"sub-{scan:02d}": f"p{patient}" for scan, patient in enumerate(patients)})
    left_out = []
    for patient in range(5):
        chosen = [scan for scan in range(9) if patients[scan] != patient]
        a, b = (pooled_ap([labels[k] for k in chosen], [own[k] for k in chosen]) for own in scores.values())
        left_out.append(a - b)
    error, freedom = by_hand(np.array(left_out))
    assert found["high"] - found["low"] == pytest.approx(2 * error * stats.t.ppf(0.975, freedom), rel=0.1)  # bins
    assert found["n_eff"] == pytest.approx(freedom, rel=0.1)
    assert compared("alone", **{f"sub-{scan:02d}": f"p{9 - scan}" for scan in range(9)}) == compared("plain") != found


def test_only_subjects_that_both_methods_scored_count(tmp_path):
    labels = truths(12)
    a, b = scores_of(labels, 1.5, 1), scores_of(labels, 0.5, 2)
    b[3] = 50 * labels[3].astype(np.float32)  # would help b much
    a[7] = 50 * (~labels[7]).astype(np.float32)  # would harm a much
    paths = [write(tmp_path, "a", labels, a, skip=(3,)), write(tmp_path, "b", labels, b, skip=(7,))]
    row = only(compare(paths), "ap")
    common = [k for k in range(12) if k not in (3, 7)]
    expected = [pooled_ap([labels[k] for k in common], [s[k] for k in common]) for s in (a, b)]
    assert row["subjects"] == 10
    assert row["difference"] == pytest.approx(expected[0] - expected[1], abs=0.01)  # coarse bins


def test_tasks_and_protocols_are_separate_families_and_order_of_files_is_none(tmp_path):
    labels = truths(6)
    paths = [
        write(tmp_path, method, labels, scores_of(labels, gain, k), task=task, protocol=protocol)
        for k, (method, gain) in enumerate((("a", 0.2), ("b", 0.8), ("c", 1.4)))
        for task in ("ATLAS", "BraTS-T2")
        for protocol in ("full", "upd")
    ]
    table = compare(paths)
    assert compare(paths[::-1]).equals(table)
    sizes = table.groupby(["task", "protocol"]).size().to_dict()
    assert sizes == {(t, p): n for t in ("ATLAS", "BraTS-T2") for p, n in (("full", 6), ("upd", 3))}
    assert set(table.loc[table["protocol"] == "upd", "metric"]) == {"ap"}  # it fixes the thresholds of Dice
    for _, group in table.groupby(["task", "protocol"]):
        np.testing.assert_allclose(group["p_holm"], holm(group["p"].to_numpy()))


def test_seeds_that_differ_keep_equal_methods_apart_from_significance(tmp_path):
    """Two methods of one law, whose seeds differ more than methods do: subjects alone would tell them apart."""
    labels, rng, p, alone = truths(20), np.random.default_rng(3), [], []
    for repeat in range(8):
        paths = {
            name: [
                write(tmp_path, name, labels, scores_of(labels, gain, 100 * repeat + 10 * k + s), s, task=f"t{repeat}")
                for s, gain in enumerate(rng.uniform(0, 2, 4))
            ]
            for k, name in enumerate("ab")
        }
        p.append(only(compare([*paths["a"], *paths["b"]]), "ap")["p"])
        alone.append(only(compare([paths["a"][0], paths["b"][0]]), "ap")["p"])
    assert sum(value < 0.05 for value in alone) >= 5
    assert sum(value < 0.05 for value in p) <= 2


def test_a_difference_of_seeds_alone_is_tested_as_by_a_t_test(tmp_path):
    """Subjects that tell nothing more: what is left is how four seeds differ from four others."""
    labels, gains = truths(40), {"a": [0.2, 0.6, 1.1, 1.3], "b": [1.0, 1.2, 1.9, 2.2]}
    paths = [
        write(tmp_path, name, labels, scores_of(labels, gain, 7), seed)
        for name, many in gains.items()
        for seed, gain in enumerate(many)
    ]
    found = only(compare(paths), "ap")
    values = [average_precision(load(path)[0]["final"]) for path in paths]
    expected = stats.ttest_ind(values[:4], values[4:]).pvalue
    assert 0.01 < expected < 0.2
    assert found["p"] == pytest.approx(expected, rel=0.5)


def test_many_methods_can_still_differ_and_controls_are_no_rivals(tmp_path, monkeypatch):
    monkeypatch.setattr(comparisons, "COMPARED", ("ap",))
    labels = truths(15)
    gains = {"best": 6.0, **{f"m{k:02d}": 0.2 for k in range(12)}, "control": 0.0}
    table = compare(
        [
            write(tmp_path, name, labels, scores_of(labels, gain, k), family="control" if name == "control" else "IR")
            for k, (name, gain) in enumerate(gains.items())
        ]
    )
    with_control = (table["method"] == "control") | (table["other"] == "control")
    assert table.loc[with_control, "p_holm"].isna().all()
    assert table.loc[with_control, "p"].notna().all()
    family = table[~with_control]
    assert len(family) == 13 * 12 / 2
    of_best = family[(family["method"] == "best") | (family["other"] == "best")]
    assert (of_best["p_holm"] < 0.05).all()


def test_where_bins_decide_there_is_no_interval(tmp_path, capsys):
    """One stray voxel joins nearly all scores in a few bins: an interval from these would be 20 times too narrow."""
    rng = np.random.default_rng(0)
    labels = [rng.random(4000) < 0.05 for _ in range(8)]

    def crowd(stray: bool, seed: int) -> list[np.ndarray]:
        draw = np.random.default_rng(seed)
        scores = [(5 + 0.03 * (draw.standard_normal(4000) + 2 * label)).astype(np.float32) for label in labels]
        scores[0][0] = 1e-3 if stray else scores[0][0]
        return scores

    free = compare([write(tmp_path, n, labels, crowd(False, k), task="free") for k, n in enumerate("ab")])
    assert free["p"].notna().all()
    capsys.readouterr()
    table = compare([write(tmp_path, n, labels, crowd(n == "a", k), task="crowded") for k, n in enumerate("ab")])
    assert table["difference"].notna().all()
    assert table[["low", "high", "p", "p_holm", "n_eff", "equal"]].isna().all(axis=None)
    assert "share a few bins of subjects" in capsys.readouterr().err


def test_where_binning_makes_a_metric_doubtful_there_is_no_difference(tmp_path):
    labels = truths(6)
    scores = {n: [1000 + 1e-3 * np.round(s) for s in scores_of(labels, 1.0, k)] for k, n in enumerate("ab")}
    scores["a"][0][0] = 1e-30
    table = compare([write(tmp_path, n, labels, [s.astype(np.float32) for s in own]) for n, own in scores.items()])
    assert table[["difference", "low", "high", "p", "p_holm"]].isna().all(axis=None)


def test_holm_without_a_value_has_none():
    np.testing.assert_allclose(holm(np.array([0.6, np.nan, 0.7])), [1, np.nan, 1])
    assert holm(np.zeros(0)).size == 0


@pytest.mark.parametrize("count", [1, 7, 200])
def test_holm_by_statsmodels(count):
    p = np.round(np.random.default_rng(count).random(count) ** 4, 2)  # with ties
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])


def test_where_nothing_can_be_compared(tmp_path):
    labels = truths(3)
    good = write(tmp_path, "a", labels, scores_of(labels, 1, 1))
    healthy = write(tmp_path, "b", [~label & False for label in labels], scores_of(labels, 1, 2))
    table = compare([good, healthy])
    assert table.empty
    assert list(table.columns) == COLUMNS
    patient = {"patients": {f"sub-{k:02d}": "anna" for k in range(3)}}
    alone = compare([write(tmp_path, n, labels, scores_of(labels, k, k), **patient) for k, n in enumerate("de")])
    assert alone["difference"].notna().all()
    assert alone[["low", "high", "p", "p_holm"]].isna().all(axis=None)
