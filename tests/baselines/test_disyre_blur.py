"""DISYRE with a blur as its corruption: the blur, its states in training, and both updates of the restoration."""

import itertools

import numpy as np
import pytest
import torch
from scipy import ndimage

from tests.trainings import built, generator
from uadbench.methods.anomalies.blurring import Blur
from uadbench.methods.anomalies.corruption import alpha_schedule, healthy_patches
from uadbench.methods.base import Batch
from uadbench.methods.params import scoring_key
from uadbench.methods.seeds import Streams
from uadbench.methods.settings import resolve
from uadbench.training.run import freeze


def brains(count: int = 3, height: int = 40, width: int = 24) -> torch.Tensor:
    """Noise in an ellipse that the image's border cuts."""
    y, x = torch.meshgrid(torch.linspace(-1.2, 0.7, height), torch.linspace(-1, 1, width), indexing="ij")
    values = 0.1 + 0.9 * torch.rand((count, 1, height, width), generator=generator(1))
    return values * (x**2 + y**2 < 0.8)


def of(images: torch.Tensor, width: float = 4.0) -> Blur:
    return Blur(images, (images > 0).float(), width)


@pytest.mark.parametrize("alpha", [0.25, 0.5, 1.0])
def test_blur_is_that_of_scipy_over_the_brain(alpha):
    images = brains()
    blurred = of(images).at(torch.full((3,), alpha)).numpy()
    for image, ours in zip(images[:, 0].double().numpy(), blurred[:, 0], strict=True):
        brain = (image > 0).astype(float)
        settings = {"sigma": 4 * alpha, "mode": "constant", "radius": 12}
        wanted = ndimage.gaussian_filter(image, **settings) / ndimage.gaussian_filter(brain, **settings)
        np.testing.assert_allclose(ours, wanted * brain, atol=1e-5)


def test_an_even_brain_stays_as_it_is_and_the_background_0():
    brain = (brains() > 0).float() * 0.6
    assert torch.allclose(of(brain).at(torch.ones(3)), brain, atol=1e-6)


def test_more_blur_leaves_less_detail_and_alpha_0_all_of_it():
    images, blur = brains(), of(brains())
    assert torch.allclose(blur.at(torch.zeros(3)), images, atol=1e-6)
    details = [blur.at(torch.full((3,), alpha)).diff(dim=-1).abs().sum() for alpha in (0.0, 0.1, 0.3, 0.6, 1.0)]
    assert all(later < 0.95 * earlier for earlier, later in itertools.pairwise(details))


def test_training_sees_the_augmented_slice_blurred_by_the_schedule():
    images = brains(4, 32, 32)

    def batch() -> Batch:
        return Batch(images, torch.arange(4), Streams(2), lambda: images)

    method = built("disyre", corruption="blur", blur=32.0)
    seen, wanted = method.corrupt(batch()), healthy_patches(batch(), method.params, 4.0)
    assert torch.equal(seen.healthy, wanted)
    assert torch.equal(seen.mask, (wanted > 0).float())
    assert torch.equal(seen.alpha, alpha_schedule(100)[seen.t])
    torch.testing.assert_close(seen.images, of(wanted, 8.0).at(seen.alpha))  # 32 mm in voxels of 4 mm
    assert torch.isfinite(method.loss(batch()))


@pytest.mark.parametrize("update", ["naive", "cold"])
def test_updates_are_those_of_cold_diffusion(update):
    """A perfect restoration leads through D(x0, t); an error in the state goes at once (naive), or stays (cold)."""
    healthy = brains(2, 32, 32) * 0.5
    method = freeze(built("disyre", corruption="blur", blur=16.0, update=update))
    states = []

    def perfect(state, t):
        states.append((t, state))
        return healthy

    method.predict = perfect
    weights, blur = alpha_schedule(100), of(healthy, 4.0)
    error = 0.05 * (healthy > 0)
    list(method.restoration_steps(blur.at(weights[100].expand(2)) + error, 25))
    assert [t for t, _ in states] == [100, 75, 50, 25]
    for t, state in states:
        kept = error if update == "cold" or t == 100 else 0
        torch.testing.assert_close(state, blur.at(weights[t].expand(2)) + kept, atol=1e-6, rtol=0)


def test_ablation_is_one_line_of_a_config():
    variants = {"disyre-blur": {"corruption": "blur"}}
    blurred, plain = (resolve(name, "t1", variants=variants) for name in ("disyre-blur", "disyre"))
    assert set(scoring_key(blurred.params)) - set(scoring_key(plain.params)) == {"corruption"}
    assert blurred.title == "DISYRE (blur)"
