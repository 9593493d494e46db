"""From the scan to the template's grid and back: edges of the brain, places, headers."""

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.data.conftest import FAST, POSE, dice, mni, nifti
from uadbench.core.errors import HarnessError
from uadbench.data.grid import Grid
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.reading.scan import Scan
from uadbench.data.preprocessing.registration import transform
from uadbench.data.preprocessing.registration.registration import Located, locate
from uadbench.data.preprocessing.registration.template import Template
from uadbench.data.preprocessing.registration.transform import Placement, lift, prepare_scan, resample
from uadbench.data.preprocessing.settings import Preprocessing


@pytest.mark.parametrize("spacing", [2.0, 4.0])
def test_a_map_goes_back_to_where_it_came_from(spacing):
    """A blob marked in the scan, taken to the template and back, lies where it was; shape and affine are the scan's."""
    affine = np.array([[0, 0, -3.0, 90], [2.5, 0.1, 0, -110], [0, 2.5, 0.2, -100], [0, 0, 0, 1]])
    native = Grid((90, 85, 62), affine)
    grid = mni().grid(spacing)
    centre = POSE @ [10.0, -20, 15, 1]
    voxels = affine @ np.vstack([np.indices(native.shape).reshape(3, -1), np.ones((1, np.prod(native.shape)))])
    blob = np.exp(-((voxels[:3] - centre[:3, None]) ** 2).sum(axis=0) / 200).reshape(native.shape)
    packed = geometry.sample(blob, affine, grid, POSE).transpose(2, 1, 0)
    back = Placement(native, grid, POSE).to_native(packed)
    assert back.shape == native.shape
    np.testing.assert_array_equal(back.affine, affine)
    data = np.asarray(back.dataobj)
    weight = data / data.sum()
    mean = (voxels[:3].reshape(3, *native.shape) * weight).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(mean, centre[:3], atol=0.3)
    assert data.max() == pytest.approx(1, abs=0.1 if spacing == 4 else 0.04)


def test_prepare_scan_gives_what_is_packed_and_the_way_back(tmp_path, extracted_scan):
    path = nifti(tmp_path / "scan.nii.gz", extracted_scan.data, extracted_scan.affine)
    brain = extracted_scan.data > 0
    brain[: np.argwhere(brain)[:, 0].min() + 2] = False
    known = nifti(tmp_path / "brain.nii.gz", brain.astype(np.uint8), extracted_scan.affine)
    volume, placement = prepare_scan(path, FAST, "t1", brain=known)
    assert np.array_equal(placement.brain, brain)
    assert volume.dtype == np.float32
    assert volume.shape == mni().grid(4.0).shape[::-1]
    back = np.asarray(placement.to_native(volume).dataobj)
    both = (back > 0) & (extracted_scan.data > 0)
    assert dice(back > 0, extracted_scan.data > 0) > 0.9
    assert np.corrcoef(back[both], extracted_scan.data[both])[0, 1] > 0.85
    with pytest.raises(HarnessError, match=r"gone\.nii"):
        prepare_scan(tmp_path / "gone.nii", FAST, "t1")


def test_an_unforeseen_fault_is_of_the_scan(tmp_path, extracted_scan, monkeypatch):
    nifti(tmp_path / "a.nii.gz", extracted_scan.data, extracted_scan.affine)

    def broken(*_: object) -> None:
        raise IndexError("index -1 is out of bounds")

    monkeypatch.setattr(transform, "locate", broken)
    with pytest.raises(HarnessError, match=r"a\.nii\.gz: IndexError: index -1 is out of bounds; look at the scan"):
        prepare_scan(tmp_path / "a.nii.gz", FAST, "t1")


def test_prepare_scan_refuses_another_contrast(tmp_path, extracted_scan):
    """As preprocessing refuses it."""
    turned = np.where(extracted_scan.data > 0, 900 - extracted_scan.data, 0).astype(np.float32)
    path = nifti(tmp_path / "t2.nii.gz", turned, extracted_scan.affine)
    with pytest.raises(HarnessError, match=r"t2\.nii\.gz: is given as T1 but looks T2-weighted"):
        prepare_scan(path, FAST, "t1")


