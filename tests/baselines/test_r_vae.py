"""r-VAE: total variation, the restoration step, and independence of the batch."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from baselines import r_vae, vae
from harness import registry
from harness.method import Context
from harness.training.run import freeze
from harness.training.seeds import Streams


def restorer(**values) -> r_vae.Baseline:
    torch.manual_seed(0)
    prior = vae.Baseline(registry.params("vae", registry.describe("vae").small, "t1"), Context("t1", 4.0))
    return r_vae.Baseline(registry.params("r_vae", values, "t1"), Context("t1", 4.0, freeze(prior)))


def images(count: int = 5) -> torch.Tensor:
    return torch.rand((count, 1, 32, 32), generator=torch.Generator().manual_seed(1))


def test_total_variation_by_hand():
    image = torch.tensor([[[[1.0, 3.0], [4.0, 4.0]]]])
    # down: (4 - 1)^2 + (4 - 3)^2; right: (3 - 1)^2 + 0; four voxels
    assert r_vae.total_variation(image).item() == pytest.approx((9 + 1 + 4) / 4)


def test_one_step_against_finite_differences():
    method = restorer(iterations=1, tv=0.0)
    noise = torch.randn((1, 16), generator=Streams(4).child("restoration")["latent"]).double()
    change = (method.restored(images(1), Streams(4)) - images(1))[0, 0]
    exact = deepcopy(method.vae).double()

    def objective(image: torch.Tensor) -> float:
        mean, log_variance = exact.encoder(image).chunk(2, 1)
        deviation = (0.5 * log_variance).exp()
        error = (exact.decoder(mean + deviation * noise) - image).square().mean()
        divergence = kl_divergence(Normal(mean, deviation), Normal(0.0, 1.0)).mean()
        return float(error + 1e-4 * divergence)

    for y, x in ((3, 5), (16, 16), (30, 2)):
        up, down = images(1).double(), images(1).double()
        up[0, 0, y, x] += 1e-5
        down[0, 0, y, x] -= 1e-5
        slope = (objective(up) - objective(down)) / 2e-5
        assert change[y, x].item() == pytest.approx(-1000 * 32**2 / 128**2 * slope, rel=1e-3)


def test_steps_lower_the_objective_and_the_prior_keeps_its_weights():
    method = restorer(iterations=40)
    weights = [p.clone() for p in method.vae.parameters()]
    noise = torch.zeros((1, 16))
    restored = method.restored(images(), Streams(0))
    assert (method.vae.negative_elbo(restored, noise) < method.vae.negative_elbo(images(), noise)).all()
    assert all(torch.equal(a, b) and b.grad is None for a, b in zip(weights, method.vae.parameters(), strict=True))


def test_variation_keeps_the_change_smooth():
    rough, smooth = (restorer(iterations=40, tv=tv).restored(images(), Streams(0)) - images() for tv in (0.0, 1.2))
    assert (r_vae.total_variation(smooth) < r_vae.total_variation(rough)).all()


def test_clipping_bounds_a_step():
    change = restorer(iterations=1, clip=1e-6).restored(images(), Streams(0)) - images()
    assert change.abs().max().item() == pytest.approx(1000 * 32**2 / 128**2 * 1e-6, rel=0.05)


@pytest.mark.parametrize("variant", [{}, registry.describe("r_vae-upd").params])
def test_a_slice_is_restored_alike_alone_and_in_a_batch(variant):
    method = restorer(**{"iterations": 5, **variant})
    together = method.restored(images(), Streams(2))
    alone = torch.cat([method.restored(image[None], Streams(2)) for image in images()])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_upd_divides_the_gradient_by_its_batch():
    own = restorer(iterations=1).restored(images(), Streams(2)) - images()
    upd = restorer(iterations=1, averaged=64).restored(images(), Streams(2)) - images()
    torch.testing.assert_close(upd * 64, own, rtol=1e-2, atol=1e-5)
