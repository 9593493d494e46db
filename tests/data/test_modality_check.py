"""A T1 in the slot of the T2, and the other way round, are told by their contrast, on simulated and on real scans."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage, stats

from tests.data.conftest import FAST, mni
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.reading.scan import BadScan, Scan, read_scan
from uadbench.data.preprocessing.registration import modality_check
from uadbench.data.preprocessing.registration.registration import follow, locate
from uadbench.data.preprocessing.registration.transform import resample

PATH = Path("scan.nii.gz")


def looks(image: np.ndarray, inside: np.ndarray, modality: str) -> bool:
    """Whether an image passes for its modality."""
    try:
        modality_check.check(modality, image, inside, mni(), mni().packed(FAST), PATH)
    except BadScan:
        return False
    return True


@pytest.mark.parametrize("spacing", [2.0, 4.0])
def test_correlations_are_those_deep_in_each_half_on_any_voxels(spacing):
    """The template with noise, turned round at the surface: only what lies 10 mm deep counts, on voxels of 4 mm."""
    grid, target = mni().grid(spacing), mni().at(4.0)
    depth = ndimage.distance_transform_edt(target.mask, sampling=4.0)
    noise = 0.2 * np.random.default_rng(0).standard_normal(target.image.shape).astype(np.float32)
    made = np.where(depth > 4, target.image + noise, 2 - target.image)
    image = geometry.sample(made, target.grid.affine, grid)
    again = geometry.sample(image, grid.affine, target.grid)
    x = target.grid.affine[0, 0] * np.arange(target.grid.shape[0]) + target.grid.affine[0, 3]
    everywhere = np.ones(grid.shape, bool)
    found = modality_check.correlations(image, everywhere, mni(), grid)
    turned = modality_check.correlations(2 - image, everywhere, mni(), grid)
    for number, half in enumerate((x < 0, x >= 0)):
        deep = (depth > 12) & half[:, None, None]
        expected = stats.pearsonr(again[deep], target.image[deep]).statistic
        assert found[number] == pytest.approx(expected, abs=0.005)
        assert turned[number] == pytest.approx(-expected, abs=0.005)
    assert modality_check.correlations(image, ~everywhere, mni(), grid) == (0, 0)
    assert modality_check.correlations(0 * image, everywhere, mni(), grid) == (0, 0)


def test_one_half_is_enough_to_pass():
    """A stroke may take a whole half; where nothing can be compared, nothing is refused."""
    grid, target = mni().packed(FAST), mni().at(4.0)
    left = np.arange(grid.shape[0])[:, None, None] < grid.shape[0] // 2
    half = np.where(left, target.image, 1.5 - target.image)
    assert looks(half, target.mask, "t1")
    assert looks(half, target.mask, "t2")
    assert looks(1.5 - target.image, np.zeros_like(target.mask), "t1")


def test_simulated_scans(extracted_scan):
    place = locate(extracted_scan, mni(), FAST)
    image, inside = resample(place, mni(), FAST)
    turned = np.where(inside, 1.05 - image, 0)
    assert looks(image, inside, "t1")
    assert not looks(image, inside, "t2")
    assert looks(turned, inside, "t2")
    assert not looks(turned, inside, "t1")
    with pytest.raises(BadScan, match=r"scan\.nii\.gz: is given as T1 but looks T2-weighted .*; "):
        modality_check.check("t1", turned, inside, mni(), mni().packed(FAST), PATH)


@pytest.mark.parametrize(
    ("order", "flips"),
    [
        *(((0, 1, 2), flips) for flips in ((1, -1, -1), (-1, 1, -1), (-1, -1, 1))),
        *((order, (-1, 1, -1)) for order in ((1, 2, 0), (2, 1, 0), (1, 0, 2))),
        ((1, 2, 0), (-1, -1, 1)),
    ],
)
def test_a_header_of_another_orientation_is_refused(extracted_scan, order, flips):
    """Voxels in another order under the same kind of header, as arrays are that were saved with a plain affine."""
    data = extracted_scan.data[:: flips[0], :: flips[1], :: flips[2]].transpose(order)
    affine = geometry.upright(-1.75 * np.array(data.shape), 1.75 * np.array(data.shape), 3.5).affine
    try:
        place = locate(Scan(PATH, data, affine), mni(), FAST)
    except BadScan:
        return  # not even a brain's overlap was reached
    image, inside = resample(place, mni(), FAST)
    with pytest.raises(BadScan, match=r"resembles no upright whole brain .*convert it again|looks T2-weighted"):
        modality_check.check("t1", image, inside, mni(), mni().packed(FAST), PATH)


@pytest.mark.parametrize(
    ("t1", "t2"),
    [
        ("BraTS20_Training_001/BraTS20_Training_001_t1.nii.gz", "BraTS20_Training_001/BraTS20_Training_001_t2.nii.gz"),
        ("BraTS20_Training_002/BraTS20_Training_002_t1.nii.gz", "BraTS20_Training_002/BraTS20_Training_002_t2.nii.gz"),
        ("sub-CC900001/anat/sub-CC900001_T1w.nii.gz", "sub-CC900001/anat/sub-CC900001_T2w.nii.gz"),
    ],
    ids=["glioma", "multiple-sclerosis", "healthy"],
)
def test_real_scans(mri_mini, t1, t2):
    first, second = (read_scan(next(path for path in mri_mini.rglob(Path(n).name))) for n in (t1, t2))
    place = locate(first, mni(), FAST)
    followed = follow(second, place, FAST.spacing)
    for modality, where in (("t1", place), ("t2", followed)):
        image, inside = resample(where, mni(), FAST)
        assert looks(image, inside, modality)
        assert not looks(image, inside, "t2" if modality == "t1" else "t1")


def test_a_real_t2_in_the_slot_of_the_t1(mri_mini):
    """The whole way: brain and pose are found on the wrong scan too, and then it is refused for its contrast."""
    scan = read_scan(next(mri_mini.rglob("BraTS20_Training_001_t2.nii.gz")))
    place = locate(Scan(PATH, scan.data, scan.affine), mni(), FAST)
    assert not looks(*resample(place, mni(), FAST), "t1")


def message(image: np.ndarray, modality: str = "t1") -> str:
    grid = mni().packed(FAST)
    try:
        return modality_check.check(modality, image, np.ones(grid.shape, bool), mni(), grid, PATH)
    except BadScan as error:
        return error.reason


def test_a_correlation_near_0_is_no_t2():
    """A part of a head correlates with neither; only below the limit of a T2 is a scan called one."""
    target, noise = mni().at(4.0).image, np.random.default_rng(0).random(mni().at(4.0).image.shape)
    for share in (0.0, -0.15, 0.2):
        mixed = noise + share * 1.6 * (target - target.mean())
        found = modality_check.correlations(mixed, np.ones_like(mixed, bool), mni(), mni().packed(FAST))
        assert -0.25 < max(found) < 0.35
        assert "resembles no upright whole brain" in message(mixed)
        assert "part of a head" in message(mixed)
    assert "looks T2-weighted" in message(1.5 - target + 0.1 * noise)
    assert "looks T1-weighted" in message(target + 0.1 * noise, "t2")


def test_a_flair_in_the_slot_of_the_t1_is_said():
    """Dark fluid, but white matter as bright as grey matter."""
    target = mni().at(4.0).image
    flair = np.minimum(target, 0.66).astype(np.float32)
    assert "may be a FLAIR: white matter only 1.0" in message(flair)
    assert "looks like a FLAIR" in message(flair, "t2")
    assert message(target) == message(flair, "flair") == ""


def test_real_flairs_are_noted_and_no_real_t1(mri_mini):
    for name, flagged in (("002_flair", True), ("001_t1", False), ("002_t1", False)):
        scan = read_scan(next(mri_mini.rglob(f"BraTS20_Training_{name}.nii.gz")))
        image, inside = resample(locate(scan, mni(), FAST), mni(), FAST)
        note = modality_check.check("t1", image, inside, mni(), mni().packed(FAST), PATH)
        assert bool(note) == flagged, name
