"""Anomalies and augmentation of MOOD22's public code: places, kernels, grey values, each by value or by its law."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage, sparse, stats
from scipy.sparse.linalg import spsolve

from tests.trainings import built, generator
from uadbench.methods import registry
from uadbench.methods.anomalies.augment_mood22 import bias_field, disturbed, recoloured, turned, warped
from uadbench.methods.anomalies.corruption import synthesise
from uadbench.methods.anomalies.draws import Draws
from uadbench.methods.anomalies.poisson import blend_gradients
from uadbench.methods.anomalies.shapes import random_masks
from uadbench.methods.base import Batch
from uadbench.methods.params import AnomalyParams, CorruptionParams, scoring_key
from uadbench.methods.seeds import Streams

CANVAS = {"canvas": 128.0, "size": (10.0, 128.0), "soften": 0.0, "cut": False}


def masks(count: int = 300, side: int = 128, seed: int = 0, **changes) -> np.ndarray:
    """Masks (count, side, side) in images without any brain."""
    nothing = torch.zeros((count, 1, side, side), dtype=torch.bool)
    return random_masks(nothing, generator(seed), AnomalyParams(**CANVAS | changes))[0][:, 0].numpy()


def boxes(found: np.ndarray) -> np.ndarray:
    """First and last row and column of each mask, (count, 2, 2)."""
    return np.array([[(side.min(), side.max()) for side in np.nonzero(mask)] for mask in found])


def batch(count: int = 64, side: int = 64) -> Batch:
    """Images with a brain in the left half."""
    values = 0.1 + 0.8 * torch.rand((2, count, 1, side, side), generator=generator(5))
    values[..., side // 2 :] = 0
    return Batch(values[0], torch.arange(count), Streams(1), lambda: values[1])


def test_discs_lie_whole_at_any_place_with_sides_up_to_the_canvas():
    found = boxes(masks(shapes=("sphere",)))
    extents = (found[..., 1] - found[..., 0] + 1).mean(1)
    assert stats.kstest(extents, stats.uniform(10, 118).cdf).pvalue > 0.05
    room = 128 - extents[:, None]
    places = (found[..., 0] / np.maximum(room, 1))[room[:, 0] > 20]
    assert stats.kstest(places[:, 0], "uniform").pvalue > 0.05
    assert stats.kstest(places[:, 1], "uniform").pvalue > 0.05
    assert ((found >= 0) & (found < 128)).all()


def test_half_of_the_rectangles_are_turned_with_their_canvas():
    found = masks(600, shapes=("square",))
    places = boxes(found)
    sides = places[..., 1] - places[..., 0] + 1
    straight = found.sum((1, 2)) == sides.prod(1)
    assert straight.mean() == pytest.approx(0.5, abs=0.06)
    for axis in (0, 1):
        assert stats.kstest(sides[straight, axis], stats.uniform(10, 118).cdf).pvalue > 0.02
    assert abs(np.corrcoef(sides[straight].T)[0, 1]) < 0.15
    assert (found.sum((1, 2)) < 0.9 * sides.prod(1))[~straight].mean() > 0.6


def test_blobs_lie_in_the_middle_of_a_canvas_that_lies_anywhere():
    found = masks(200, side=160, shapes=("blob",), blob=(40.0, 50.0))
    middles = np.array([ndimage.center_of_mass(mask) for mask in found])
    assert (middles > 64 - 8).all()
    assert (middles < 95 + 8).all()
    assert middles.std(0) == pytest.approx([32 / math.sqrt(12)] * 2, rel=0.2)
    centred = masks(200, shapes=("blob",), blob=(40.0, 50.0))
    assert np.array([ndimage.center_of_mass(mask) for mask in centred]).std(0).max() < 4


@pytest.mark.parametrize(
    ("shape", "areas"), [("square", [1036, 3955, 10081]), ("sphere", [377, 4234, 10764]), ("blob", [597, 1605, 2730])]
)
def test_areas_are_those_of_the_public_code(shape, areas):
    """Quantiles of 300 masks of each kind, in the slice through the middle, by snavalm/mood22 65e91a3."""
    params = registry.describe("mood22-abdomen").params
    drawn = masks(500, shapes=(shape,), size=tuple(params["size"]), blob=tuple(params["blob"]), canvas=params["canvas"])
    assert np.quantile(drawn.sum((1, 2)), [0.1, 0.5, 0.9]) == pytest.approx(areas, rel=0.2)


def test_nothing_leaves_a_small_canvas():
    places = boxes(masks(300, side=96, canvas=32.0, size=(8.0, 32.0), shapes=("square", "sphere")))
    assert (places[..., 1] - places[..., 0]).max() <= 32


def test_half_of_the_masks_are_smoothed_by_one_of_the_published_kernels():
    """exp(-d² / 4) at 3, 5 and 7 places along each axis, which the public code lists twice, once and once."""
    chosen = {"shapes": ("sphere",), "kernels": (3.0, 3.0, 5.0, 7.0)}
    hard, soft = masks(400, **chosen), masks(400, **chosen | {"soften": 0.5})
    counts = {1: 0, 3: 0, 5: 0, 7: 0}
    for before, after in zip(hard, soft, strict=True):
        differences = {}
        for side in counts:
            line = np.exp(-((np.arange(side) - side // 2) ** 2) / 4)
            wanted = before.astype(float)
            for axis in (0, 1):
                wanted = ndimage.convolve1d(wanted, line / line.sum(), axis, mode="constant")
            differences[side] = abs(after - wanted).max()
        side = min(differences, key=differences.get)
        assert differences[side] < 1e-5
        counts[side] += 1
    assert stats.chisquare(list(counts.values()), [200, 100, 50, 50]).pvalue > 0.05


def test_kernels_are_lengths_in_mm():
    nothing = torch.zeros((50, 1, 64, 64), dtype=torch.bool)
    coarse = AnomalyParams(**CANVAS | {"soften": 1.0, "kernels": (7.0,), "shapes": ("sphere",)})
    soft = random_masks(nothing, generator(), coarse, spacing=4.0)[0]
    assert set(soft.unique().tolist()) == {0.0, 1.0}  # no other voxel within 3.5 mm


def test_anomalies_are_cut_at_the_brain_only_where_that_is_asked_for():
    for cut in (True, False):
        drawn = synthesise(batch(), AnomalyParams(patch=64, **CANVAS | {"canvas": 64.0, "cut": cut}), 1.0)
        outside = drawn.mask[drawn.healthy == 0].sum() / drawn.mask.sum()
        assert outside.item() == 0 if cut else 0.35 < outside.item() < 0.65


def test_foreign_patches_on_a_canvas_stay_where_they_are():
    still = {"mirror": 0.0, "geometry": 0.0, "p_intensity": 0.0}
    given = batch()
    drawn = synthesise(given, AnomalyParams(patch=64, canvas=64.0, **still), 1.0)
    assert torch.equal(drawn.foreign, given.foreign)


def test_a_tenth_of_the_slices_is_healthy_and_the_others_as_they_were():
    plain, some = (synthesise(batch(600, 32), AnomalyParams(patch=32, p_anomaly=p), 1.0) for p in (1.0, 0.9))
    shown = some.mask.flatten(1).any(1)
    assert (~shown).float().mean().item() == pytest.approx(0.1, abs=0.03)
    assert torch.equal(some.mask[shown], plain.mask[shown])
    assert torch.equal(some.foreign, plain.foreign)
    alpha = torch.full((600,), 0.7)
    assert torch.equal(some.at(alpha)[~shown], some.healthy[~shown])


def test_alpha_is_uniform_in_its_range():
    seen = built("mood22", drawn="alpha", alpha_range=[0.3, 1.0], patch=32).corrupt(batch(500, 16))
    assert stats.kstest(seen.alpha.numpy(), stats.uniform(0.3, 0.7).cdf).pvalue > 0.05
    bias = built("disyre_v2", drawn="alpha", alpha_range=[0.9, 1.0], bias=0.0, patch=32).corrupt(batch(100, 32))
    assert set((bias.alpha * 1e4).int().clamp(0, 9000).tolist()) <= {0, 9000}
    with pytest.raises(ValueError, match=r"alpha_range \(0.3, 1.0\): .*; add drawn: alpha"):
        CorruptionParams(alpha_range=(0.3, 1.0))


def test_bias_field_is_a_slice_of_the_published_one():
    """exp of numpy's three-dimensional Legendre series of degree 3 with coefficients in [0, .3], as in MONAI."""
    fields = bias_field(4, (9, 14), generator(7))[:, 0].numpy()
    random = generator(7)
    draws = torch.rand((4, 4, 4, 4), generator=random).double().numpy()
    heights = 2 * torch.rand(4, generator=random).double().numpy() - 1
    kept = np.add.outer(np.add.outer(np.arange(4), np.arange(4)), np.arange(4)) <= 3
    assert kept.sum() == 20
    for field, drawn, height in zip(fields, draws, heights, strict=True):
        places = np.linspace(-1, 1, 9), np.linspace(-1, 1, 14), np.array([height])
        wanted = np.exp(np.polynomial.legendre.leggrid3d(*places, 0.3 * drawn * kept))[..., 0]
        np.testing.assert_allclose(field, wanted, rtol=1e-5)


