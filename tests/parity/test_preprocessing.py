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
    """An extracted brain of 0.7 mm with grey values 20 to 900, turned in the field of a template; and its labels.

    The field is oblong, 34 x 30 voxels of 1 mm, so that pixels have 1.875 mm, as those of SRI24.
    """
    draw = np.random.default_rng(0)
    places = np.indices((36, 32, 16)).astype(float) - np.array([17.5, 15.5, 7.5])[:, None, None, None]
    inside = ((places / np.array([14, 11, 6])[:, None, None, None]) ** 2).sum(axis=0) < 1
    grey = 20 + 880 * ndimage.zoom(draw.random((9, 8, 4)), 4, order=1)
    labels = 4.0 * (np.abs(places - np.array([4, -3, 1])[:, None, None, None]).max(axis=0) < 3)
    affine = np.diag([0.7, 0.7, 0.7, 1.0])
    affine[:3, 3] = -0.7 * np.array([17.5, 15.5, 7.5])
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[0.995, -0.1, 0], [0.1, 0.995, 0], [0, 0, 1]]) * 0.94
    matrix[:3, 3] = (0.3, -0.4, 0.2)
    field = np.eye(4)
    field[:3, 3] = (-16.5, -14.5, -5.5)
    image = np.ones((34, 30, 12), np.float32)
    scan = Scan(Path("brain.nii"), np.where(inside, grey, 0).astype(np.float32), affine)
    return Located(scan, inside.astype(np.float32), matrix, None), Template("field", image, image > 0, field), labels


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
    assert inside.sum() < 0.97 * (theirs["image"] > 0).sum()
    assert np.abs(image - theirs["image"]).max() > 0.01
    assert (labels != theirs["labels"]).any()
