"""Brains of known place are found, in heads and without, and a T2 finds its T1."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from tests.data.conftest import FAST, HEAD_AFFINE, NATIVE, POSE, dice, head, mni, off, posed, random_volume, scanned
from uadbench.data.grid import Grid
from uadbench.data.preprocessing.brain import brain
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.reading.scan import BadScan, Scan, read_labels, read_scan
from uadbench.data.preprocessing.registration import ants_registration, initialisation
from uadbench.data.preprocessing.registration.registration import Located, follow, locate
from uadbench.data.preprocessing.registration.transform import resample
from uadbench.data.preprocessing.settings import Preprocessing


@pytest.fixture
def registered_anew(monkeypatch):
    """Undo that equal registrations are computed once."""
    for module, name in ((ants_registration, "align"), (initialisation, "guesses")):
        monkeypatch.setattr(module, name, getattr(module, name).__wrapped__)


def test_otsu_parts_three_classes():
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(m, 2, 4000) for m in (10, 40, 80)])
    low, high = brain.otsu(values, classes=3)
    assert 16 < low < 34
    assert 46 < high < 74
    assert 16 < brain.otsu(values[:8000])[0] < 34


def test_extracted_scans_are_told_from_heads(extracted_scan, head_scan):
    known = brain.extracted(extracted_scan)
    assert known is not None
    assert dice(known, extracted_scan.data != 0) == 1
    assert brain.extracted(head_scan) is None
    defaced = np.where(head_scan.data < 10, 0, head_scan.data)
    assert brain.extracted(Scan(head_scan.path, defaced, head_scan.affine)) is None


def test_a_cavity_that_an_extraction_left_at_0_is_brain(extracted_scan):
    inside = extracted_scan.data != 0
    i, j, k = np.round(np.argwhere(inside).mean(axis=0)).astype(int)
    data = extracted_scan.data.copy()
    data[i + 4 : i + 9, j : j + 6, k : k + 5] = 0
    known = brain.extracted(Scan(extracted_scan.path, data, extracted_scan.affine))
    assert known is not None
    assert known[i + 4 : i + 9, j : j + 6, k : k + 5].all()
    assert dice(known, inside) > 0.999


@pytest.mark.parametrize("axis", [0, 2])
def test_a_few_slices_are_refused_with_a_reason(extracted_scan, head_scan, axis):
    for scan, register in product((extracted_scan, head_scan), (lambda thin: locate(thin, mni(), FAST), None)):
        low, high = [0, 0, 0], list(scan.data.shape)
        low[axis], high[axis] = 30, 32
        affine = scan.affine.copy()
        affine[:3, 3] += affine[:3, axis] * 30
        thin = Scan(scan.path, scan.data[tuple(map(slice, low, high))], affine)
        whole = Located(extracted_scan, (extracted_scan.data > 0).astype(np.float32), np.eye(4), None)
        with pytest.raises(BadScan, match=r"×.* voxels span only 3\.5 mm in one direction; leave it out"):
            register(thin) if register else follow(thin, whole, FAST.spacing)
    empty = initialisation._ranks(np.zeros((2, 2, 2)), np.zeros(0), 12)
    assert not empty.any()


def test_extracted_brain_is_found_where_it_is(extracted_scan):
    found = locate(extracted_scan, mni(), FAST)
    assert off(found.matrix, POSE) < 1.0
    image, inside = resample(found, mni(), FAST)
    assert dice(inside, mni().at(4.0).mask) > 0.97
    assert ((image > 0) == inside).all()
    assert image.max() <= 1


def test_the_brain_in_a_head_is_found_without_its_skull(head_scan):
    found = locate(head_scan, mni(), FAST)
    assert off(found.matrix, POSE) < 2.5
    truth = scanned(mni().mask, mni().affine, POSE, NATIVE) > 0.5
    box = geometry.sample(truth, NATIVE.affine, found.scan.grid, order=0) > 0.5
    assert dice(found.inside > 0.5, box) > 0.94
    # Bone is a ring of 6.5 mm: brain must not reach the fat behind it.
    assert (brain.distance(box, found.scan.grid.spacing)[found.inside > 0.5] < 9).all()


@pytest.mark.parametrize("reach", [3.0, 4.0, 8.0])
def test_erosion_and_dilation_are_thresholds_of_the_distance(reach):
    blurred = ndimage.gaussian_filter(np.random.default_rng(4).standard_normal((40, 36, 30)), 3)
    mask, spacing = blurred > 0.01, np.array([2.0, 1.5, 3.0])
    distance = brain.distance(mask, spacing)
    np.testing.assert_array_equal(brain.eroded(mask, spacing, reach), distance < -reach)
    np.testing.assert_array_equal(brain.dilated(mask, spacing, reach), distance < reach)
    assert 0 < brain.eroded(mask, spacing, reach).sum() < mask.sum() < brain.dilated(mask, spacing, reach).sum()


def test_registration_is_the_same_every_time(extracted_scan, registered_anew):
    first, second = (locate(extracted_scan, mni(), FAST).matrix for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_a_head_is_refused_where_extracted_scans_are_promised(head_scan):
    with pytest.raises(BadScan, match="skull"):
        locate(head_scan, mni(), Preprocessing(spacing=4.0, brain="none"))


def test_noise_is_no_brain():
    noise = np.random.default_rng(0).normal(100, 10, (50, 50, 50)).astype(np.float32)
    tiny = Scan(Path("noise.nii"), noise, np.diag([1.0, 1, 1, 1]))
    with pytest.raises(BadScan):
        locate(tiny, mni(), FAST)


def test_t2_finds_its_t1_though_its_header_is_off(extracted_scan):
    """The T2 has thick slices, another contrast, and a header that is 2 cm and 8° off."""
    move = posed(8, 2, (3, 18, -9), 1.0)
    grid = Grid((60, 70, 36), np.array([[3.2, 0, 0, -94], [0, 3.2, 0, -100], [0, 0, 5.0, -95], [0, 0, 0, 1]]))
    image = scanned(head(t2=True), HEAD_AFFINE, move @ POSE, grid)
    t1 = Scan(Path("t1.nii"), scanned(head(), HEAD_AFFINE, POSE, NATIVE), NATIVE.affine)
    inside = scanned(mni().mask, mni().affine, POSE, NATIVE)
    place = type(locate(extracted_scan, mni(), FAST))(t1, inside, POSE, 1.0)
    found = follow(Scan(Path("t2.nii"), image, grid.affine), place, 4.0)
    assert off(found.matrix, move @ POSE) < 2.0


def test_t2_that_is_aligned_is_not_shaken(extracted_scan):
    place = locate(extracted_scan, mni(), FAST)
    inverted = np.where(extracted_scan.data > 0, 900 - extracted_scan.data, 0)
    found = follow(Scan(Path("t2.nii"), inverted, extracted_scan.affine), place, 4.0)
    assert off(found.matrix, place.matrix) < 0.5


def test_search_tells_where_a_brain_is(head_scan):
    points = mni().at(initialisation.STEP)
    similarity = initialisation.Similarity(
        points.image, points.mask, points.grid, head_scan.data, NATIVE, surroundings=False
    )
    best = initialisation.guesses(similarity, [brain.head_centre(head_scan.data, NATIVE)], initialisation.HEAD)[0]
    assert off(best, POSE) < 8
    assert similarity(best) > similarity(np.eye(4))


def test_similarity_of_an_image_with_itself_is_two():
    image = random_volume((20, 20, 20))
    everywhere = np.ones(image.shape, bool)
    assert ants_registration.similarity(image, 3 - 2 * image, everywhere) == pytest.approx(2, abs=0.02)
    assert ants_registration.similarity(image, random_volume((20, 20, 20))[::-1], everywhere) < 1.05


def test_real_head_with_its_t2(mri_mini):
    """A whole head whose T2 lies on another grid, tilted by 13° and 1.5 cm off: both end up aligned."""
    folder = mri_mini / "camcan/cc700/mri/pipeline/release004/BIDS_20190411/anat/sub-CC900001/anat"
    t1 = locate(read_scan(folder / "sub-CC900001_T1w.nii.gz"), mni(), FAST)
    t2 = follow(read_scan(folder / "sub-CC900001_T2w.nii.gz"), t1, FAST.spacing)
    first, inside = resample(t1, mni(), FAST)
    second, covered = resample(t2, mni(), FAST)
    assert dice(inside, mni().at(4.0).mask) > 0.95
    assert (covered & inside).sum() > 0.9 * inside.sum()
    both = inside & covered
    aligned = ants_registration.similarity(first, second, both)
    for axis in range(3):
        for step in (-2, 2):
            assert aligned > ants_registration.similarity(first, np.roll(second, step, axis), both)


def test_real_lesion_keeps_its_volume(mri_mini):
    folder = mri_mini / "atlas/ATLAS_2/Training/R001/sub-r001s002/ses-1/anat"
    name = folder / "sub-r001s002_ses-1_space-MNI152NLin2009aSym"
    scan = read_scan(Path(f"{name}_T1w.nii.gz"))
    labels = read_labels(Path(f"{name}_label-L_desc-T1lesion_mask.nii.gz"), scan)
    place = locate(scan, mni(), FAST)
    assert dice(resample(place, mni(), FAST)[1], mni().at(4.0).mask) > 0.93
    for spacing in (2.0, 3.0):
        found = geometry.sample_labels(labels.data, labels.affine, mni().grid(spacing), place.matrix)
        volume = (labels.data > 0).sum() * scan.grid.spacing.prod() / np.linalg.det(place.matrix[:3, :3])
        assert found.sum() * spacing**3 == pytest.approx(volume, rel=0.03)
