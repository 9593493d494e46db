"""Paired comparisons: clear and absent differences, the same resamples for both methods, correction for many."""

import zlib

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score
from statsmodels.stats.multitest import multipletests

from tests.evaluation.conftest import exact_dice
from uadbench.evaluation.summary import comparisons
from uadbench.evaluation.summary.comparisons import COLUMNS, compare, holm
from uadbench.evaluation.voxels.bootstrap import resampling_weights
from uadbench.evaluation.voxels.columns import SIMULATED
from uadbench.evaluation.voxels.histogram import ScoreHistogram, load, save
from uadbench.evaluation.voxels.metrics import average_precision

VOXELS = 500
DRAWN = 400  # as many as two metrics of one pair ask for
META = {"experiment": "demo", **dict.fromkeys(SIMULATED, False), "task": "ATLAS", "protocol": "full"}


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
    table = compare([write(tmp_path, "good", labels, good), of_simulated], resamples=500)
    assert list(table.columns) == COLUMNS
    row = only(table, "ap")
    assert (row["method"], row["other"], row["subjects"], row["seeds"], row["seeds_other"]) == ("bad", "good", 15, 1, 1)
    assert row["difference"] == pytest.approx(pooled_ap(labels, bad) - pooled_ap(labels, good), abs=1e-4)
    assert row["low"] < row["difference"] < row["high"] < 0
    assert row["p"] == pytest.approx(2 / 501)
    assert row["p_holm"] == pytest.approx(2 * 2 / 501)  # two metrics
    assert row["resampled"] == "subjects"  # one seed each
    assert only(table, "dice")["high"] < 0
    assert (row["trained_on_simulated"], row["tested_on_simulated"]) == (True, False)  # either of the two methods


def test_equal_methods_do_not_differ(tmp_path):
    labels = truths(15)
    same = scores_of(labels, 1.0, 3)
    paths = [write(tmp_path, "a", labels, same), write(tmp_path, "b", labels, same)]
    table = compare([*paths, write(tmp_path, "c", labels, scores_of(labels, 1.0, 4))], resamples=500)
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
        p.append(only(compare(pair, resamples=200), "ap")["p"])
    assert sum(value < 0.05 for value in p) <= 4  # 1 of 25 expected, and few subjects make the interval a little short
    assert 0.25 < np.mean(p) < 0.75  # uniform: 0.5 ± 0.06


@pytest.mark.parametrize("metric", ["ap", "dice"])
def test_agrees_with_direct_resampling_of_the_same_subjects(tmp_path, metric):
    labels = truths(10)
    seeds = {name: [scores_of(labels, gain, seed) for seed in (5, 6, 8)] for name, gain in (("a", 1.2), ("b", 0.9))}
    paths = [write(tmp_path, n, labels, s, seed) for n, many in seeds.items() for seed, s in enumerate(many)]
    row = only(compare(paths, resamples=DRAWN, seed=7), metric)

    def exact(drawn, scores) -> float:
        label, score = np.concatenate([labels[k] for k in drawn]), np.concatenate([scores[k] for k in drawn])
        return average_precision_score(label, score) if metric == "ap" else exact_dice(label, score)

    differences = []
    draw = {name: np.random.default_rng([7, zlib.crc32(name.encode())]) for name in "ab"}
    chosen = {name: rng.multinomial(3, [1 / 3] * 3, size=DRAWN) for name, rng in draw.items()}
    tails = np.sqrt(4 / np.random.default_rng([7, 4]).chisquare(4, DRAWN))  # of t with 3 + 3 - 2 degrees of freedom
    for k, weights in enumerate(resampling_weights(10, DRAWN, seed=7).astype(int)):
        drawn = np.repeat(np.arange(10), weights)
        values = {}
        for name in "ab":
            of_seed = [exact(drawn, scores) for scores in seeds[name]]
            spread = np.repeat(of_seed, chosen[name][k]).mean() - np.mean(of_seed)
            values[name] = np.mean(of_seed) + tails[k] * spread * np.sqrt(1.5)  # three seeds: n / (n - 1)
        differences.append(values["a"] - values["b"])
    whole = range(10)
    observed = np.mean([exact(whole, s) for s in seeds["a"]]) - np.mean([exact(whole, s) for s in seeds["b"]])
    assert row["difference"] == pytest.approx(observed, abs=5e-4)  # two voxels in a bin are one threshold
    assert (row["low"], row["high"]) == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])), abs=6e-3)
    assert (row["seeds"], row["seeds_other"], row["resampled"]) == (3, 3, "subjects and seeds")


def test_whole_patients_are_compared(tmp_path):
    """Against a paired cluster bootstrap in numpy; patients of one scan each change nothing."""
    labels = truths(9)
    scores = {name: scores_of(labels, gain, 5) for name, gain in (("a", 1.2), ("b", 0.9))}
    patients = [0, 0, 0, 1, 2, 2, 3, 3, 4]

    def compared(folder: str, **patient_of) -> dict:
        (tmp_path / folder).mkdir()
        paths = [write(tmp_path / folder, name, labels, own, patients=patient_of) for name, own in scores.items()]
        return only(compare(paths, resamples=DRAWN, seed=7), "ap")

    found = compared("visits", **{f"sub-{scan:02d}": f"p{patient}" for scan, patient in enumerate(patients)})
    differences = []
    for times in np.random.default_rng(7).multinomial(5, np.full(5, 1 / 5), size=DRAWN):
        chosen = [
            scan
            for patient in range(5)
            for _ in range(times[patient])
            for scan in range(9)
            if patients[scan] == patient
        ]
        a, b = (pooled_ap([labels[k] for k in chosen], [own[k] for k in chosen]) for own in scores.values())
        differences.append(a - b)
    assert (found["low"], found["high"]) == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])), abs=6e-3)
    assert compared("alone", **{f"sub-{scan:02d}": f"p{9 - scan}" for scan in range(9)}) == compared("plain") != found


