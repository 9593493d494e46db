"""PatchCore: the greedy coreset, the distance to it, and which patches are collected."""

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter
from sklearn.neighbors import NearestNeighbors

from tests.trainings import built, slices, trained
from uadbench.data.packing.store import Store
from uadbench.methods.scoring.coreset import greedy_coreset, nearest_distance, projected
from uadbench.methods.seeds import Streams
from uadbench.training import run
from uadbench.training.sampler import SliceSampler


def vectors(count: int, channels: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, channels)).astype(np.float32)


def test_every_greedy_step_takes_the_farthest_vector():
    points = vectors(120, 3)
    places, nearest = greedy_coreset(torch.from_numpy(points), 15, first=7)
    chosen = [7]
    for _ in range(14):
        apart = np.linalg.norm(points[:, None].astype(float) - points[chosen], axis=2).min(1)
        chosen.append(int(apart.argmax()))
    assert places.tolist() == chosen
    expected = np.linalg.norm(points[:, None] - points[chosen], axis=2).min(1)
    np.testing.assert_allclose(nearest, expected, atol=1e-5)


def test_a_coreset_of_all_vectors_covers_them():
    places, nearest = greedy_coreset(torch.from_numpy(vectors(20, 4)), 20)
    assert sorted(places.tolist()) == list(range(20))
    assert nearest.max() == 0
    with pytest.raises(ValueError, match="a coreset of 21"):
        greedy_coreset(torch.from_numpy(vectors(20, 4)), 21)


def test_distance_is_that_of_the_nearest_neighbour():
    bank, points = vectors(50, 8, 1), vectors(300, 8, 2)
    ours = nearest_distance(torch.from_numpy(points), torch.from_numpy(bank), chunk=64)
    expected = NearestNeighbors(n_neighbors=1).fit(bank).kneighbors(points)[0][:, 0]
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_projection_keeps_distances_nearly():
    points = torch.from_numpy(vectors(60, 1000))
    flat = projected(points, 256, torch.Generator().manual_seed(0))
    ratio = (torch.pdist(flat) / torch.pdist(points)).numpy()
    assert flat.shape == (60, 256)
    assert ratio.min() > 0.75
    assert ratio.max() < 1.25
    assert torch.equal(projected(points, 1000, torch.Generator()), points)


def test_the_bank_is_made_of_features_of_brain_and_healthy_slices_score_low(tiny_cohort, tmp_path):
    method, _ = run.load(trained("patchcore", tiny_cohort, tmp_path, smoothing=0.0, steps=16, bank=200))
    assert len(method.bank.vectors.unique(dim=0)) == 200
    assert len(method.pool) == 0
    store = Store.open(tiny_cohort)
    with torch.no_grad():
        seen = nearest_distance(method.drawn(slices(tiny_cohort).batch(8, Streams(9), 64, True)), method.bank.vectors)
        lesions = torch.tensor(np.asarray(store.images("t1")[store.rows("t1", "test")[0]], np.float32))
        scores = method.score(lesions, Streams(0))["final"]
    truth = torch.from_numpy(np.asarray(store.labels()[store.rows("t1", "test")[0]]) > 0)
    assert scores[truth].mean() > scores[(lesions > 0) & ~truth].mean()
    assert scores[truth].mean() > seen.mean()


def test_collected_patches_lie_in_the_brain():
    method = built("patchcore", zoom=1)
    volumes = np.zeros((2, 3, 64, 64), np.float16)
    volumes[:, :, :32] = 0.5  # brain above, nothing below
    sampler = SliceSampler(volumes, np.arange(2))
    places = torch.arange(64.0).reshape(1, 1, 8, 8)
    method.features = lambda images: places.expand(len(images), 2, 8, 8)
    drawn = method.drawn(sampler.batch(6, Streams(1), 64, True))[:, 0]
    assert drawn.max() < 32
    assert len(drawn.unique()) > 20
    assert len(drawn) == 6 * 16


def test_features_are_local_means_and_means_of_channel_pairs():
    method = built("patchcore", zoom=1)
    draw = np.random.default_rng(3)
    first, second = (draw.random(shape).astype(np.float32) for shape in ((1, 6, 8, 8), (1, 12, 8, 8)))
    method.backbone.forward = lambda images: [None, None, torch.from_numpy(first), torch.from_numpy(second)]
    ours = method.features(torch.zeros(1, 1, 64, 64))[0].numpy()
    assert ours.shape == (12, 8, 8)
    for channel in range(6):  # zeros beyond the border count in the mean
        expected = 0.9 * uniform_filter(first[0, channel], 3, mode="constant") + 0.1 * first[0, channel]
        np.testing.assert_allclose(ours[channel], expected, atol=1e-6)
        pair = second[0, 2 * channel : 2 * channel + 2].mean(0)
        np.testing.assert_allclose(ours[6 + channel], uniform_filter(pair, 3, mode="constant"), atol=1e-6)


def test_squared_distances_are_enlarged():
    method = built("patchcore", zoom=1, smoothing=0.0)
    places = torch.linspace(0, 3, 64).reshape(1, 1, 8, 8)
    method.features = lambda images: places.expand(len(images), method.bank.vectors.shape[1], 8, 8)
    scores = method.score(torch.rand(1, 64, 64), Streams(0))["final"][0]
    squared = places.square() * method.bank.vectors.shape[1]  # the bank is still zero
    expected = torch.nn.functional.interpolate(squared, (64, 64), mode="bilinear", align_corners=False)[0, 0]
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-3)
