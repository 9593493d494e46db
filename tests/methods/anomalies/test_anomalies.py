"""Synthetic anomalies: schedule, masks, foreign patches, augmentation, noise."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import ndimage

from tests.trainings import generator
from uadbench.methods.anomalies.augment import changed, cropped, recoloured, warped
from uadbench.methods.anomalies.corruption import Anomaly, alpha_schedule, foreign_patch, restoration_times, synthesise
from uadbench.methods.anomalies.draws import Draws
from uadbench.methods.anomalies.filters import gaussian_blur, interpolated, smoothed
from uadbench.methods.anomalies.noise import coarse_noise
from uadbench.methods.anomalies.shapes import random_masks
from uadbench.methods.base import Batch
from uadbench.methods.params import AnomalyParams
from uadbench.methods.seeds import Streams
from uadbench.methods.settings import resolve


def discs(count: int = 8, size: int = 48) -> torch.Tensor:
    """Images with values in (0, 1] within a disc, 0 outside."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    values = 0.1 + 0.9 * torch.rand((count, 1, size, size), generator=generator(3))
    return values * (x**2 + y**2 < 0.8)


def test_schedule_against_a_plain_product():
    kept = 1.0
    for beta in np.linspace(1e-3, 0.2, 100)[:40]:
        kept *= 1 - beta
    assert alpha_schedule(100)[40] == pytest.approx(1 - kept**0.5, rel=1e-6)


@pytest.mark.parametrize(
    ("step", "times"), [(25, [100, 75, 50, 25]), (50, [100, 50]), (33, [100, 67, 34, 1]), (100, [100])]
)
def test_restoration_visits_the_intended_times(step, times):
    assert restoration_times(100, step) == times


@given(alpha=st.floats(0, 1), seed=st.integers(0, 50))
@hypothesis_settings(max_examples=20, deadline=None)
def test_corruption_stays_between_image_and_patch(alpha, seed):
    healthy, mask, foreign = torch.rand((3, 2, 1, 8, 8), generator=generator(seed))
    mixed = Anomaly(healthy, mask, foreign).at(torch.full((2,), alpha))
    assert (mixed <= torch.maximum(healthy, foreign) + 1e-6).all()
    assert (mixed >= torch.minimum(healthy, foreign) - 1e-6).all()
    assert torch.allclose(mixed, (1 - alpha * mask) * healthy + alpha * mask * foreign, atol=1e-6)


def test_corruption_changes_nothing_at_zero_and_outside_the_mask():
    healthy, foreign = torch.rand((2, 4, 1, 8, 8), generator=generator())
    mask = torch.zeros_like(healthy)
    mask[..., 2:5, 2:5] = 1
    anomaly = Anomaly(healthy, mask, foreign)
    assert torch.equal(anomaly.at(torch.zeros(4)), healthy)
    full = anomaly.at(torch.ones(4))
    assert torch.equal(full[mask == 0], healthy[mask == 0])
    assert torch.equal(full[mask == 1], foreign[mask == 1])


def test_an_anomaly_over_another_is_two_blends_one_after_the_other():
    healthy, below_mask, below_patch, mask, patch = torch.rand((5, 3, 1, 8, 8), generator=generator(4))
    below_mask, mask = below_mask * (below_mask > 0.4), mask * (mask > 0.4)
    below = Anomaly(healthy, below_mask, below_patch)
    full = torch.ones(3)
    after = Anomaly(below.at(full), mask, patch).at(full)
    both = Anomaly(healthy, mask, patch).over(below)
    assert torch.allclose(both.at(full), after, atol=1e-6)
    assert torch.equal(both.mask == 0, (mask == 0) & (below_mask == 0))
    swapped = below.over(Anomaly(healthy, mask, patch))
    assert not torch.allclose(swapped.at(full), after, atol=1e-2)


