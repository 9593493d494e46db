"""Anatomy of the simulated cohort: diffeomorphisms, tissue fractions, ventricles, and the push of a mass."""

import numpy as np
import pytest

from uadbench.simulation import anatomy, strokes, template, tumours
from uadbench.simulation.anatomy import (
    COARSE,
    NATIVE,
    Anatomy,
    exponentiate,
    push,
    random_anatomy,
    sphere_radius,
)
from uadbench.simulation.fields import LOWER, Maps, grid, ramp, smooth_noise
from uadbench.simulation.head import mix, random_shell

SPACING = 6.0


def identity() -> Anatomy:
    zero = Maps(np.zeros_like(grid(COARSE)), LOWER, COARSE)
    return Anatomy(np.eye(4), zero, 1.0, Maps(np.zeros_like(grid(COARSE))[:2], LOWER, COARSE))


def jacobian_determinant(displacement: Maps) -> np.ndarray:
    """Determinant of the Jacobian of x ↦ x + u(x) at the points of the grid of `displacement`."""
    gradient = np.stack([np.stack(np.gradient(u, displacement.spacing)) for u in displacement.values])
    jacobian = np.moveaxis(gradient, (0, 1), (-2, -1)) + np.eye(3, dtype=np.float32)
    return np.linalg.det(jacobian)


def test_the_exponential_of_a_constant_velocity_is_a_shift() -> None:
    velocity = np.zeros((3, 12, 12, 12), np.float32)
    velocity[1] = 3.5
    displacement = exponentiate(Maps(velocity, LOWER, COARSE)).values
    np.testing.assert_allclose(displacement[1], 3.5, rtol=1e-5)
    np.testing.assert_allclose(displacement[[0, 2]], 0, atol=1e-6)


def test_the_exponential_of_the_negative_velocity_is_the_inverse() -> None:
    noise = 5 * smooth_noise(np.random.default_rng(0), 20.0, COARSE, 3).values
    forward, backward = (exponentiate(Maps(sign * noise, LOWER, COARSE)) for sign in (1, -1))
    points = grid(COARSE)[:, 8:-8, 8:-8, 8:-8]
    there = points + forward(points)
    back = there + backward(there)
    assert np.abs(forward(points)).max() > 5
    assert np.abs(back - points).mean() < 0.02 * 5
    assert np.abs(back - points).max() < 0.1 * COARSE


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_anatomies_are_diffeomorphic_and_differ(seed: int) -> None:
    first = random_anatomy(np.random.default_rng(seed), 80, NATIVE)
    second = random_anatomy(np.random.default_rng(seed + 100), 80, NATIVE)
    assert jacobian_determinant(first.warp).min() > 0.05
    assert np.sqrt(((first.warp.values - second.warp.values) ** 2).sum(0)).mean() > 2
    assert np.linalg.det(first.affine[:3, :3]) > 0.6


