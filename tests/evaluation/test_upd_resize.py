"""UPD_study's resizing of slices: places in millimetres stay, larger images are cropped."""

import numpy as np
import pytest

from uadbench.evaluation.protocols.upd_resize import FIELD, SIDE, resize, voxel_size

SPACING = (3.0, 1.0, 1.5)  # mm: slice, row, column


@pytest.mark.parametrize(("shape", "spacing"), [((2, 189, 157), 1.0), ((2, 47, 40), 4.0), ((2, 101, 77), 1.875)])
def test_resizing_keeps_places(shape, spacing):
    """A ramp in millimetres from the image's centre reads the same at every pixel well inside of the image."""
    y, x = ((np.arange(n) - (n - 1) / 2) * spacing for n in shape[1:])
    image = np.broadcast_to(200 + 0.5 * y[:, None] + 0.25 * x, shape)
    pixels = (np.arange(SIDE) - (SIDE - 1) / 2) * FIELD / SIDE
    inner = [np.abs(pixels) < line.max() - 3 * max(spacing, 1.875) for line in (y, x)]
    expected = (200 + 0.5 * pixels[:, None] + 0.25 * pixels)[np.ix_(*inner)]
    out = resize(image, (2.0, spacing, spacing))
    assert out.dtype == np.float32
    assert expected.size > 1000
    np.testing.assert_allclose(out[0][np.ix_(*inner)], expected, rtol=1e-5)
    outer = [np.abs(pixels) > line.max() + 3 * max(spacing, 1.875) for line in (y, x)]
    assert not out[:, outer[0]].any()
    assert not out[:, :, outer[1]].any()


def test_an_image_larger_than_the_field_is_cropped_about_its_centre():
    image = np.zeros((1, 300, 300), np.float32)
    image[:, 30:270, 30:270] = 1
    out = resize(image, (1.0, 1.0, 1.0))
    np.testing.assert_allclose(out[0, 2:-2, 2:-2], 1, rtol=1e-5)
    assert not resize(1 - image, (1.0, 1.0, 1.0))[0, 2:-2, 2:-2].any()


def test_voxel_size_of_an_oblique_grid():
    turn = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([1.5, 1.0, 3.0])
    assert voxel_size(affine) == pytest.approx(SPACING)
