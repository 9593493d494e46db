"""f-AnoGAN: gradient penalty, sizes of the networks, and what each update moves."""

from __future__ import annotations

import math

import pytest
import torch
from torch.autograd.functional import jacobian

from baselines import f_anogan
from harness import registry
from harness.method import Batch, Context
from harness.networks.wgan import Critic, encoder, generator, gradient_penalty
from harness.training.seeds import Streams


def small() -> f_anogan.Baseline:
    torch.manual_seed(0)
    return f_anogan.Baseline(registry.params("f_anogan", registry.describe("f_anogan").small, "t1"), Context("t1", 4.0))


def batch() -> Batch:
    images = torch.rand((4, 1, 32, 24), generator=torch.Generator().manual_seed(1))
    return Batch(images, torch.arange(4), Streams(0), lambda: images)


def test_penalty_of_a_linear_critic():
    """The gradient is the weight everywhere; its norm is 3."""
    weight = torch.full((1, 3, 3), 1.0)
    real, fake = torch.rand((2, 5, 1, 3, 3), generator=torch.Generator().manual_seed(0))
    penalty = gradient_penalty(lambda x: (x * weight).sum((1, 2, 3)), real, fake, torch.rand(5))
    assert penalty.item() == pytest.approx((3 - 1) ** 2, rel=1e-5)


def test_penalty_of_a_network_against_its_jacobian():
    torch.manual_seed(0)
    critic = Critic(4, 16, 2).double()
    real, fake = torch.rand((2, 3, 1, 16, 16), dtype=torch.float64)
    share = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)
    norms = []
    for i in range(3):
        mixed = (1 - share[i]) * real[i] + share[i] * fake[i]
        norms.append(jacobian(lambda x: critic(x[None])[0].sum(), mixed).norm())
    expected = (torch.stack(norms) - 1).square().mean()
    torch.testing.assert_close(gradient_penalty(lambda x: critic(x)[0], real, fake, share), expected)


def test_penalty_reaches_the_weights():
    """For f(x) = w x the penalty is (|w| - 1)^2, with derivative 2 (|w| - 1) w / |w|."""
    weight = torch.tensor([3.0, 4.0], requires_grad=True)
    real, fake = torch.zeros((2, 2)), torch.ones((2, 2))
    gradient_penalty(lambda x: x @ weight, real, fake, torch.rand(2)).backward()
    torch.testing.assert_close(weight.grad, 2 * (5 - 1) * weight.detach() / 5)


def test_networks_have_the_size_of_upd_study():
    made = {"generator": generator(128, 64, 128, 5), "critic": Critic(64, 128, 5), "encoder": encoder(128, 64, 128, 5)}
    millions = {name: sum(p.numel() for p in network.parameters()) / 1e6 for name, network in made.items()}
    assert millions == pytest.approx({"generator": 9.79, "critic": 12.47, "encoder": 5.78}, abs=0.005)


@pytest.mark.parametrize("patch", [32, 40, 48])
def test_networks_fit_any_patch(patch):
    method = f_anogan.Baseline(
        registry.params("f_anogan", {"patch": patch, "width": 4, "latent": 8}, "t1"), Context("t1", 4.0)
    )
    assert method.side >= patch
    images = torch.rand((2, 1, method.side, method.side))
    assert method.restored(images, Streams(0)).shape == images.shape


def test_every_update_moves_its_own_network():
    method = small()
    for loss, moved in (
        (method.critic_loss, method.critic),
        (method.generator_loss, method.generator),
        (method.encoder_loss, method.encoder),
    ):
        method.zero_grad()
        method.train()
        loss(batch()).backward()
        for name, network in method.named_children():
            gradients = [p.grad for p in network.parameters()]
            assert any(g is not None and g.abs().max() > 0 for g in gradients) == (network is moved), name
        assert all(p.requires_grad for p in method.parameters())


def test_finding_codes_leaves_the_generator_as_it_is():
    method = small().train()
    before = {key: value.clone() for key, value in method.generator.state_dict().items()}
    method.encoder_loss(batch())
    assert all(torch.equal(value, before[key]) for key, value in method.generator.state_dict().items())


def test_encoder_loss_by_hand():
    method = small().train()
    real = batch().images
    real = torch.nn.functional.pad(real, (0, 8))
    with torch.no_grad():
        loss = method.encoder_loss(batch())
        code = method.encoder(real)  # batch statistics, as in the loss
        restored = method.generator(code)
        features = [method.critic.features(x) for x in (real, restored)]
    expected = (real - restored).square().mean() + (features[0] - features[1]).square().mean()
    assert math.isclose(loss.item(), expected.item(), rel_tol=1e-5)
