"""PaDiM: Gaussians at every place by numpy, distances by scipy, healthy slices that score lower than lesions."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis

from tests.trainings import built, slices, small, trained
from uadbench.core.errors import HarnessError
from uadbench.data.packing.store import Store
from uadbench.methods.base import Context
from uadbench.methods.seeds import Streams
from uadbench.training import run


def test_gaussians_and_distances_are_those_of_numpy_and_scipy():
    method = built("padim", smoothing=0.0, zoom=1, patch=8)  # four places
    draw = np.random.default_rng(0)
    mixed = draw.standard_normal((12, 12))
    features = draw.standard_normal((40, 12, 4)).astype(np.float32)
    features = np.einsum("ij,njp->nip", mixed, features).astype(np.float32) + 3
    method.phases()
    method.features = lambda images: torch.from_numpy(features[images[:, 0, 0, 0].long().numpy()])

    class Batch:
        def __init__(self, rows):
            self.images = torch.tensor(list(rows), dtype=torch.float32).reshape(-1, 1, 1, 1)

    for start in range(0, 40, 8):
        method.collect(Batch(range(start, start + 8)))
    method.fit(Batch(range(4)))
    ours = method.gaussians.distance(torch.from_numpy(features[:5]))
    for place in range(4):
        at = features[:, :, place].astype(float)
        precision = np.linalg.inv(np.cov(at, rowvar=False) + 0.01 * np.identity(12))
        expected = [mahalanobis(row, at.mean(0), precision) for row in at[:5]]
        np.testing.assert_allclose(ours[:, place], expected, rtol=1e-4)


def test_features_are_chosen_channels_of_three_stages_at_their_places():
    method = built("padim", zoom=1, patch=16, channels=10_000)
    widths = method.backbone.channels
    assert method.channels == sum(widths[stage] for stage in (1, 2, 3))
    assert sorted(method.gaussians.chosen.tolist()) == list(range(method.channels))
    levels = [None, *(torch.rand(2, widths[stage], 4 // 2**k, 4 // 2**k) for k, stage in enumerate((1, 2, 3)))]
    method.backbone.forward = lambda images: levels
    ours = method.features(torch.zeros(2, 1, 16, 16))
    back = ours[:, method.gaussians.chosen.argsort()].unflatten(2, (4, 4))
    assert torch.equal(back[:, : widths[1]], levels[1])
    enlarged = torch.nn.functional.interpolate(levels[2], (4, 4), mode="bilinear", align_corners=False)
    assert torch.equal(back[:, widths[1] : widths[1] + widths[2]], enlarged)


def test_a_seed_draws_its_channels():
    first, again = built("padim"), built("padim")
    torch.manual_seed(4)
    other = run.build("padim", small("padim").values, Context("t1", 4.0))
    assert torch.equal(first.gaussians.chosen, again.gaussians.chosen)
    assert not torch.equal(first.gaussians.chosen, other.gaussians.chosen)
    assert len(first.gaussians.chosen.unique()) == 12


def test_lesions_score_higher_than_healthy_brain(tiny_cohort, tmp_path):
    method, _ = run.load(trained("padim", tiny_cohort, tmp_path, smoothing=0.0, steps=20))
    assert method.total.numel() == method.products.numel() == 0
    store = Store.open(tiny_cohort)
    row = store.rows("t1", "test")[0]
    with torch.no_grad():
        seen = method.held_out(slices(tiny_cohort).batch(16, Streams(9), 32, True))
        volume = torch.tensor(np.asarray(store.images("t1")[row], np.float32))
        scores = method.score(volume, Streams(0))["final"]
    assert scores.shape == volume.shape
    truth = torch.from_numpy(np.asarray(store.labels()[row]) > 0)
    assert scores[truth].mean() > scores[(volume > 0) & ~truth].mean()
    assert scores[truth].mean() > seen


def test_sizes_that_features_have_no_place_for_are_refused():
    with pytest.raises(HarnessError, match="must be a multiple of 4"):
        built("padim", patch=33, zoom=1)


def test_distances_do_not_depend_on_the_number_format_of_networks():
    gaussians = built("padim", zoom=1, patch=8).gaussians
    draw = torch.Generator().manual_seed(0)
    gaussians.precision.copy_(torch.randn(gaussians.precision.shape, generator=draw).square())
    features = torch.rand((5, *gaussians.mean.shape), generator=draw)
    with torch.autocast("cpu", torch.bfloat16):
        assert (features.mT @ features).dtype == torch.bfloat16
        short = gaussians.distance(features)
    assert torch.equal(short, gaussians.distance(features))
