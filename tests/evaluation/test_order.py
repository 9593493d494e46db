"""Stability of the order of methods: against resamples of the raw voxels, and what has no order."""

import zlib

import numpy as np
import pytest

from tests.evaluation.test_comparisons import pooled_ap, scores_of, truths, write
from uadbench.evaluation.summary.order import COLUMNS, order
from uadbench.evaluation.summary.runs import Runs
from uadbench.evaluation.voxels.resampling import resampling_weights

GAINS = {"a": 1.2, "b": 1.0, "c": 0.2}


def written(folder, labels, names="abc", seeds=(1, 2), **changes):
    return [
        write(folder, name, labels, scores_of(labels, GAINS[name] + 0.2 * seed, 10 * k + seed), seed, **changes)
        for k, name in enumerate(names)
        for seed in seeds
    ]


def test_agrees_with_ranks_of_resampled_voxels(tmp_path):
    labels = truths(8)
    table = order(Runs.read(written(tmp_path, labels)), resamples=150, seed=3)
    assert list(table.columns) == COLUMNS
    scores = {
        name: [scores_of(labels, GAINS[name] + 0.2 * seed, 10 * k + seed) for seed in (1, 2)]
        for k, name in enumerate("abc")
    }
    seeds = {
        name: np.random.default_rng([3, zlib.crc32(name.encode())]).multinomial(2, [0.5, 0.5], size=150)
        for name in "abc"
    }
    ranks = np.zeros((3, 3))
    for draw, weights in enumerate(resampling_weights(8, 150, seed=3).astype(int)):
        chosen = np.repeat(np.arange(8), weights)
        values = [
            np.dot(seeds[name][draw] / 2, [pooled_ap([labels[k] for k in chosen], [s[k] for k in chosen]) for s in own])
            for name, own in scores.items()
        ]
        ranks[np.arange(3), np.argsort(np.argsort(-np.array(values)))] += 1 / 150
    found = table.pivot(index="method", columns="rank", values="share")
    np.testing.assert_allclose(found, ranks, atol=0.05)  # bins
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert 0 < found.loc["b", 1] < found.loc["a", 1]
    assert set(table["resampled"]) == {"subjects and seeds"}


def test_equal_methods_share_their_ranks_and_controls_have_none(tmp_path):
    labels = truths(6)
    same = scores_of(labels, 1.0, 1)
    paths = [write(tmp_path, name, labels, same) for name in "ab"]
    paths.append(write(tmp_path, "random", labels, scores_of(labels, 9.0, 2), family="control"))
    table = order(Runs.read(paths), resamples=20)
    assert table["share"].tolist() == [0.5] * 4
    assert set(table["method"]) == {"a", "b"}
    assert set(table["resampled"]) == {"subjects"}


@pytest.mark.parametrize(
    ("names", "resamples", "changes"),
    [("a", 20, {}), ("ab", 0, {}), ("ab", 20, {"patients": {f"sub-{k:02d}": "anna" for k in range(4)}})],
)
def test_where_there_is_no_order(tmp_path, names, resamples, changes):
    table = order(Runs.read(written(tmp_path, truths(4), names, **changes)), resamples)
    assert table.empty
    assert list(table.columns) == COLUMNS
