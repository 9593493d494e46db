"""f-AnoGAN: gradient penalty, sizes of the networks, and what each update moves."""

import json
import math

import pytest
import torch
from torch import nn
from torch.autograd.functional import jacobian

from tests.trainings import CPU, built, slices
from uadbench.compute.precision import Precision
from uadbench.core.errors import HarnessError
from uadbench.methods import registry
from uadbench.methods.base import Batch
from uadbench.methods.networks.wgan import ENLARGING, Critic, ResidualBlock, gradient_penalty
from uadbench.methods.seeds import Streams
from uadbench.methods.settings import resolve
from uadbench.training.loop import step

UPD = registry.describe("f_anogan-upd").params


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
    critic = Critic(4, 16, 2, 3).double()
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


@pytest.mark.parametrize("enlarging", ENLARGING)
def test_order_of_a_block_on_the_way_up(enlarging):
    """BN, ReLU, enlarging, 3 x 3, BN, ReLU, 3 x 3, beside an enlarged 1 x 1; enlarging voxel by voxel."""
    torch.manual_seed(0)
    block = ResidualBlock(6, 3, (nn.BatchNorm2d(6), nn.BatchNorm2d(3)), ENLARGING[enlarging])
    for norm in (block.norm_in, block.norm_out):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)

    def enlarged(x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = x.shape
        out = torch.zeros(n, c, 2 * h, 2 * w)
        for channel in range(c):
            for part, (i, j) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
                source = channel if enlarging == "nearest" else (4 * channel + part) % c
                out[:, channel, i::2, j::2] = x[:, source]
        return out

    x = torch.rand(2, 6, 5, 4)
    h = block.conv_in(enlarged(torch.relu(block.norm_in(x))))
    expected = block.conv_out(torch.relu(block.norm_out(h))) + block.shortcut(enlarged(x))
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("kernel", [1, 3])
def test_order_of_a_block_on_the_way_down(kernel):
    """Norm, ReLU, 3 x 3, norm, ReLU, second convolution, mean of four; beside the mean of four, 1 x 1."""
    torch.manual_seed(0)
    block = ResidualBlock(3, 5, (nn.BatchNorm2d(3), nn.BatchNorm2d(3)), None, kernel)
    for norm in (block.norm_in, block.norm_out):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)

    def pooled(x: torch.Tensor) -> torch.Tensor:
        return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4

    x = torch.rand(2, 3, 6, 4)
    h = nn.functional.conv2d(torch.relu(block.norm_in(x)), block.conv_in.weight, padding=1)
    h = torch.relu(block.norm_out(h))
    expected = pooled(nn.functional.conv2d(h, block.conv_out.weight, block.conv_out.bias, padding=kernel // 2))
    expected = expected + nn.functional.conv2d(pooled(x), block.shortcut.weight, block.shortcut.bias)
    torch.testing.assert_close(block(x), expected)


def test_published_values_and_those_of_upd_study():
    """Schlegl et al.: five updates of the critic, 1e-4, 50,000 steps of the encoder, 3 x 3, tanh."""
    published, upd = built("f_anogan", steps=4), built("f_anogan", **UPD)
    params = resolve("f_anogan", "t1").params
    assert (params.critic_updates, params.learning_rate, params.encoder_steps) == (5, 1e-4, 50_000)
    assert [type(method.generator[-1]) for method in (published, upd)] == [nn.Tanh, nn.Sigmoid]
    kernels = [method.critic.features[1].conv_out.kernel_size for method in (published, upd)]
    assert kernels == [(3, 3), (1, 1)]
    updates = [[update.name for update in method.phases()[0].updates] for method in (published, upd)]
    assert updates == [[*["critic"] * 5, "generator"], ["critic", "generator"]]


def test_every_update_of_the_critic_sees_slices_of_its_own(tiny_cohort, monkeypatch):
    method, seen = built("f_anogan", batch=4), []
    for name in ("critic_loss", "generator_loss"):
        loss = getattr(method, name)
        monkeypatch.setattr(method, name, lambda batch, loss=loss: seen.append(batch.images) or loss(batch))
    step(method, method.phases()[0], slices(tiny_cohort), Streams(0), Precision(CPU))
    assert len(seen) == 6
    distinct = {tuple(images.sum((1, 2, 3)).tolist()) for images in seen[:5]}
    assert len(distinct) == 5
    assert torch.equal(seen[4], seen[5])


def test_networks_see_and_make_symmetric_images():
    method = built("f_anogan").eval()
    seen = []
    method.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images = torch.zeros(1, 1, 32, 32)
    images[..., 3] = 1.0
    restored = method.restored(images, Streams(0))
    assert seen[0].unique().tolist() == [-1.0, 1.0]
    made = method.generator(method.encoder(seen[0]))
    torch.testing.assert_close(restored, (made + 1) / 2)
    assert 0 <= restored.min() <= restored.max() <= 1


@pytest.mark.parametrize("patch", [32, 40, 48])
def test_networks_fit_any_patch(patch):
    method = built("f_anogan", patch=patch)
    assert method.side >= patch
    images = torch.rand((2, 1, method.side, method.side))
    assert method.restored(images, Streams(0)).shape == images.shape


def test_every_update_moves_its_own_network():
    method = built("f_anogan")
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
    """But where the encoder's batches move its running statistics; not in validation."""
    after = {**UPD, "own_statistics": False}
    for values, training, changes in (
        ({}, True, False),
        (UPD, True, False),
        (after, True, True),
        (after, False, False),
    ):
        method = built("f_anogan", **values).train(training)
        before = {key: value.clone() for key, value in method.generator.state_dict().items()}
        method.encoder_loss(batch())
        changed = {key for key, value in method.generator.state_dict().items() if not torch.equal(value, before[key])}
        assert bool(changed) == changes
        assert all("running" in key or "num_batches" in key for key in changed)


def test_the_variant_scores_with_the_generator_of_phase_gan(tiny_cohort):
    """UPD_study saves it before the encoder trains. The encoder sees it normalise by the batch all the same."""
    made = {}
    for own in (True, False):
        method, sampler, streams = built("f_anogan", **{**UPD, "own_statistics": own}), slices(tiny_cohort), Streams(0)
        for phase in method.phases():
            for _ in range(2):
                step(method, phase, sampler, streams, Precision(CPU))
            made[own, phase.name] = {key: value.clone() for key, value in method.state_dict().items()}
    gan, done, moved = made[True, "gan"], made[True, "encoder"], made[False, "encoder"]
    generator = [key for key in gan if key.startswith("generator.")]
    assert all(torch.equal(gan[key], done[key]) for key in generator)
    statistics = {key for key in generator if "running_" in key or "num_batches" in key}
    assert {key for key in gan if not torch.equal(done[key], moved[key])} == statistics
    assert not all(torch.equal(gan[key], done[key]) for key in gan)


def test_the_method_as_published_is_not_trained_again_for_the_variant():
    """A run of it knows nothing of the parameter, and one of the variant from before has other weights."""
    published, upd = (json.loads(resolve(name, "t1").training) for name in ("f_anogan", "f_anogan-upd"))
    assert "own_statistics" not in published["params"]
    assert upd["params"]["own_statistics"] is True


def test_encoder_loss_by_hand():
    method = built("f_anogan").train()
    real = batch().images
    real = 2 * torch.nn.functional.pad(real, (0, 8)) - 1
    with torch.no_grad():
        loss = method.encoder_loss(batch())
        code = method.encoder(real)  # batch statistics, as in the loss
        restored = method.generator(code)
        features = [method.critic.features(x) for x in (real, restored)]
    expected = (real - restored).square().mean() + (features[0] - features[1]).square().mean()
    assert math.isclose(loss.item(), expected.item(), rel_tol=1e-5)


@pytest.mark.parametrize("wrong", [{"critic_updates": 0}, {"encoder_steps": 0}, {"kernel": 2}, {"kernel": 0}], ids=str)
def test_values_without_a_meaning_are_refused(wrong):
    (key,) = wrong
    with pytest.raises(HarnessError, match=key):
        resolve("f_anogan", "t1", {"f_anogan": wrong})


def test_the_loss_of_the_critic_is_a_difference_of_means_and_the_weighted_penalty():
    class Mean(nn.Module):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, None]:
            return 3 * images.mean((1, 2, 3)), None

    method = built("f_anogan")
    method.critic = Mean()
    with torch.no_grad():
        real, fake = method.real(batch().images), method.fake(batch())
    penalty = (3 / math.sqrt(real[0].numel()) - 1) ** 2  # the gradient is 3 / voxels everywhere
    expected = 3 * float(fake.mean() - real.mean()) + 10 * penalty
    assert float(method.critic_loss(batch())) == pytest.approx(expected, rel=1e-5)