def test_grey_values_change_in_the_published_order():
    """Noise, bias field, blur, gamma, clipping: recomputed from the same draws."""
    images = batch(6, 24).images
    found = recoloured(images, generator(3), probability=1.0)
    random = generator(3)
    draws = Draws(6, random)
    draws.chance(1.0)
    deviation = draws.uniform(0.0, 0.01).numpy()
    noise = torch.randn(images.shape, generator=random).numpy()
    draws.chance(1.0)
    field = bias_field(6, (24, 24), random).numpy()
    draws.chance(1.0)
    sigma = draws.uniform(0.25, 1.5).numpy()
    draws.chance(1.0)
    exponent = draws.uniform(0.5, 1.5).numpy()
    assert exponent.min() < 0.9 < 1.1 < exponent.max()
    for image, ours, own in zip(images.numpy(), found.numpy(), range(6), strict=True):
        value = (image[0] + deviation[own] * noise[own, 0]) * field[own, 0]
        value = ndimage.gaussian_filter(value, sigma[own], mode="constant", radius=5)
        value = value.max() * np.clip(value / value.max(), 1e-6, None) ** exponent[own]
        np.testing.assert_allclose(ours[0], np.clip(value, 1e-3, 1) * (image[0] > 0), atol=2e-4)


def test_every_change_takes_its_share():
    images = batch(4000, 16).images
    changes = {
        0.19: [warped(images, generator(), 0.0, 0.1)[0], warped(images, generator(1), 0.1, 0.0)[0]],
        0.1: [turned(images, generator(), 0.1)],
        1 - 0.9**4: [recoloured(images, generator(), 1.0, 0.1)],
        1 - 0.8**3: [disturbed(images, generator(), 0.2)],
    }
    for share, results in changes.items():
        for result in results:
            assert (result != images).flatten(1).any(1).float().mean().item() == pytest.approx(share, abs=0.02)


