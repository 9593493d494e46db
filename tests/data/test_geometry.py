"""Grids and resampling: ramps stay ramps, labels keep their classes and volumes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from tests.data.conftest import posed
from uadbench.data.grid import Grid
from uadbench.data.preprocessing.reading import geometry


def test_upright_covers_what_is_asked():
    grid = geometry.upright(np.array([-10.0, 0, 5]), np.array([11.0, 7, 5]), 2.0)
    low, high = geometry.extent(grid.shape, grid.affine)
    assert (low <= [-10, 0, 5]).all()
    assert (high >= [11, 7, 5]).all()
    np.testing.assert_allclose(grid.spacing, 2)


def test_sampling_a_ramp_is_exact():
    """Linear interpolation, and its smoothing, keep a linear function as it is."""
    affine = np.array([[0, 0, 1.5, -8], [-1.0, 0, 0, 20], [0, 2, 0, -6], [0, 0, 0, 1]])
    shape = (24, 18, 20)
    points = (affine @ np.vstack([np.indices(shape).reshape(3, -1), np.ones((1, np.prod(shape)))]))[:3]
    ramp = (2 * points[0] - points[1] + 3 * points[2]).reshape(shape)
    for spacing in (1.0, 3.0):
        grid = geometry.upright(np.array([0.0, 6, 6]), np.array([9.0, 12, 15]), spacing)
        wanted = grid.affine @ np.vstack([np.indices(grid.shape).reshape(3, -1), np.ones((1, np.prod(grid.shape)))])
        found = geometry.sample(ramp, affine, grid)
        np.testing.assert_allclose(found.ravel(), 2 * wanted[0] - wanted[1] + 3 * wanted[2], atol=1e-3)


def test_sampling_outside_is_zero():
    grid = Grid((3, 3, 3), np.diag([2.0, 2, 2, 1]) + np.eye(4, k=3) * 500)
    assert not geometry.sample(np.ones((5, 5, 5)), np.eye(4), grid).any()


@budget(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1.0, 2.0, 4.0]))
def test_labels_neither_gain_nor_lose_classes(seed, spacing):
    rng = np.random.default_rng(seed)
    labels = np.zeros((30, 32, 28), np.uint8)
    for value in rng.choice([1, 2, 4, 200], size=3, replace=False):
        corner, size = rng.integers(8, 18, 3), rng.integers(1, 7, 3)
        labels[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] = value
    grid = geometry.upright(np.zeros(3), np.array([30.0, 32, 28]), spacing)
    tilt = posed(*rng.uniform(-10, 10, 2), (1.0, -1.0, 0.5), 1.0)
    assert set(np.unique(geometry.sample_labels(labels, np.eye(4), grid, tilt))) == set(np.unique(labels))


@pytest.mark.parametrize("spacing", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("size", [0.9, 1.15])
def test_labels_keep_their_volume(spacing, size):
    distance = np.linalg.norm((np.indices((64, 64, 64)).T - (31.3, 32.2, 30.8)) * (1, 1, 1.25), axis=-1).T
    labels = np.where(distance < 12, 4, np.where(distance < 18, 2, 0)).astype(np.uint8)
    affine = np.diag([1.0, 1.0, 1.25, 1])
    matrix = posed(9, 14, (2, 1, -3), size)
    grid = geometry.upright(np.zeros(3) - 10, np.full(3, 95.0), spacing)
    found = geometry.sample_labels(labels, affine, grid, matrix)
    for value in (2, 4):
        volume = (labels == value).sum() * 1.25 / size**3
        assert (found == value).sum() * spacing**3 == pytest.approx(volume, rel=0.03)


@pytest.mark.parametrize("spacing", [1.0, 2.0, 4.0])
def test_small_and_ragged_lesions_keep_their_volume(spacing):
    """Scattered lesions of some voxels each, which a majority vote would thin out."""
    rng = np.random.default_rng(3)
    labels = np.zeros((60, 60, 60), np.uint8)
    for corner in rng.integers(8, 48, (40, 3)):
        labels[tuple(slice(c, c + s) for c, s in zip(corner, rng.integers(1, 5, 3), strict=True))] = 1
    grid = geometry.upright(np.full(3, -10.0), np.full(3, 70.0), spacing)
    found = geometry.sample_labels(labels, np.eye(4), grid, posed(5, -8, (2.0, 3.0, -1.0), 1.05))
    assert found.sum() * spacing**3 == pytest.approx(labels.sum() / 1.05**3, rel=0.03)


def test_labels_on_their_own_grid_stay_as_they_are():
    labels = np.random.default_rng(0).choice([0, 0, 0, 1, 4], (9, 8, 7)).astype(np.uint8)
    np.testing.assert_array_equal(geometry.sample_labels(labels, np.eye(4), Grid(labels.shape, np.eye(4))), labels)


def test_a_plane_is_a_slice_of_its_grid():
    """Also of a finer volume, whose smoothing needs voxels beside the plane."""
    grid = geometry.upright(np.array([-20.0, -30.0, -10.0]), np.array([20.0, 30.0, 10.0]), 2.0)
    data = np.random.default_rng(3).random((44, 64, 24)).astype(np.float32)
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = -21.5, -31.5, -11.5
    whole = geometry.sample(data, affine, grid)
    for axis, voxel in ((0, 5), (1, 20), (2, 0)):
        at = grid.affine[axis, 3] + 2.0 * voxel
        plane = geometry.sample(data, affine, geometry.plane(grid, axis, at))
        np.testing.assert_allclose(plane.squeeze(axis), whole.take(voxel, axis), atol=1e-5)
