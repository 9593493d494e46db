"""AUPRO: hand values, and the mean over lesions of scikit-learn's ROC curves."""

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from uadbench.evaluation.detection.regions import LIMIT, Regions, aupro


def area(normal: np.ndarray, lesions: list[np.ndarray], limit: float) -> float:
    """Mean over lesions of the area under scikit-learn's ROC curve of one lesion up to `limit`, divided by it."""
    areas = []
    for lesion in lesions:
        label = np.r_[np.zeros(len(normal)), np.ones(len(lesion))]
        x, y, _ = roc_curve(label, np.r_[normal, lesion], drop_intermediate=False)
        steps = np.unique(np.r_[x[x < limit], limit])
        at = np.interp(steps, x, y)  # of points at the same x, which a step has, the last one
        first, last = np.searchsorted(x, steps, "left"), np.searchsorted(x, steps, "right")
        upper = np.where(first < last, y[last - 1], at)
        lower = np.where(first < last, y[np.minimum(first, len(y) - 1)], at)
        areas.append(float(np.sum(np.diff(steps) * (upper[:-1] + lower[1:]) / 2)) / limit)
    return float(np.mean(areas))


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("kind", ["spread", "ties", "crowded at 1"])
def test_mean_area_of_lesions_whatever_their_size(kind, limit):
    rng = np.random.default_rng(3)
    change = {
        "spread": lambda values: np.abs(values),
        "ties": lambda values: np.round(np.abs(values), 1),
        "crowded at 1": lambda values: 1 / (1 + np.exp(-3 * values)),
    }[kind]
    found, normal, lesions = Regions(), [], []
    for subject in range(4):
        plain = change(rng.standard_normal(3000)).astype(np.float32) * (1 + subject)
        sizes = rng.integers(5, 200, subject)
        own = [change(rng.standard_normal(size) + 1).astype(np.float32) * (1 + subject) for size in sizes]
        shares = np.concatenate([np.zeros(0), *[np.full(size, 1 / size) for size in sizes]])
        found.add(plain, np.concatenate([np.zeros(0, np.float32), *own]), shares)
        normal.append(plain)
        lesions += own
    assert aupro(*found.occupied(), limit) == pytest.approx(area(np.concatenate(normal), lesions, limit), abs=2e-3)


def test_by_hand():
    """Two lesions: all of the one lies above every normal voxel, half of the other below: PRO is ¾ up to the end."""
    found = Regions()
    found.add(np.arange(1, 101, dtype=np.float32), np.array([200, 300, 200, 0], np.float32), np.full(4, 0.5))
    assert aupro(*found.occupied()) == pytest.approx(0.75)


def test_chance_is_half_the_limit():
    found, rng = Regions(), np.random.default_rng(1)
    found.add(rng.random(200_000, np.float32), rng.random(50_000, np.float32), np.full(50_000, 1 / 50_000))
    assert aupro(*found.occupied()) == pytest.approx(LIMIT / 2, abs=3e-3)


def test_all_scores_alike_are_chance():
    found = Regions()
    found.add(np.zeros(100, np.float32), np.zeros(10, np.float32), np.full(10, 0.1))
    assert aupro(*found.occupied()) == pytest.approx(LIMIT / 2)


def test_nothing_to_find_or_nothing_else_is_no_number():
    found = Regions()
    found.add(np.ones(5, np.float32), np.zeros(0, np.float32), np.zeros(0))
    assert aupro(*found.occupied()) is None
