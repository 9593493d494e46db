"""DDPM and AnoDDPM: forward and reverse diffusion against closed forms."""

import numpy as np
import pytest
import torch

from tests.trainings import built
from uadbench.baselines import ddpm
from uadbench.core.errors import HarnessError
from uadbench.methods.base import Batch
from uadbench.methods.seeds import Streams
from uadbench.methods.settings import resolve


def volume() -> torch.Tensor:
    return torch.rand((6, 32, 24), generator=torch.Generator().manual_seed(1)).clamp_min(0.01)


def test_schedule_against_a_plain_product():
    alpha_bar = 1.0
    for beta in np.linspace(1e-4, 0.02, 1000)[:250]:
        alpha_bar *= 1 - beta
    schedule = ddpm.alpha_bar_schedule(1000)
    assert schedule[0] == 1
    assert schedule[250].item() == pytest.approx(alpha_bar, rel=1e-5)
    assert schedule[1000].item() == pytest.approx(4.036e-5, rel=1e-3)
    assert ddpm.alpha_bar_schedule(100)[100] < 1e-4


def test_forward_diffusion_is_many_small_steps():
    """Noising from 0 to t at once has the mean and variance of t single steps."""
    betas, mean, variance = np.linspace(1e-4, 0.02, 1000)[:40], 0.7, 0.0
    for beta in betas:
        mean, variance = np.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
    alpha_bar = ddpm.alpha_bar_schedule(1000)[40]
    x = torch.full((1, 1, 1, 1), 0.7)
    still = ddpm.diffused(x, torch.zeros_like(x), alpha_bar)
    assert still.item() == pytest.approx(mean, rel=1e-5)
    assert (ddpm.diffused(x, torch.ones_like(x), alpha_bar) - still).item() ** 2 == pytest.approx(variance, rel=1e-4)


@pytest.mark.parametrize(("t", "s"), [(250, 249), (250, 200), (10, 0)])
def test_reverse_step_against_bayes(t, s):
    """q(x_s | x_t, x_0) from the two Gaussians that it is made of, by completing the square."""
    schedule = ddpm.alpha_bar_schedule(1000).double()
    alpha_bar, later = schedule[t], schedule[s]
    generator = torch.Generator().manual_seed(0)
    x0 = torch.rand((2, 1, 4, 4), generator=generator, dtype=torch.float64) * 1.8 - 0.9
    noise = torch.randn((2, 1, 4, 4), generator=generator, dtype=torch.float64)
    x = ddpm.diffused(x0, noise, alpha_bar)
    mean, deviation = ddpm.reverse_step(x, noise, alpha_bar, later)
    ratio = alpha_bar / later
    if s == 0:
        torch.testing.assert_close(mean, x0)
        return
    precision = 1 / (1 - later) + ratio / (1 - ratio)
    expected = (later.sqrt() * x0 / (1 - later) + ratio.sqrt() * x / (1 - ratio)) / precision
    torch.testing.assert_close(mean, expected)
    assert deviation.item() ** 2 == pytest.approx((1 - ratio).item())


@pytest.mark.parametrize("stride", [1, 7, 25])
def test_a_network_that_knows_the_noise_restores_the_image(stride, monkeypatch):
    method = built("ddpm", start=50, stride=stride).eval()
    images = volume()[:, None]

    def known(x, t):
        alpha_bar = method.alpha_bar[t]
        return (x - alpha_bar.sqrt() * (2 * images - 1)) / (1 - alpha_bar).sqrt()

    monkeypatch.setattr(method, "predict", known)
    torch.testing.assert_close(method.restore_slices(images, Streams(0)), images, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["ddpm", "anoddpm"])
def test_score_is_the_same_for_any_batch_size(name):
    one, many = (built(name, score_batch=n).eval().score(volume(), Streams(3))["final"] for n in (2, 64))
    torch.testing.assert_close(one, many, rtol=1e-3, atol=1e-5)


def test_noises_are_what_they_are_called():
    noises = [built(name).noise((8, 1, 64, 64), torch.Generator().manual_seed(0)) for name in ("ddpm", "anoddpm")]
    neighbours = [float((n[..., 1:] * n[..., :-1]).mean() / n.square().mean()) for n in noises]
    assert abs(neighbours[0]) < 0.05
    assert neighbours[1] > 0.5


@pytest.mark.parametrize(("changes", "highest"), [({}, 1000), ({"highest": 800}, 800)])
def test_training_draws_every_t_up_to_the_highest(changes, highest, monkeypatch):
    method, seen = built("ddpm", **changes), []
    monkeypatch.setattr(method, "predict", lambda x, t: seen.append(t) or torch.zeros_like(x))
    method.loss(Batch(torch.zeros(8000, 1, 1, 1), torch.zeros(8000, dtype=torch.int64), Streams(0), lambda: None))
    (t,) = seen
    assert 1 <= t.min() < 5
    assert highest - 5 < t.max() <= highest
    assert t.float().mean() == pytest.approx((highest + 1) / 2, rel=0.02)


def test_published_settings_draw_none_above_800():
    """With sample_distance 800 and train_start the public code draws from 0 to 799, counted from 0."""
    assert resolve("anoddpm-public", "t1").values["highest"] == 800
    with pytest.raises(HarnessError, match="highest 200 is neither 0 nor between start = 250 and T = 1000"):
        resolve("anoddpm", "t1", {"anoddpm": {"highest": 200}})
