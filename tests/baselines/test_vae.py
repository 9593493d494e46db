"""VAE: the KL term, slices of any size, and scores that do not depend on the batch."""

import pytest
import torch
from torch.distributions import Normal
from torch.distributions import kl_divergence as reference

from tests.trainings import built
from uadbench.baselines import vae
from uadbench.methods import registry
from uadbench.methods.seeds import Streams


def small(**values) -> vae.Baseline:
    method = built("vae", **values).eval()
    for module in method.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
    return method


def volume() -> torch.Tensor:
    return torch.rand((7, 40, 30), generator=torch.Generator().manual_seed(1)).clamp_min(0.01)


def test_kl_term_against_torch():
    mean, log_variance = torch.randn((2, 5, 11), generator=torch.Generator().manual_seed(2))
    expected = reference(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).mean(1)
    torch.testing.assert_close(vae.kl_divergence(mean, log_variance), expected)


def test_elbo_by_hand():
    method = small(kl_weight=0.5)
    images = torch.rand((3, 1, method.side, method.side))
    noise = torch.randn((3, 16))
    mean, log_variance = method.encoder(images).chunk(2, 1)
    error = (method.decoder(mean + log_variance.exp().sqrt() * noise) - images).square().flatten(1).mean(1)
    divergence = reference(Normal(mean, log_variance.exp().sqrt()), Normal(0.0, 1.0)).mean(1)
    torch.testing.assert_close(method.negative_elbo(images, noise), error + 0.5 * divergence)


@pytest.mark.parametrize("patch", [24, 32, 40, 48, 64])
def test_networks_fit_any_patch(patch):
    method = small(patch=patch)
    images = torch.rand((2, 1, method.side, method.side))
    assert method.side >= patch
    assert method.decoder(method.encoder(images).chunk(2, 1)[0]).shape == images.shape


@pytest.mark.parametrize("variant", [{}, registry.describe("vae-upd").params])
def test_score_is_the_same_for_any_batch_size(variant):
    one, many = (small(**variant, score_batch=batch).score(volume(), Streams(3))["final"] for batch in (2, 64))
    torch.testing.assert_close(one, many, rtol=1e-4, atol=1e-6)


def test_residual_is_of_the_latent_mean():
    method = small(patch=40)
    images = volume()[:, None]
    padded = torch.nn.functional.pad(images, (0, method.side - 30, 0, method.side - 40))
    mean = method.encoder(padded)[:, :16]
    expected = (padded - method.decoder(mean)).abs()[:, 0, :40, :30]
    torch.testing.assert_close(method.score(volume(), Streams(0))["final"], expected)


def test_sampled_latent_depends_on_the_seed_alone():
    method = small(sample=True)
    one, again, other = (method.score(volume(), Streams(seed))["final"] for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
