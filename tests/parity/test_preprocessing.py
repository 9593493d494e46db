"""Scans and labels interpolated twice are those of UPD_study's functions, on its grid: brain, grey values, labels."""

from pathlib import Path

import numpy as np
from scipy import ndimage

from tests.parity.cases import RECORDS
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.reading.scan import Scan
from uadbench.data.preprocessing.registration.registration import Located
from uadbench.data.preprocessing.registration.template import Template
from uadbench.data.preprocessing.registration.transform import resample
from uadbench.data.preprocessing.settings import Preprocessing, settings

RECORD = RECORDS / "preprocessing.npz"
UPD = settings({"protocol": "upd", "side": 16})


def case() -> tuple[Located, Template, np.ndarray]:
    """A brain with a soft mask and voxels of 0.5 mm, turned in the field of a template; and its labels.

    Grey values are 20 to 900, and 5e-5 at one end. The field is oblong, 34 x 30 voxels of 1 mm, so that pixels have
    1.875 mm, as those of SRI24.
    """
    shape, centre = (52, 46, 24), np.array([25.5, 22.5, 11.5])
    places = 0.5 * (np.indices(shape) - centre[:, None, None, None])  # mm
    share = ndimage.gaussian_filter((((places.T / [10, 8, 4]) ** 2).sum(axis=-1) < 1).T.astype(np.float32), 0.8)
    grey = 20 + 880 * ndimage.zoom(np.random.default_rng(0).random((13, 12, 6)), 4, order=1)[:, :46]
    grey[places[0] < -8] = 5e-5
    labels = 4.0 * (np.abs(places.T - [3, -2, 0.5]).max(axis=-1) < 2).T
    affine = np.diag([0.5, 0.5, 0.5, 1.0])
    affine[:3, 3] = -0.5 * centre
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[0.995, -0.1, 0], [0.1, 0.995, 0], [0, 0, 1]]) * 0.94
    matrix[:3, 3] = (0.3, -0.4, 0.2)
    field = np.eye(4)
    field[:3, 3] = (-16.5, -14.5, -5.5)
    image = np.ones((34, 30, 12), np.float32)
    scan = Scan(Path("brain.nii"), grey.astype(np.float32), affine)
    return Located(scan, share, matrix, None), Template("field", image, image > 0, field), labels


def ours(chosen: Preprocessing = UPD) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, brain and labels by our preprocessing."""
    place, template, labels = case()
    grid, between = template.packed(chosen), template.between(chosen)
    image, inside = resample(place, template, chosen)
    return image, inside, geometry.sample_labels(labels, place.scan.affine, grid, place.matrix, chosen.labels, between)


def test_preprocessing_is_that_of_the_public_code():
    theirs = np.load(RECORD)
    image, inside, labels = ours()
    brain = theirs["image"] > 0
    assert (inside == brain).all()
    assert 0.02 < (theirs["image"][brain] < 1e-3).mean() < 0.5  # a rim that is kept as dark as it is
    np.testing.assert_allclose(image, theirs["image"], atol=2e-7)
    assert ((image.astype(np.float16) > 0) == brain).all()
    assert (labels == theirs["labels"]).all()
    assert labels.any()


def test_one_step_is_another():
    """What the comparison must be able to tell apart."""
    image, inside, labels = ours(settings({"protocol": "upd", "side": 16, "edges": "plain"}))
    theirs = np.load(RECORD)
    assert (inside != (theirs["image"] > 0)).mean() > 0.01
    assert np.abs(image - theirs["image"]).max() > 0.01
    assert (labels != theirs["labels"]).any()