def test_more_anomalies_cover_more_of_a_slice():
    images, others = discs(64), discs(64).flip(-1)

    def covered(anomalies: int) -> float:
        params = AnomalyParams(size=(6.0, 12.0), blob=(6.0, 12.0), softness=(0.0, 0.0), anomalies=anomalies)
        batch = Batch(images, torch.arange(64), Streams(3), lambda: others)
        return synthesise(batch, params, spacing=1.0).mask.mean().item()

    one, four = covered(1), covered(4)
    assert 3 < four / one < 4.2  # fewer than four times as many voxels where anomalies overlap


@given(seed=st.integers(0, 10_000), shape=st.sampled_from(["square", "sphere", "blob"]))
@hypothesis_settings(max_examples=30, deadline=None)
def test_masks_lie_in_the_foreground(seed, shape):
    foreground = discs() > 0
    masks, centres = random_masks(
        foreground, generator(seed), AnomalyParams(shapes=(shape,), size=(4, 20), softness=(0, 3))
    )
    assert masks.shape == foreground.shape
    assert ((masks >= 0) & (masks <= 1)).all()
    assert (masks[~foreground] == 0).all()
    assert (masks.flatten(1).max(1).values > 0).all()
    rows = torch.arange(len(centres))
    assert foreground[rows, 0, centres[:, 0], centres[:, 1]].all()


def test_spheres_have_the_size_that_is_asked_for():
    params = AnomalyParams(shapes=("sphere",), size=(20, 20), soften=0)
    masks, _ = random_masks(torch.ones((64, 1, 96, 96), dtype=torch.bool), generator(), params)
    whole = masks.flatten(1).sum(1)
    assert whole.max().item() == pytest.approx(np.pi * 10**2, rel=0.05)
    assert set(masks.unique().tolist()) == {0.0, 1.0}


def test_softening_takes_its_share():
    full = torch.ones((400, 1, 24, 24), dtype=torch.bool)
    masks, _ = random_masks(full, generator(), AnomalyParams(size=(6, 10), soften=0.7, softness=(1, 2)))
    soft = ((masks > 0.01) & (masks < 0.99)).flatten(1).any(1).float().mean()
    assert soft.item() == pytest.approx(0.7, abs=0.08)


def test_blur_against_scipy():
    images = torch.rand((3, 1, 31, 27), generator=generator())
    sigma = torch.tensor([0.0, 1.0, 2.5])
    blurred = gaussian_blur(images, sigma, 3.0).numpy()
    for image, width, ours in zip(images.numpy(), sigma.tolist(), blurred, strict=True):
        expected = ndimage.gaussian_filter(image[0], width, mode="constant", radius=9) if width else image[0]
        np.testing.assert_allclose(ours[0], expected, atol=1e-5)


@pytest.mark.parametrize(("cells", "size"), [(5, (48, 30)), (21, (128, 128)), (4, (9, 17))])
def test_fields_are_interpolated_cubically(cells, size):
    grid = torch.randn((3, 2, cells, cells), generator=generator())
    expected = torch.nn.functional.interpolate(grid, size=size, mode="bicubic", align_corners=True)
    assert torch.allclose(interpolated(grid, size), expected, atol=1e-5)


def test_a_change_replaces_the_chosen_images_alone():
    images, hit = discs(6), torch.tensor([0, 1, 0, 0, 1, 1], dtype=torch.bool)
    scale = torch.arange(1.0, 7.0)[:, None, None, None]
    result = changed(images, hit, lambda part, at: part * scale[at])
    assert torch.equal(result, torch.where(hit[:, None, None, None], images * scale, images))
    assert changed(images, ~hit & hit, lambda part, at: part * 0) is images


def test_foreign_patch_is_the_slice_moved_and_0_beyond_its_border():
    foreign = 0.1 + torch.rand((32, 1, 21, 17), generator=generator())
    moved = foreign_patch(foreign, torch.full((32, 2), 10), (25, 21), 0.0, generator(5))
    for source, patch in zip(foreign[:, 0].numpy(), moved[:, 0].numpy(), strict=True):
        row, column = np.argwhere(source == patch[10, 10])[0]
        expected = np.pad(source, 25)[25 + row - 10 :, 25 + column - 10 :][:25, :21]
        np.testing.assert_array_equal(patch, expected)