def test_quarters_turn_without_a_change_of_values():
    images = batch(200, 16).images
    for before, after in zip(images[:, 0], turned(images, generator(), 1.0)[:, 0], strict=True):
        assert any(torch.allclose(torch.rot90(before, k), after, atol=1e-5) for k in (1, 2, 3))


def test_warping_stays_within_its_ranges():
    """A small square at a distance moves by at most .1 of it outwards, and by .1 rad around the middle."""
    y, x = torch.meshgrid(torch.arange(81.0) - 40, torch.arange(81.0) - 40, indexing="ij")
    spot = ((x - 25).abs() <= 2) & (y.abs() <= 2)
    moved = warped(spot.float().expand(400, 1, -1, -1), generator(), 0.0, 1.0)[0][:, 0].numpy()
    rows, columns = np.array([ndimage.center_of_mass(image) for image in moved]).T - 40
    distance, angle = np.hypot(rows, columns), np.arctan2(rows, columns)
    assert stats.kstest(distance / 25, stats.uniform(0.9, 0.2).cdf).pvalue > 0.05
    assert stats.kstest(angle, stats.uniform(-0.1, 0.2).cdf).pvalue > 0.05


def test_disturbed_patches_shift_with_their_background_before_they_are_clipped_and_turned():
    flat = torch.zeros((2000, 1, 12, 12))
    flat[..., 4:8, 4:8] = 0.5
    result = disturbed(flat, generator(), 1.0)
    assert result.min() >= 0
    assert result.max() <= 1
    inside = result[..., 5:7, 5:7].mean((1, 2, 3)).numpy()
    assert inside.std() == pytest.approx(0.2 / math.sqrt(3), rel=0.1)
    alone = disturbed(flat + 0.3, generator(), 0.3)
    border = alone[..., 0, :].flatten(1)  # even unless noise is added
    whole = (border - border[:, :1]).abs().amax(1) < 1e-5
    assert whole.float().mean().item() == pytest.approx(0.7, abs=0.03)