@pytest.mark.parametrize("kind", ["of the brain", "of the volume"])
def test_a_z_scored_brain_keeps_its_contrast(tmp_path, extracted_scan, kind):
    """Of a brain scored by itself, half is below 0, where grey values used to end: they are lifted."""
    data = extracted_scan.data
    inside = data > 0
    chosen = data[inside] if kind == "of the brain" else data
    scored = ((data - chosen.mean()) / chosen.std()).astype(np.float32)
    if kind == "of the brain":
        scored[~inside] = 0
    plain, _ = prepare_scan(nifti(tmp_path / "plain.nii.gz", data, extracted_scan.affine), FAST, "t1")
    volume, _ = prepare_scan(nifti(tmp_path / "z.nii.gz", scored, extracted_scan.affine), FAST, "t1")
    both = (plain > 0) & (volume > 0)
    assert both.sum() > 0.97 * max((plain > 0).sum(), (volume > 0).sum())
    assert np.corrcoef(plain[both], volume[both])[0, 1] > 0.99
    assert (volume[both] <= 0.0011).mean() < 0.01
    below, zero = lift(locate(Scan(tmp_path / "z.nii.gz", scored, extracted_scan.affine), mni(), FAST))
    if kind == "of the brain":
        assert 0.2 < below < 0.7
        assert np.quantile(scored[inside], 0.0005) <= zero <= np.quantile(scored[inside], 0.002)
    else:
        assert (below, zero) == (0, 0)  # the mean of the volume, air included, is below the whole brain


def test_a_little_below_0_is_left(extracted_scan):
    """As interpolation leaves it around edges: less than one voxel in fifty."""
    data = extracted_scan.data.copy()
    places = np.flatnonzero(data > 0)[::100]
    data.flat[places] = -3
    assert lift(locate(Scan(extracted_scan.path, data, extracted_scan.affine), mni(), FAST))[1] == 0


def test_a_map_has_the_header_of_its_scan(tmp_path, extracted_scan):
    """Its place is the scan's for programs that read sform as for those that read qform, even where the two differ."""
    image = nibabel.Nifti1Image(extracted_scan.data, extracted_scan.affine)
    turned = extracted_scan.affine.copy()
    turned[:3, 3] += 7
    image.set_qform(turned, code=1)
    image.set_sform(extracted_scan.affine, code=2)
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_data_dtype(np.int16)
    image.to_filename(tmp_path / "scan.nii.gz")
    volume, placement = prepare_scan(tmp_path / "scan.nii.gz", FAST, "t1")
    placement.to_native(volume).to_filename(tmp_path / "map.nii.gz")
    scan, found = (nibabel.load(tmp_path / f"{name}.nii.gz") for name in ("scan", "map"))
    for code in ("sform_code", "qform_code", "xyzt_units"):
        assert found.header[code] == scan.header[code]
    np.testing.assert_allclose(found.get_qform(), scan.get_qform(), atol=1e-4)
    np.testing.assert_allclose(found.get_sform(), scan.get_sform(), atol=1e-4)
    assert found.get_data_dtype() == np.float32
    assert 0 < np.asarray(found.dataobj).max() <= 1


def packed(edges: str) -> tuple[np.ndarray, np.ndarray]:
    """A line through a brain of 10 voxels (grey 2, in the middle 4), shifted by .7 voxels: ends have shares .3, .7."""
    data = np.zeros((20, 12, 12), np.float32)
    data[5:15, 3:9, 3:9] = 2
    data[9:11, 3:9, 3:9] = 4
    shift = np.eye(4)
    shift[0, 3] = 0.7
    brain = data > 0
    template = Template("block", np.ones_like(data), np.ones_like(brain), np.eye(4))
    scan = Scan(Path("block.nii"), data, np.eye(4))
    fields = Located.__dataclass_fields__
    place = Located(**{**dict.fromkeys(fields), "scan": scan, "inside": brain, "matrix": shift})
    chosen = replace(Preprocessing(spacing=1.0, normalisation="max"), edges=edges)
    image, inside = resample(place, template, chosen)
    middle = tuple(side // 2 for side in image.shape[1:])
    return image[:, middle[0], middle[1]], inside[:, middle[0], middle[1]]


def test_shared_edges_hold_the_brains_own_values():
    image, inside = packed("shared")
    assert inside.sum() == 10  # ten voxels, the one with a share of .7 in place of that with .3
    np.testing.assert_allclose(image[inside][[0, -1]], 2 / 4, atol=1e-5)


def test_plain_edges_have_a_rim_of_partial_volume():
    image, inside = packed("plain")
    assert inside.sum() == 11
    ends = sorted(image[inside][[0, -1]].tolist())
    np.testing.assert_allclose(ends, [0.3 * 2 / 4, 0.7 * 2 / 4], atol=1e-5)
    assert (image[~inside] == 0).all()