def test_foreign_patches_come_from_everywhere_in_the_brain_but_its_rim():
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(40.0), indexing="ij")
    brain = (y >= 4) & (y < 44) & (x >= 10) & (x < 30)
    code = ((1 + y * 40 + x) * brain)[None, None].repeat(2000, 1, 1, 1)
    centre = torch.full((2000, 2), 24)
    places = foreign_patch(code, centre, (48, 40), 6.0, generator())[:, 0, 24, 24].long() - 1
    rows, columns = places // 40, places % 40
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 37, 16, 23)
    assert len(places.unique()) > 190  # of 224
    tall = foreign_patch(code[:50], centre[:50], (48, 40), 12.0, generator())[:, 0, 24, 24].long() - 1
    assert set((tall % 40).tolist()) <= {19, 20}  # where the box is too narrow: its middle


def test_blobs_have_the_area_of_a_disc_of_their_diameter():
    full = torch.ones((200, 1, 128, 128), dtype=torch.bool)
    masks, centres = random_masks(full, generator(), AnomalyParams(shapes=("blob",), blob=(30.0, 50.0), soften=0.0))
    inner = ((centres > 40) & (centres < 88)).all(1)  # the others are cut by the border
    areas = masks.sum((1, 2, 3))[inner]
    assert inner.sum() > 15
    assert (areas >= 0.97 * np.pi * 15**2).all()
    assert (areas <= 1.03 * np.pi * 25**2).all()
    assert areas.std() > 200


def test_squares_are_rectangles_of_two_sides():
    full = torch.ones((400, 1, 96, 96), dtype=torch.bool)
    masks, _ = random_masks(full, generator(), AnomalyParams(shapes=("square",), size=(6.0, 30.0), soften=0.0))
    ratios = []
    for mask in masks[:, 0].numpy():
        points = np.argwhere(mask)
        if points.min() > 0 and points.max() < 95:  # not cut by the border
            lengths = np.linalg.svd(points - points.mean(0), compute_uv=False) / np.sqrt(len(points) / 12)
            ratios.append(lengths[0] / max(lengths[1], 1))
    assert np.quantile(ratios, [0.1, 0.5, 0.9]) == pytest.approx([1.1, 1.6, 3.0], rel=0.15)