def test_gradients_are_blended_as_a_direct_solution_has_it():
    host, foreign, weight = torch.rand((3, 2, 1, 9, 7), generator=generator(2))
    found = blend_gradients(host, foreign, weight).double().numpy()
    for one in range(2):
        h, f, w = (image[one, 0].double().numpy() for image in (host, foreign, weight))
        size = h.shape
        matrix, right = sparse.lil_matrix((h.size, h.size)), np.zeros(h.size)
        for place in np.ndindex(size):
            number = np.ravel_multi_index(place, size)
            if 0 in place or place[0] == size[0] - 1 or place[1] == size[1] - 1:
                matrix[number, number], right[number] = 1, h[place]
                continue
            for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                other = (place[0] + step[0], place[1] + step[1])
                own, wanted = h[place] - h[other], f[place] - f[other]
                mixed = wanted if abs(wanted) > abs(own) else own
                share = (w[place] + w[other]) / 2
                matrix[number, number] += 1
                matrix[number, np.ravel_multi_index(other, size)] -= 1
                right[number] += (1 - share) * own + share * mixed
        np.testing.assert_allclose(found[one, 0].ravel(), spsolve(matrix.tocsr(), right), atol=2e-6)
    assert torch.allclose(blend_gradients(host, foreign, torch.zeros_like(host)), host, atol=1e-6)


def test_new_parameters_at_their_defaults_leave_settings_as_they_were():
    named = {"p_anomaly", "canvas", "cut", "kernels", "blending", "augmentation", "p_foreign", "alpha_range"}
    assert not named & set(scoring_key(CorruptionParams()))
    chosen = {"p_anomaly": 0.9, "canvas": 1.0, "cut": False, "kernels": (3.0,), "blending": "poisson", "p_foreign": 0.2}
    changed = CorruptionParams(**chosen, augmentation="mood22", drawn="alpha", alpha_range=(0.3, 1.0))
    assert named <= set(scoring_key(changed))


def test_both_variants_have_the_same_anomalies_and_each_value_is_in_the_table(root):
    ours, restoring = (registry.describe(name).params for name in ("mood22-abdomen", "disyre-mood22_abdomen"))
    assert ours == restoring | {"drawn": "alpha", "alpha_range": [0.3, 1.0], "blending": "poisson"}
    page = (root / "docs" / "disyre-public-code.md").read_text(encoding="utf-8")
    table = page.split("## The public code of MOOD22")[1]
    assert [key for key in ours if f"`{key}: " not in table] == []


@pytest.mark.parametrize("name", ["mood22-abdomen", "disyre-mood22_abdomen"])
def test_variants_learn_from_finite_gradients(name):
    method = built(name)
    method.loss(batch(16, 32)).backward()
    gradients = torch.cat([weight.grad.flatten() for weight in method.parameters()])
    assert gradients.isfinite().all()
    assert gradients.abs().max() > 1e-4
