"""r-VAE: total variation, the restoration step, and independence of the batch."""

from copy import deepcopy
from itertools import pairwise

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from tests.trainings import built
from uadbench.baselines import r_vae
from uadbench.core.errors import HarnessError
from uadbench.methods import registry
from uadbench.methods.seeds import Streams
from uadbench.methods.settings import resolve
from uadbench.training.run import freeze


def restorer(**values) -> r_vae.Baseline:
    return built("r_vae", freeze(built("vae")), **values)


def images(count: int = 5) -> torch.Tensor:
    return torch.rand((count, 1, 32, 32), generator=torch.Generator().manual_seed(1))


UPD = registry.describe("r_vae-upd").params


def test_total_variation_by_hand():
    image = torch.tensor([[[[1.0, 3.0], [4.0, 4.0]]]])
    # down: 4 - 1 and 4 - 3; right: 3 - 1 and 0
    assert r_vae.total_variation(image, "absolute").item() == pytest.approx(3 + 1 + 2)
    assert r_vae.total_variation(image, "squares").item() == pytest.approx(9 + 1 + 4)


@pytest.mark.parametrize(("objective", "upd"), [("sum", {}), ("mean", UPD)])
def test_one_step_against_finite_differences(objective, upd):
    """Chen et al.: squares and divergence added up, times 5e-3; UPD: the VAE's loss, times 1000 at 128 x 128."""
    method = restorer(**{**upd, "iterations": 1, "tv": 0.0, "averaged": 1})
    noise = torch.randn((1, 16), generator=Streams(4).child("restoration")["latent"]).double()
    change = (method.restored(images(1), Streams(4)) - images(1))[0, 0]
    exact = deepcopy(method.vae).double()

    def loss(image: torch.Tensor) -> float:
        mean, log_variance = exact.encoder(image).chunk(2, 1)
        deviation = (0.5 * log_variance).exp()
        error = (exact.decoder(mean + deviation * noise) - image).square()
        divergence = kl_divergence(Normal(mean, deviation), Normal(0.0, 1.0))
        if objective == "sum":
            return float(error.sum() + 0.2**2 * divergence.sum())
        return float(error.mean() + 1e-4 * divergence.mean())

    step = 5e-3 if objective == "sum" else 1000 * 32**2 / 128**2
    for y, x in ((3, 5), (16, 16), (30, 2)):
        up, down = images(1).double(), images(1).double()
        up[0, 0, y, x] += 1e-5
        down[0, 0, y, x] -= 1e-5
        slope = (loss(up) - loss(down)) / 2e-5
        assert change[y, x].item() == pytest.approx(-step * slope, rel=1e-3)


def test_variation_pulls_a_voxel_towards_its_neighbours():
    """The gradient of |differences| of the change is the number of neighbours it exceeds, less those above it."""
    method = restorer(tv=2.2)
    still = torch.zeros((1, 1, 32, 32))
    changed = still.clone()
    changed[0, 0, 5, 5] = 0.3  # above all four neighbours
    changed[0, 0, 0, 0] = -0.2  # below its two
    noise = torch.zeros((1, 16))
    slopes = []
    for weight in (2.2, 0.0):
        object.__setattr__(method.params, "tv", weight)
        current = changed.clone().requires_grad_()
        slopes += torch.autograd.grad(method.objective(current, still, noise).sum(), current)
    found = (slopes[0] - slopes[1])[0, 0]
    assert found[5, 5].item() == pytest.approx(4 * 2.2 * 0.2, rel=1e-4)
    assert found[0, 0].item() == pytest.approx(-2 * 2.2 * 0.2, rel=1e-4)
    assert found[5, 6].item() == pytest.approx(-2.2 * 0.2, rel=1e-4)
    assert found[20, 20].item() == pytest.approx(0, abs=1e-4)


def test_steps_of_chen_are_those_of_images_with_unit_deviation():
    """Restoring x / s with weights 1 and then scaling back is restoring x with the weights of `deviation` s."""
    method = restorer(deviation=0.25)
    noise = torch.zeros((1, 16))
    x = images(1).double()
    method.vae.double()

    def unit(scaled: torch.Tensor) -> torch.Tensor:
        mean, log_variance = method.vae.encoder(0.25 * scaled).chunk(2, 1)
        error = (scaled - method.vae.decoder(mean) / 0.25).square().sum()
        variation = r_vae.total_variation(scaled - x / 0.25, "absolute").sum()
        return error + kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum() + 2.2 * variation

    start = (x + 0.1 * torch.rand(x.shape, generator=torch.Generator().manual_seed(3))).requires_grad_()
    ours = torch.autograd.grad(method.objective(start, x, noise.double()).sum(), start)[0]
    scaled = (start.detach() / 0.25).requires_grad_()
    theirs = torch.autograd.grad(unit(scaled), scaled)[0]
    torch.testing.assert_close(ours, 0.25 * theirs, rtol=1e-4, atol=1e-6)


def test_the_step_falls_after_a_hundred_iterations():
    """Clipped gradients make every step as long as its factor, whatever their value."""
    taken = [restorer(iterations=n, clip=1e-4, tv=0.0).restored(images(1), Streams(0)) for n in (99, 100, 101)]
    early, late = ((after - before).abs().max().item() for before, after in pairwise(taken))
    assert early == pytest.approx(5e-3 * 1e-4, rel=0.1)
    assert late == pytest.approx(2e-3 * 1e-4, rel=0.1)


def test_only_the_brain_changes():
    slices = images(2)
    slices[:, :, :10] = 0
    ours, upd = (restorer(**{**params, "iterations": 3}).restored(slices, Streams(0)) for params in ({}, UPD))
    assert torch.equal(ours[:, :, :10], slices[:, :, :10])
    assert (ours[:, :, 10:] != slices[:, :, 10:]).float().mean() > 0.9
    assert (upd[:, :, :10] != 0).float().mean() > 0.9


@pytest.mark.parametrize("variant", [{}, UPD])
def test_steps_lower_the_objective_and_the_prior_keeps_its_weights(variant):
    method = restorer(**{**variant, "iterations": 40})
    weights = [p.clone() for p in method.vae.parameters()]
    noise = torch.zeros((1, 16))
    restored = method.restored(images(), Streams(0))
    assert (method.objective(restored, images(), noise) < method.objective(images(), images(), noise)).all()
    assert all(torch.equal(a, b) and b.grad is None for a, b in zip(weights, method.vae.parameters(), strict=True))


@pytest.mark.parametrize("variant", [{}, UPD])
def test_variation_keeps_the_change_smooth(variant):
    rough, smooth = (
        restorer(**{**variant, "iterations": 40, "averaged": 1, "tv": tv}).restored(images(), Streams(0)) - images()
        for tv in (0.0, 0.5)
    )
    assert (r_vae.total_variation(smooth, "absolute") < r_vae.total_variation(rough, "absolute")).all()


@pytest.mark.parametrize("variant", [{}, UPD])
def test_a_slice_is_restored_alike_alone_and_in_a_batch(variant):
    method = restorer(**{"iterations": 5, **variant})
    together = method.restored(images(), Streams(2))
    alone = torch.cat([method.restored(image[None], Streams(2)) for image in images()])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [{"iterations": 0}, {"step_size": -1.0}, {"deviation": 0.0}, {"averaged": 0}, {"tv": -1.0}, {"later": -1}],
    ids=str,
)
def test_values_without_a_meaning_are_refused(wrong):
    (key,) = wrong
    with pytest.raises(HarnessError, match=key):
        resolve("r_vae", "t1", {"r_vae": wrong})