def test_warping_a_slice_leaves_no_wedge_in_its_crops():
    """The brain of a slice with a margin is never cut by a straight edge, whatever rotation and scaling do to it."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 96), torch.linspace(-1, 1, 96), indexing="ij")
    slices = ((x**2 + y**2) < 0.35).float()[None, None].repeat(64, 1, 1, 1)
    whole, _ = warped(slices, generator(), mirror=0.5, geometry=1.0)
    assert (whole[..., 0, :] == 0).all()
    crops = cropped(whole, (48, 48), generator(1))
    assert crops.shape == (64, 1, 48, 48)
    for image, crop in zip(whole[:, 0], crops[:, 0], strict=True):
        windows = image.unfold(0, 48, 1).unfold(1, 48, 1)
        assert ((windows - crop).abs().sum((-1, -2)) == 0).any()


def test_crops_of_small_images_are_the_images():
    images = discs(4, 32)
    assert torch.equal(cropped(images, (48, 40), generator()), images)
    assert cropped(images, (16, 40), generator()).shape == (4, 1, 16, 32)


def test_augmentation_keeps_range_and_background():
    images = discs(64)

    def augmented() -> torch.Tensor:
        random = generator()
        return recoloured(warped(images, random, spacing=2.0)[0], random, spacing=2.0)

    result = augmented()
    assert result.shape == images.shape
    assert ((result >= 0) & (result <= 1)).all()
    assert (result == 0).float().mean() > 0.2
    assert not torch.equal(result, images)
    assert torch.equal(result, augmented())


def test_pixels_are_drawn_uniformly_from_the_allowed_ones():
    allowed = torch.zeros((6000, 1, 3, 4), dtype=torch.bool)
    allowed[:, 0, 0, 1] = allowed[:, 0, 2, 3] = allowed[:, 0, 1, 0] = True
    row, column = Draws(6000, generator()).pixel(allowed)
    assert allowed[torch.arange(6000), 0, row, column].all()
    counts = torch.bincount(row * 4 + column)
    assert counts[counts > 0].tolist() == pytest.approx([2000] * 3, rel=0.08)


def test_coarse_noise_has_its_deviation_and_is_coarse():
    noise = coarse_noise(torch.Size((256, 1, 64, 64)), 16, 0.2, generator())
    at_nodes = coarse_noise(torch.Size((256, 1, 16, 16)), 16, 0.2, generator())
    assert at_nodes.std().item() == pytest.approx(0.2, rel=0.02)
    assert 0.08 < noise.std().item() < 0.2  # interpolation between the points lowers it
    neighbours = np.corrcoef(noise[..., :-1].flatten().numpy(), noise[..., 1:].flatten().numpy())[0, 1]
    assert neighbours > 0.85


def test_cells_of_noise_are_square():
    """On a slice of twice the height, the correlation falls off alike along both axes."""
    noise = coarse_noise(torch.Size((400, 1, 96, 48)), 12, 1.0, generator())[:, 0].numpy()

    def correlation(lag: int, axis: int) -> float:
        ends = np.moveaxis(noise, axis, 0)
        return float(np.corrcoef(ends[:-lag].ravel(), ends[lag:].ravel())[0, 1])

    for lag in (3, 6):
        assert correlation(lag, 1) == pytest.approx(correlation(lag, 2), abs=0.04)
    assert correlation(18, 1) < 0.1 < 0.5 < correlation(4, 1)


def test_anomalies_are_as_large_as_those_of_the_public_code():
    """Quantiles of 384 patches of the public code (snavalm/disyre e149f29) on brains of this size, at full strength."""
    y, x = torch.meshgrid(torch.linspace(-94, 94, 189), torch.linspace(-76, 76, 153), indexing="ij")
    size = (1 - torch.linspace(-0.98, 0.98, 384) ** 2).sqrt()[:, None, None, None]  # slices of an ellipsoid
    brain = ((x / 66) ** 2 + (y / 82) ** 2 < size**2).float()
    values = 0.2 + 0.6 * torch.rand((2, 384, 1, 189, 153), generator=generator(8))
    params = resolve("disyre-public", "t1").params
    batch = Batch(values[0] * brain, torch.arange(384), Streams(2), lambda: values[1] * brain)
    drawn = synthesise(batch, params, spacing=1.0)
    inside = (drawn.mask > 0.5)[:, 0].numpy()
    area = inside.sum((1, 2))
    assert np.quantile(area, [0.5, 0.9]) == pytest.approx([747, 2735], rel=0.25)
    assert area.mean() == pytest.approx(1067, rel=0.15)
    extent = [max(np.ptp(np.argwhere(shape), axis=0)) + 1 for shape in inside if shape.any()]
    assert np.quantile(extent, [0.5, 0.9]) == pytest.approx([36, 64], rel=0.15)
    assert np.mean([ndimage.label(shape)[1] for shape in inside]) == pytest.approx(1.16, abs=0.2)
    seen = drawn.mask[:, 0].numpy()
    partial = [((m > 0.02) & (m < 0.98)).sum() / max(1, (m > 0.02).sum()) for m in seen]
    assert np.mean(partial) == pytest.approx(0.34, abs=0.08)


@pytest.mark.parametrize(("shape", "sigma"), [((40, 56), 4.0), ((7, 9), 4.0), ((33, 20), 1.0)])
def test_smoothing_of_maps_is_that_of_scipy(shape, sigma):
    maps = np.random.default_rng(0).random((2, 1, *shape)).astype(np.float32)
    expected = ndimage.gaussian_filter(maps.astype(float), (0, 0, sigma, sigma))
    np.testing.assert_allclose(smoothed(torch.from_numpy(maps), sigma), expected, atol=1e-6)


def test_no_smoothing_leaves_maps_alone():
    maps = torch.rand(1, 1, 5, 6)
    assert smoothed(maps, 0.0) is maps
