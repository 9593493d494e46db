"""Comparisons of score maps beside the final ones, and of random subsets, against raw voxels."""

import itertools

import numpy as np
import pytest
from scipy import stats

from tests.evaluation.test_comparisons import META, by_hand, exact_dice, pooled_ap, scores_of, truths
from uadbench.evaluation.summary.comparisons import COLUMNS, compare, holm
from uadbench.evaluation.summary.runs import Runs
from uadbench.evaluation.summary.subsets import COLUMNS as DRAWN
from uadbench.evaluation.summary.subsets import SHARE, subsets
from uadbench.evaluation.voxels.histogram import ScoreHistogram, save

SUBJECTS, SEEDS = 10, (1, 2, 3)
GAINS = {"final": 1.2, "single/t=25": 0.4, "single/t=50": 1.0, "multi/step=10": 1.1}


def write(folder, method, labels, maps, seed, **changes):
    histograms = {}
    for name, scores in maps.items():
        histograms[name] = ScoreHistogram(name)
        for number, (label, score) in enumerate(zip(labels, scores, strict=True)):
            histograms[name].add(f"sub-{number:02d}", score, label)
    path = folder / f"{method}-{seed}.npz"
    save(path, histograms, {**META, "method": method, "seed": seed, **changes})
    return path


@pytest.fixture(scope="module")
def labels():
    return truths(SUBJECTS)


@pytest.fixture(scope="module")
def maps(labels):
    """Score maps by seed; step size 25 is the final map, and t = 10 stands for the first seed alone."""
    found = {}
    for seed in SEEDS:
        own = {name: scores_of(labels, gain + 0.1 * seed, 7 * seed + k) for k, (name, gain) in enumerate(GAINS.items())}
        own["multi/step=25"] = own["final"]
        found[seed] = own | ({"single/t=10": own["single/t=25"]} if seed == 1 else {})
    return found


