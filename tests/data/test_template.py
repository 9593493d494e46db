"""The template and the grids of the packed arrays."""

import hashlib

import numpy as np
import pytest
from scipy import ndimage

from tests.data.conftest import dice, mni, nifti, random_volume
from uadbench.core.errors import HarnessError
from uadbench.core.packaged import RESOURCES
from uadbench.data import mni152
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.registration import template

#: SHA-256 of the voxels that nilearn 0.13.1 loads at 1 mm
NILEARN = {
    "t1": "fe11ea9bc76455122e3f2dbceee281843f5cec9cc0fef4f59c0168244de13c02",  # load_mni152_template, float32
    "brain": "33e5cb832dce10b12acaeeff764c02f798dea2627a10a9ee24d61dd648e2520a",  # load_mni152_brain_mask, as bool
    "gm": "31aecb7be828c1bfb9ff518f94fe76c463e4ec834ac96c2de3449ec2122711f5",  # load_mni152_gm_template * 255, uint8
    "wm": "b0a50397bf25b0f407ca29e2cfefa2f49f094d06bc0aa2722f2f0b72fcd9b645",  # load_mni152_wm_template * 255, uint8
}


def test_template_grid_holds_the_brain_at_every_spacing():
    for spacing in (1.5, 4.0):
        grid = mni().grid(spacing)
        np.testing.assert_allclose(grid.spacing, spacing)
        low, high = geometry.extent(grid.shape, grid.affine)
        assert (low <= mni().box[0] - 3.9).all()
        assert (high >= mni().box[1] + 3.9).all()
        # No more than a few voxels of margin: every voxel of background costs memory and time.
        assert (np.array(grid.shape) * spacing < mni().box[1] - mni().box[0] + 4 * spacing + 8).all()


def test_the_template_is_that_of_nilearn():
    own = mni()
    arrays = {"t1": own.image, "brain": own.mask} | {
        name: np.asarray(mni152.read(name).dataobj) for name in ("gm", "wm")
    }
    assert {name: hashlib.sha256(values.tobytes()).hexdigest() for name, values in arrays.items()} == NILEARN
    np.testing.assert_array_equal(own.affine, [[1, 0, 0, -98], [0, 1, 0, -134], [0, 0, 1, -72], [0, 0, 0, 1]])
    assert "McGill University" in (RESOURCES / "mni152" / "LICENSE.txt").read_text(encoding="utf-8")


def test_template_from_a_file(tmp_path):
    source = mni().at(4.0)
    path = nifti(tmp_path / "brain.nii.gz", source.image[::-1], source.grid.affine @ np.diag([-1.0, 1, 1, 1]))
    own = template.load(str(path))
    assert dice(own.mask, ndimage.binary_fill_holes(own.image > 0)) == 1
    assert np.linalg.det(own.affine) > 0
    with pytest.raises(HarnessError, match="mni152"):
        template.load("mni153")
    with pytest.raises(HarnessError, match="skull-stripped"):
        template.load(str(nifti(tmp_path / "head.nii.gz", random_volume())))
