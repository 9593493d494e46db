"""A T1 in the slot of the T2, and the other way round, are told by their contrast, on simulated and on real scans."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.data import contrast
from harness.data.locate import follow, locate
from harness.data.placement import resample
from harness.data.scan import BadScan, Scan, read_scan
from tests.data.conftest import FAST, mni

PATH = Path("scan.nii.gz")


def looks(image: np.ndarray, inside: np.ndarray, modality: str) -> bool:
    """Whether an image passes for its modality."""
    try:
        contrast.check(modality, image, inside, mni(), mni().packed(FAST), PATH)
    except BadScan:
        return False
    return True


def test_correlation_by_hand():
    grid = mni().packed(FAST)
    target = mni().at(4.0)
    rng = np.random.default_rng(0)
    image = target.image + 0.2 * rng.standard_normal(target.image.shape).astype(np.float32)
    values, wanted = image[target.mask], target.image[target.mask]
    expected = ((values - values.mean()) * (wanted - wanted.mean())).mean() / values.std() / wanted.std()
    assert contrast.correlation(image, target.mask, mni(), grid) == pytest.approx(expected, rel=1e-4)
    assert contrast.correlation(-image, target.mask, mni(), grid) == pytest.approx(-expected, rel=1e-4)
    assert contrast.correlation(image, np.zeros_like(target.mask), mni(), grid) == 0


def test_simulated_scans(extracted_scan):
    place = locate(extracted_scan, mni(), FAST)
    image, inside = resample(place, mni(), FAST)
    turned = np.where(inside, 1.05 - image, 0)
    assert looks(image, inside, "t1")
    assert not looks(image, inside, "t2")
    assert looks(turned, inside, "t2")
    assert not looks(turned, inside, "t1")
    with pytest.raises(BadScan, match=r"scan\.nii\.gz: is given as T1 but looks T2-weighted .*; "):
        contrast.check("t1", turned, inside, mni(), mni().packed(FAST), PATH)


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