@pytest.fixture(scope="module")
def table(labels, maps, tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    paths = [write(folder, "disyre", labels, maps[seed], seed) for seed in SEEDS]
    other = {"final": scores_of(labels, 0.8, 90), "single/t=25": scores_of(labels, 0.7, 91)}
    paths += [write(folder, "v2", labels, other, seed) for seed in SEEDS]
    patterns = ["single/t=*", "multi/step=*"]
    made = compare(Runs.read(paths, patterns))
    without = compare(Runs.read(paths))
    final = (made["score"] == "final") & (made["method"] != made["other"])
    assert made[final].reset_index(drop=True).equals(without)  # those of final maps stay
    return made


def test_every_map_is_compared_with_the_final_one_and_between_methods(table):
    assert list(table.columns) == COLUMNS
    within = table[table["method"] == table["other"]]
    assert set(within["score"]) == set(GAINS) - {"final"}  # neither the same map, nor one of some seeds
    assert set(within["score_other"]) == {"final"}
    assert set(within["method"]) == {"disyre", "v2"}
    between = table[table["method"] != table["other"]]
    assert set(between["score"]) == {"final", "single/t=25"}
    assert (between["score"] == between["score_other"]).all()


@pytest.mark.parametrize("metric", ["ap", "dice"])
@pytest.mark.parametrize("score", ["single/t=50", "multi/step=10"])
def test_the_test_of_two_maps_is_paired_by_patient_and_by_seed(table, labels, maps, metric, score):
    chosen = (table["method"] == "disyre") & (table["other"] == "disyre")
    (row,) = table[chosen & (table["score"] == score) & (table["metric"] == metric)].to_dict("records")

    def exact(scores, without=-1):
        kept = [k for k in range(SUBJECTS) if k != without]
        label, score = (np.concatenate([part[k] for k in kept]) for part in (labels, scores))
        return pooled_ap([label], [score]) if metric == "ap" else exact_dice(label, score)

    one, other = (np.array([exact(maps[seed][name]) for seed in SEEDS]) for name in (score, "final"))
    left_out = np.array(
        [[np.mean([exact(maps[s][name], k) for s in SEEDS]) for name in (score, "final")] for k in range(SUBJECTS)]
    )
    error, freedom = by_hand(left_out[:, 0] - left_out[:, 1], one - other)
    t = stats.t(freedom, one.mean() - other.mean(), error)
    assert row["difference"] == pytest.approx(one.mean() - other.mean(), abs=5e-4)
    assert (row["low"], row["high"]) == pytest.approx(t.interval(0.95), abs=0.02)
    assert row["p"] == pytest.approx(2 * min(t.cdf(0), t.sf(0)), abs=0.05)
    # as if the seeds were independent, the interval would be another
    apart, _ = by_hand(left_out[:, 0] - left_out[:, 1], one, other)
    assert abs(apart / error - 1) > 0.1
    logs = np.log(left_out)
    error, freedom = by_hand(logs[:, 0] - logs[:, 1], one / one.mean() - other / other.mean())
    ratio = one.mean() / other.mean()
    assert row["ratio"] == pytest.approx(ratio, rel=2e-3)
    expected = ratio * np.exp(np.array(stats.t.interval(0.95, freedom, 0, error)))
    assert (row["ratio_low"], row["ratio_high"]) == pytest.approx(expected, rel=0.05)


def test_maps_of_a_method_are_a_family_of_their_own(table):
    for _, family in table.groupby(["method", "other", "score_other"]):
        if (family["method"] == family["other"]).all():
            np.testing.assert_allclose(family["p_holm"], holm(family["p"].to_numpy()))
    final = table[(table["score"] == "final") & (table["method"] != table["other"])]
    np.testing.assert_allclose(final["p_holm"], holm(final["p"].to_numpy()))


def test_the_ratio_of_two_methods_has_the_seeds_of_both(labels, tmp_path):
    gains = {"a": (0.3, 1.0, 1.7), "b": (0.5, 0.8, 1.3)}
    scores = {n: [scores_of(labels, gain, 5 + k) for k, gain in enumerate(own)] for n, own in gains.items()}
    paths = [
        write(tmp_path, n, labels, {"final": one}, seed) for n, own in scores.items() for seed, one in enumerate(own)
    ]
    (row,) = compare(Runs.read(paths)).query("metric == 'ap'").to_dict("records")
    kept = [[k for k in range(SUBJECTS) if k != without] for without in range(SUBJECTS)]

    def at(one, subjects):
        return pooled_ap([labels[k] for k in subjects], [one[k] for k in subjects])

    values = {n: np.array([at(one, range(SUBJECTS)) for one in own]) for n, own in scores.items()}
    left_out = {n: np.array([np.mean([at(one, k) for one in own]) for k in kept]) for n, own in scores.items()}
    logs = np.log(left_out["a"]) - np.log(left_out["b"])
    error, freedom = by_hand(logs, *(own / own.mean() for own in values.values()))
    alone, _ = by_hand(logs)
    assert error > 2 * alone
    ratio = values["a"].mean() / values["b"].mean()
    expected = ratio * np.exp(np.array(stats.t.interval(0.95, freedom, 0, error)))
    assert row["ratio"] == pytest.approx(ratio, rel=2e-3)
    assert (row["ratio_low"], row["ratio_high"]) == pytest.approx(expected, rel=0.05)


def test_subsets_agree_with_all_subsets_of_raw_voxels(labels, maps, tmp_path):
    paths = [write(tmp_path, "disyre", labels[:6], {"final": maps[s]["final"][:6]}, s) for s in SEEDS[:2]]
    made = subsets(Runs.read(paths), draws=600, seed=3)
    assert list(made.columns) == DRAWN
    (row,) = made.to_dict("records")
    assert (row["patients"], row["drawn"], row["share"]) == (6, 2, SHARE)

    def mean_ap(chosen):
        own = [labels[k] for k in chosen]
        return np.mean([pooled_ap(own, [maps[s]["final"][k] for k in chosen]) for s in SEEDS[:2]])

    whole = mean_ap(range(6))
    every = np.array([mean_ap(pair) for pair in itertools.combinations(range(6), 2)]) - whole
    assert row["value"] == pytest.approx(whole, abs=1e-3)
    assert row["bias"] == pytest.approx(every.mean(), abs=4 * row["error"] + 0.005)
    assert row["error"] == pytest.approx(every.std() / np.sqrt(600), rel=0.15)
    assert (row["low"], row["high"]) == pytest.approx((every.min(), every.max()), abs=0.01)


def test_a_subset_takes_whole_patients(labels, maps, tmp_path):
    """Of two patients with five scans each a subset is one of them."""
    patients = {f"sub-{k:02d}": "anna" if k < 5 else "bert" for k in range(SUBJECTS)}
    path = write(tmp_path, "disyre", labels, {"final": maps[1]["final"]}, 1, patients=patients)
    (row,) = subsets(Runs.read([path]), draws=200).to_dict("records")
    halves = [pooled_ap(labels[part], maps[1]["final"][part]) for part in (slice(0, 5), slice(5, 10))]
    whole = pooled_ap(labels, maps[1]["final"])
    assert (row["patients"], row["drawn"]) == (2, 1)
    assert (row["low"], row["high"]) == pytest.approx((min(halves) - whole, max(halves) - whole), abs=0.01)


def test_the_order_of_files_is_none_of_the_rows(labels, maps, tmp_path):
    paths = [write(tmp_path, name, labels[:6], {"final": maps[1]["final"][:6]}, 1) for name in "ba"]
    made = subsets(Runs.read(paths), draws=20)
    assert made["method"].tolist() == ["a", "b"]
    assert made.equals(subsets(Runs.read(paths[::-1]), draws=20))


@pytest.mark.parametrize(("count", "draws"), [(1, 100), (6, 0)])
def test_no_subsets_of_one_patient_and_without_draws(labels, maps, tmp_path, count, draws):
    path = write(tmp_path, "disyre", labels[:count], {"final": maps[1]["final"][:count]}, 1)
    made = subsets(Runs.read([path]), draws)
    assert made.empty
    assert list(made.columns) == DRAWN
