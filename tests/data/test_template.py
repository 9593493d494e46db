"""The template and the grids of the packed arrays."""

from importlib.machinery import ModuleSpec

import numpy as np
import pytest
from scipy import ndimage

from tests.data.conftest import dice, mni, nifti, random_volume
from uadbench.core.errors import HarnessError
from uadbench.data import mni152
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.registration import template


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
    """Whose functions read the same files: every voxel, and the axes."""
    from nilearn import datasets

    own = mni()
    for values, loaded in (
        (own.image, datasets.load_mni152_template(resolution=1)),
        (own.mask, datasets.load_mni152_brain_mask(resolution=1)),
    ):
        np.testing.assert_array_equal(values, np.asarray(loaded.dataobj))
        np.testing.assert_array_equal(own.affine, loaded.affine)
    for name, loaded in (("gm", datasets.load_mni152_gm_template()), ("wm", datasets.load_mni152_wm_template())):
        values = np.asarray(mni152.read(name).dataobj)
        np.testing.assert_allclose(values / values.max(), np.asarray(loaded.dataobj), atol=1e-6)


def test_a_missing_file_of_the_template_is_named(tmp_path, monkeypatch):
    found = ModuleSpec("nilearn", None, is_package=True)
    found.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(mni152, "find_spec", lambda name: found)
    with pytest.raises(HarnessError, match="no such file"):
        mni152.read("t1")


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
