"""The public code's switches of DISYRE: schedules, the nearest t, the cold step, weights and masks."""

import re

import numpy as np
import pytest
import torch

from tests.trainings import built
from uadbench.methods import registry
from uadbench.methods.anomalies.corruption import alpha_schedule
from uadbench.methods.anomalies.shapes import random_masks
from uadbench.methods.networks.unet import unet
from uadbench.methods.optimisers import adamw_cosine
from uadbench.methods.params import AnomalyParams, CorruptionParams, UNetParams, scoring_key, training_key
from uadbench.methods.seeds import Streams
from uadbench.methods.settings import resolve
from uadbench.training.run import freeze


def test_schedules_have_the_published_values():
    rising, falling, flipped = (alpha_schedule(100, curve=curve) for curve in ("rising", "falling", "flipped"))
    np.testing.assert_allclose(rising[[25, 50, 75, 100]], [0.2734, 0.7276, 0.9492, 0.9955], atol=5e-5)
    np.testing.assert_allclose(falling[[100, 75, 50, 25]], [0.0045, 0.051, 0.272, 0.727], atol=1e-3)
    np.testing.assert_allclose(falling[1:], 1 - rising[1:], atol=1e-6)
    np.testing.assert_allclose(flipped[1:], falling[1:].flip(0))
    assert rising[0] == falling[0] == flipped[0] == 0


def test_time_is_the_nearest_in_the_falling_schedule():
    method = built("disyre-public")
    alpha = torch.rand(2000, generator=torch.Generator().manual_seed(0))
    kept = np.sqrt(np.cumprod(1 - np.linspace(1e-3, 0.2, 100)))
    expected = np.abs(kept[None] - alpha.numpy()[:, None]).argmin(1)  # counted from 0
    assert (method.time_of(alpha).numpy() == expected + 1).mean() > 0.999  # ties in float32
    assert np.percentile(expected, [5, 25, 50, 75, 95]) == pytest.approx([9, 23, 36, 51, 74], abs=3)


def test_cold_step_keeps_what_a_perfect_restoration_leaves():
    """x_t = (1 - a) x0 + a y becomes the mixture of the next, smaller factor, if x0 is restored perfectly."""
    healthy, foreign = torch.full((1, 1, 8, 8), 0.2), torch.full((1, 1, 8, 8), 0.9)
    for name, update in (("flipped", "cold"), ("rising", "naive")):
        method = freeze(built("disyre", alpha_restoring=name, update=update))
        states = []

        def perfect(state, t, states=states):
            states.append((t, state))
            return healthy

        method.predict = perfect
        weights = alpha_schedule(100, curve=name)
        first = (1 - weights[100]) * healthy + weights[100] * foreign
        list(method.restoration_steps(first, 25))
        product = torch.ones(())
        for t, state in states:
            product = product * weights[t]
            factor = weights[t] if update == "cold" else product
            torch.testing.assert_close(state, (1 - factor) * healthy + factor * foreign)


def test_final_score_is_the_weighted_mean_of_single_steps():
    images = torch.rand((2, 1, 32, 32), generator=torch.Generator().manual_seed(0))
    images[0, :, 16:] = 0
    method = freeze(built("disyre-public", times=[25, 50, 75, 100]))
    maps = method.score_slices(images, Streams(0))
    mean = torch.stack([maps[f"single/t={t}"] for t in (25, 50, 75, 100)]).mean(0)
    torch.testing.assert_close(maps["final"][0], mean[0] * 0.5)
    torch.testing.assert_close(maps["final"][1], mean[1])


@pytest.mark.parametrize("name", ["disyre", "disyre-public"])
def test_no_pass_of_the_network_is_made_twice(name):
    images = torch.rand((1, 1, 32, 32), generator=torch.Generator().manual_seed(0))
    method = built(name, times=[50, 25], curve_times=[10, 50], step_sizes=[25, 50])
    passes = []

    def restored(state, t):
        passes.append((t, state.numpy().tobytes()))
        return 0.5 * state + 0.001 * t

    method.predict = restored
    maps = method.score_slices(images, Streams(0))
    assert len(set(passes)) == len(passes)
    assert [name for name in maps if name.startswith("single")] == ["single/t=10", "single/t=25", "single/t=50"]
    torch.testing.assert_close(maps["final"], method.final_map(images))


def test_softness_is_cut_to_whole_millimetres():
    foreground = torch.ones((400, 1, 64, 64), dtype=torch.bool)
    options = {"shapes": ("sphere",), "size": (20.0, 20.0), "soften": 0.7, "softness": (0.0, 5.0)}
    hard = []
    for whole in (False, True):
        params = AnomalyParams(**options, whole_softness=whole)
        masks, _ = random_masks(foreground, torch.Generator().manual_seed(0), params)
        hard.append(float(((masks == 0) | (masks == 1)).flatten(1).all(1).float().mean()))
    assert hard[0] < 0.37  # 30 %, and the few whose Gaussian is narrower than a voxel
    assert hard[1] == pytest.approx(0.44, abs=0.06)


def test_centres_keep_their_distance_from_the_border_where_they_can():
    foreground = torch.ones((300, 1, 40, 30), dtype=torch.bool)
    foreground[0] = False
    foreground[0, 0, 1, 2] = True
    _, centres = random_masks(foreground, torch.Generator().manual_seed(0), AnomalyParams(margin=8.0))
    assert centres[0].tolist() == [1, 2]
    assert (centres[1:] >= 8).all()
    assert (centres[1:, 0] < 32).all()
    assert (centres[1:, 1] < 22).all()


def test_attention_stands_where_it_is_wanted():
    network = unet(UNetParams(widths=(8, 16, 8), groups=4, layers=1, attention_only=(2,)))
    assert ["Attn" in type(block).__name__ for block in network.down_blocks] == [False, True, False]
    assert ["Attn" in type(block).__name__ for block in network.up_blocks] == [False, True, False]
    assert network.mid_block.attentions[0] is not None


def test_learning_rate_rises_linearly_and_falls_along_a_cosine():
    params = CorruptionParams(steps=1000, learning_rate=2.0, weight_decay=1e-6, beta1=0.95, warmup=50)
    optimizer, scheduler = adamw_cosine([torch.nn.Parameter(torch.zeros(1))], params)
    rates = []
    for _ in range(1000):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    np.testing.assert_allclose(rates[:50], 2 * np.arange(1, 51) / 50)
    np.testing.assert_allclose(rates[50:], 1 + np.cos(np.pi * np.arange(950) / 950), atol=1e-9)
    assert optimizer.param_groups[0]["betas"] == (0.95, 0.999)


def test_new_parameters_at_their_defaults_leave_settings_as_they_were():
    plain = resolve("disyre", "t1").params
    assert not {"alpha", "update", "overlap", "margin", "attention_only"} & set(scoring_key(plain))
    assert set(scoring_key(plain)) > {"steps", "T", "step_size", "softness"}
    changed = resolve("disyre", "t1", {"disyre": {"update": "cold", "margin": 3.0}}).params
    assert scoring_key(changed)["update"] == "cold"
    assert training_key(changed)["margin"] == 3.0
    assert "update" not in training_key(changed)


def test_every_parameter_of_the_preset_is_in_the_table(root):
    text = (root / "docs" / "disyre-public-code.md").read_text(encoding="utf-8")
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", text, flags=re.MULTILINE)]
    assert numbers == list(range(1, 34))
    for key in registry.describe("disyre-public").params:
        assert f"`{key}: " in text
