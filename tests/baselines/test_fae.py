"""FAE: the map is one minus the mean SSIM of features and their reconstruction."""

import numpy as np
import pytest
import torch
from scipy.ndimage import zoom

from tests.trainings import built
from uadbench.methods.scoring.similarity import dissimilarity_map
from uadbench.training.run import freeze


@pytest.fixture
def method():
    return freeze(built("fae", zoom=1))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand((2, 1, 64, 48), generator=torch.Generator().manual_seed(1))


def test_map_is_one_minus_mean_ssim_of_the_features(method, images):
    features = method.features(images)
    expected = dissimilarity_map(method.autoencoder(features), features, 5)
    torch.testing.assert_close(method.dissimilarity(images), expected, rtol=0, atol=1e-4)


def test_features_are_those_of_stem_and_two_stages_at_one_size(method, images):
    levels = method.backbone(images)
    features = method.features(images)
    assert features.shape == (2, 8 + 8 + 16, 16, 12)
    assert torch.equal(features[:, :8], levels[0])
    expected = zoom(levels[2][0, 3].numpy(), (2, 2), order=1, grid_mode=False, mode="nearest")
    np.testing.assert_allclose(features[0, 16 + 3].numpy(), expected, atol=1e-5)


def test_loss_has_gradients_for_the_autoencoder_alone(images):
    method = built("fae")
    method.dissimilarity(images).mean().backward()
    assert all(parameter.grad is not None for parameter in method.autoencoder.parameters())
    rest = list(method.backbone.parameters())
    assert rest
    assert all(not parameter.requires_grad and parameter.grad is None for parameter in rest)


def test_the_backbone_adapts_its_batch_normalisation_and_nothing_else(images):
    """As with `model.train()` in the public code: statistics of training batches, not in evaluation."""
    method = built("fae")
    for training in (False, True):
        before = {key: value.clone() for key, value in method.backbone.network.state_dict().items()}
        method.train(training).features(images)
        state = method.backbone.network.state_dict()
        changed = {key for key in state if not torch.equal(state[key], before[key])}
        assert bool(changed) == training
        assert all("running_" in key or "num_batches" in key for key in changed)