def test_only_subjects_that_both_methods_scored_count(tmp_path):
    labels = truths(12)
    a, b = scores_of(labels, 1.5, 1), scores_of(labels, 0.5, 2)
    b[3] = 50 * labels[3].astype(np.float32)  # would help b much
    a[7] = 50 * (~labels[7]).astype(np.float32)  # would harm a much
    paths = [write(tmp_path, "a", labels, a, skip=(3,)), write(tmp_path, "b", labels, b, skip=(7,))]
    row = only(compare(paths, resamples=200), "ap")
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
    table = compare(paths, resamples=100)
    assert compare(paths[::-1], resamples=100).equals(table)
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
        p.append(only(compare([*paths["a"], *paths["b"]], resamples=400), "ap")["p"])
        alone.append(only(compare([paths["a"][0], paths["b"][0]], resamples=400), "ap")["p"])
    assert sum(value < 0.05 for value in alone) >= 5
    assert sum(value < 0.05 for value in p) <= 2


def test_means_over_drawn_seeds_spread_as_those_of_new_ones():
    drawn = np.broadcast_to(np.array([0.1, 0.3, 0.4, 0.8])[None, :, None], (1, 4, 40_000))
    centre, apart = comparisons._over_seeds(drawn, "a", 0)
    means = (centre + apart)[0]
    assert means.mean() == pytest.approx(0.4, abs=0.004)
    assert means.std() == pytest.approx(np.std([0.1, 0.3, 0.4, 0.8], ddof=1) / 2, rel=0.02)
    assert np.corrcoef(means, comparisons._over_seeds(drawn, "b", 0)[1][0])[0, 1] == pytest.approx(0, abs=0.02)
    single = np.arange(6.0).reshape(1, 1, 6)
    centre, apart = comparisons._over_seeds(single, "a", 0)
    assert centre.tolist() == [[0, 1, 2, 3, 4, 5]]
    assert not apart.any()


@pytest.mark.parametrize("freedom", [2, 6, 30])
def test_deviations_of_few_seeds_have_the_tails_of_students_t(freedom):
    normal = np.random.default_rng(1).standard_normal(200_000)
    drawn = normal * comparisons._student(freedom, 200_000, 0)
    for level in (0.9, 0.975, 0.995):
        assert np.quantile(drawn, level) == pytest.approx(stats.t.ppf(level, freedom), rel=0.05)


def test_a_difference_of_seeds_alone_is_tested_as_by_a_t_test(tmp_path):
    """Subjects that tell nothing more: what is left is how four seeds differ from four others."""
    labels, gains = truths(40), {"a": [0.2, 0.6, 1.1, 1.3], "b": [1.0, 1.2, 1.9, 2.2]}
    paths = [
        write(tmp_path, name, labels, scores_of(labels, gain, 7), seed)
        for name, many in gains.items()
        for seed, gain in enumerate(many)
    ]
    found = only(compare(paths, resamples=2000), "ap")
    values = [average_precision(load(path)[0]["final"]) for path in paths]
    expected = stats.ttest_ind(values[:4], values[4:]).pvalue
    assert 0.01 < expected < 0.2
    assert found["p"] == pytest.approx(expected, rel=0.5)


def test_many_methods_can_still_differ_and_controls_are_no_rivals(tmp_path, monkeypatch):
    monkeypatch.setattr(comparisons, "COMPARED", ("ap",))
    labels = truths(4)
    gains = {"best": 6.0, **{f"m{k:02d}": 0.2 for k in range(12)}, "control": 0.0}
    table = compare(
        [
            write(tmp_path, name, labels, scores_of(labels, gain, k), family="control" if name == "control" else "IR")
            for k, (name, gain) in enumerate(gains.items())
        ],
        resamples=10,
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
        scores = [(5 + 0.01 * (draw.standard_normal(4000) + 2 * label)).astype(np.float32) for label in labels]
        scores[0][0] = 1e-6 if stray else scores[0][0]
        return scores

    free = compare([write(tmp_path, n, labels, crowd(False, k), task="free") for k, n in enumerate("ab")], 200)
    assert free["p"].notna().all()
    capsys.readouterr()
    table = compare([write(tmp_path, n, labels, crowd(n == "a", k), task="crowded") for k, n in enumerate("ab")], 200)
    assert table["difference"].notna().all()
    assert table[["low", "high", "p", "p_holm"]].isna().all(axis=None)
    assert "share a few bins" in capsys.readouterr().err


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
    table = compare([good, healthy], resamples=50)
    assert table.empty
    assert list(table.columns) == COLUMNS
    second = write(tmp_path, "d", labels, scores_of(labels, 2, 2))
    plain = compare([good, second], resamples=0)
    assert plain["difference"].notna().all()
    assert plain[["low", "high", "p", "p_holm"]].isna().all(axis=None)