def test_rotation_turns_x_to_y_about_z() -> None:
    np.testing.assert_allclose(anatomy.rotation([0, 0, np.pi / 2]) @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_fractions_fill_the_head_and_the_brain_lies_in_its_skull() -> None:
    rng = np.random.default_rng(5)
    mixture = mix(random_anatomy(rng, 50, NATIVE), random_shell(rng), grid(SPACING), SPACING)
    total = sum(mixture.fractions.values())
    assert min(fraction.min() for fraction in mixture.fractions.values()) >= -1e-6
    assert np.max(total) <= 1 + 1e-4
    np.testing.assert_allclose(np.asarray(total)[mixture.brain > 0.9], 1, atol=1e-3)
    litres = {name: fraction.sum() * SPACING**3 / 1e6 for name, fraction in mixture.fractions.items()}
    assert 0.35 < litres["white"] < 0.8
    assert 0.5 < litres["grey"] < 1.1
    assert 0.1 < litres["bone"] + litres["marrow"] < 1.5
    outside = mixture.brain < 0.05
    assert (mixture.fractions["white"] + mixture.fractions["grey"])[outside & (mixture.posed[2] > -50)].max() < 0.3


def test_ventricles_widen_with_age() -> None:
    def ventricles(age: float, seed: int) -> float:
        made = random_anatomy(np.random.default_rng(seed), age, anatomy.REGISTERED)
        return float(template.tissues(SPACING)(made.to_template(grid(SPACING)))[template.VENTRICLE].sum())

    pairs = [(ventricles(25, seed), ventricles(85, seed)) for seed in range(3)]
    assert all(old > 1.25 * young for young, old in pairs)


def test_a_mass_pushes_tissue_away_without_folding() -> None:
    centre = (30.0, -10.0, 20.0)
    moved = anatomy.push(identity(), centre, 20.0, 0.45)
    assert jacobian_determinant(moved).min() > 0
    beside = np.array([50.0, -10.0, 20.0], np.float32).reshape(3, 1)
    # What is now 20 mm beside the centre lay nearer to it before.
    assert moved(beside)[0, 0] < -3
    far = np.array([-60.0, -10.0, 20.0], np.float32).reshape(3, 1)
    assert np.abs(moved(far)).max() < 0.1


def test_ramp_is_the_partial_volume_of_a_plane() -> None:
    np.testing.assert_allclose(ramp(np.array([-2, -1, 0, 0.5, 1, 3], np.float32), 2.0), [0, 0, 0.5, 0.75, 1, 1])


@pytest.mark.parametrize("volume", [2.0, 40.0])
def test_a_stroke_has_the_volume_asked_for_and_stays_on_its_side(volume: float) -> None:
    rng = np.random.default_rng(2)
    mixture = mix(identity(), None, grid(4.0), 4.0)
    stroke = strokes.Stroke("mca", (50.0, -10.0, 20.0), volume)
    mask = strokes.insert(mixture, stroke, rng, 4.0**3 / 1000, 4.0)
    assert mask.sum() * 4.0**3 / 1000 == pytest.approx(volume, rel=0.15)
    assert set(np.unique(mask)) == {0, 1}
    assert mixture.posed[0][mask > 0].min() > 0
    assert mixture.brain[mask > 0].min() > 0.5
    # The infarct replaces tissue, it does not add any.
    np.testing.assert_allclose(sum(mixture.fractions.values()), mixture.brain, atol=1e-3)


def test_stroke_volumes_are_log_normal_around_ten_ml() -> None:
    rng = np.random.default_rng(0)
    volumes = np.array([strokes.random_stroke(rng).volume for _ in range(4000)])
    assert 6 < np.median(volumes) < 14
    assert 1.2 < np.log(volumes).std() < 2.0
    assert (volumes > 100).any()
    assert (volumes < 1).any()


def test_glioma_volumes() -> None:
    rng = np.random.default_rng(0)
    drawn = [tumours.random_tumour(rng) for _ in range(4000)]
    whole = np.array([tumour.whole for tumour in drawn])
    assert 60 < np.median(whole) < 90
    assert all(tumour.core < tumour.whole for tumour in drawn)


def test_a_glioma_has_three_classes_around_each_other() -> None:
    tumour = tumours.Tumour((30.0, -10.0, 20.0), 30.0, 75.0, 0.4, 0.3)
    mass_effect = push(identity(), tumour.centre, sphere_radius(tumour.core), tumour.mass)
    mixture = mix(identity(), None, grid(4.0), 4.0, mass_effect)
    labels = tumours.insert(mixture, tumour, np.random.default_rng(1), 4.0**3 / 1000, 4.0)
    assert set(np.unique(labels)) == {0, 1, 2, 4}
    assert (labels > 0).sum() * 4.0**3 / 1000 == pytest.approx(75, rel=0.2)
    assert ((labels == 1) | (labels == 4)).sum() * 4.0**3 / 1000 == pytest.approx(30, rel=0.25)
    distance = np.sqrt(((mixture.posed - np.array(tumour.centre).reshape(3, 1, 1, 1)) ** 2).sum(0))
    assert distance[labels == 1].mean() < distance[labels == 4].mean() < distance[labels == 2].mean()
