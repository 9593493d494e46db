"""FAE: the map is one minus the mean SSIM of features and their reconstruction."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, zoom
from uadbench.baselines.fae import FeatureAutoencoder

from uadbench.methods import registry
from uadbench.methods.base import Context
from uadbench.training import run


@pytest.fixture
def method():
    torch.manual_seed(0)
    return run.freeze(run.build("fae", {**registry.describe("fae").small, "zoom": 1}, Context("t1", 4.0)))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand((2, 1, 64, 48), generator=torch.Generator().manual_seed(1))


def test_map_is_one_minus_mean_ssim_of_the_features(method, images):
    with torch.no_grad():
        features = method.features(images)
        copies = method.autoencoder(features)
        ours = method.dissimilarity(images)[:, 0].numpy()

    def mean(image):
        return gaussian_filter(image, 1.5, mode="constant", radius=2)

    for index in range(2):
        values = []
        for a, b in zip(features[index].double().numpy(), copies[index].double().numpy(), strict=True):
            ma, mb = mean(a), mean(b)
            va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
            values.append((2 * ma * mb + 1e-4) * (2 * cov + 9e-4) / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4)))
        np.testing.assert_allclose(ours[index], 1 - np.mean(values, 0), atol=1e-4)


def test_features_are_those_of_stem_and_two_stages_at_one_size(method, images):
    levels = method.backbone(images)
    features = method.features(images)
    assert features.shape == (2, 8 + 8 + 16, 16, 12)
    assert torch.equal(features[:, :8], levels[0])
    expected = zoom(levels[2][0, 3].numpy(), (2, 2), order=1, grid_mode=False, mode="nearest")
    np.testing.assert_allclose(features[0, 16 + 3].numpy(), expected, atol=1e-5)


def test_loss_has_gradients_for_the_autoencoder_alone(images):
    built = run.build("fae", registry.describe("fae").small, Context("t1", 4.0))
    built.dissimilarity(images).mean().backward()
    assert all(parameter.grad is not None for parameter in built.autoencoder.parameters())
    rest = list(built.backbone.parameters())
    assert rest
    assert all(not parameter.requires_grad and parameter.grad is None for parameter in rest)


def test_the_backbone_adapts_its_batch_normalisation_and_nothing_else(images):
    """As with `model.train()` in the public code: statistics of training batches, not in evaluation."""
    built = run.build("fae", registry.describe("fae").small, Context("t1", 4.0))
    for training in (False, True):
        before = {key: value.clone() for key, value in built.backbone.network.state_dict().items()}
        built.train(training).features(images)
        state = built.backbone.network.state_dict()
        changed = {key for key in state if not torch.equal(state[key], before[key])}
        assert bool(changed) == training
        assert all("running_" in key or "num_batches" in key for key in changed)


def test_autoencoder_has_the_size_that_upd_study_has():
    with torch.device("meta"):
        network = FeatureAutoencoder(256, (100, 150, 200, 300), 0.1)
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(10.29e6, rel=0.001)


def test_only_batch_norm_has_biases():
    network = FeatureAutoencoder(16, (8, 12), 0.1)
    plain = [part for part in network.modules() if not isinstance(part, (torch.nn.BatchNorm2d, torch.nn.Sequential))]
    assert [name for part in plain for name, _ in part.named_parameters(recurse=False) if name == "bias"] == []
