"""Synthetic anomalies: schedule, masks, foreign patches, augmentation, noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import ndimage

from harness.anomalies.augment import augment, changed
from harness.anomalies.corruption import Anomaly, alpha_schedule, restoration_times, synthesise
from harness.anomalies.draws import Draws
from harness.anomalies.filters import gaussian_blur, interpolated
from harness.anomalies.foreign import foreign_patch
from harness.anomalies.noise import coarse_noise
from harness.anomalies.shapes import random_masks
from harness.method import Batch
from harness.settings import AnomalyParams
from harness.training.seeds import Streams


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def discs(count: int = 8, size: int = 48) -> torch.Tensor:
    """Images with values in (0, 1] within a disc, 0 outside."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    values = 0.1 + 0.9 * torch.rand((count, 1, size, size), generator=generator(3))
    return values * (x**2 + y**2 < 0.8)


def test_schedule_has_the_values_of_the_paper():
    alpha = alpha_schedule(100)
    assert alpha[0] == 0
    assert alpha[[25, 50, 75, 100]].numpy() == pytest.approx([0.2734, 0.7276, 0.9492, 0.9955], abs=5e-5)
    assert (alpha.diff() > 0).all()


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
        params = AnomalyParams(size=(6.0, 12.0), softness=(0.0, 0.0), anomalies=anomalies)
        batch = Batch(images, torch.arange(64), Streams(3), lambda: others)
        return synthesise(batch, params, spacing=1.0).mask.mean().item()

    one, four = covered(1), covered(4)
    assert 3 < four / one < 4.2  # fewer than four times as many voxels where anomalies overlap


@given(seed=st.integers(0, 10_000), shape=st.sampled_from(["square", "sphere", "blob"]))
@hypothesis_settings(max_examples=30, deadline=None)
def test_masks_lie_in_the_foreground(seed, shape):
    foreground = discs() > 0
    masks, centres = random_masks(foreground, generator(seed), shapes=(shape,), size=(4, 20), softness=(0, 3))
    assert masks.shape == foreground.shape
    assert ((masks >= 0) & (masks <= 1)).all()
    assert (masks[~foreground] == 0).all()
    assert (masks.flatten(1).max(1).values > 0).all()
    rows = torch.arange(len(centres))
    assert foreground[rows, 0, centres[:, 0], centres[:, 1]].all()


def test_spheres_have_the_size_that_is_asked_for():
    masks, _ = random_masks(
        torch.ones((64, 1, 96, 96), dtype=torch.bool), generator(), shapes=("sphere",), size=(20, 20), soften=0
    )
    whole = masks.flatten(1).sum(1)
    assert whole.max().item() == pytest.approx(np.pi * 10**2, rel=0.05)
    assert set(masks.unique().tolist()) == {0.0, 1.0}


def test_softening_takes_its_share():
    full = torch.ones((400, 1, 24, 24), dtype=torch.bool)
    masks, _ = random_masks(full, generator(), size=(6, 10), soften=0.7, softness=(1, 2))
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


def test_foreign_patch_brings_a_foreground_place_to_the_centre_with_original_values():
    foreign = discs()
    centres = torch.randint(4, 44, (8, 2), generator=generator())
    moved = foreign_patch(foreign, centres, generator(1))
    for image, source, (row, column) in zip(moved, foreign, centres, strict=True):
        assert image[0, row, column] > 0
        assert np.isin(image.numpy(), np.append(source.numpy(), 0)).all()


def test_foreign_patch_is_a_rigid_copy():
    foreign = torch.rand((32, 1, 21, 21), generator=generator())
    moved = foreign_patch(foreign, torch.full((32, 2), 10), generator(5))
    around = moved[:, 0, 9:12, 9:12]
    for source, patch in zip(foreign[:, 0].numpy(), around.numpy(), strict=True):
        if (patch == 0).any():
            continue
        row, column = np.argwhere(source == patch[1, 1])[0]
        original = source[row - 1 : row + 2, column - 1 : column + 2]
        turns = [np.rot90(flip, k) for flip in (original, original[:, ::-1]) for k in range(4)]
        assert any(np.array_equal(patch, turn) for turn in turns)


def test_foreign_patch_comes_from_many_places():
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    code = (1 + y * 48 + x)[None, None].repeat(200, 1, 1, 1)
    centre = torch.full((200, 2), 24)
    values = foreign_patch(code, centre, generator())[:, 0, 24, 24]
    assert len(values.unique()) > 180


def test_augmentation_keeps_range_and_background():
    images = discs(64)
    changed = augment(images, generator(), spacing=2.0)
    assert changed.shape == images.shape
    assert ((changed >= 0) & (changed <= 1)).all()
    assert (changed == 0).float().mean() > 0.2
    assert not torch.equal(changed, images)
    assert torch.equal(changed, augment(images, generator(), spacing=2.0))


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
