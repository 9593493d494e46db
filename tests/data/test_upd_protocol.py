"""The preprocessing of UPD_study: the template's centre square as 128 x 128 pixels, the maximum, labels above 0.4."""

import nibabel
import numpy as np
import pytest
import yaml

from tests.data.conftest import mni, nifti
from uadbench.core.files import read_json
from uadbench.core.study_folder import SUBJECT
from uadbench.data.grid import Grid
from uadbench.data.index import sheet
from uadbench.data.index.layout import Files
from uadbench.data.packing import pack
from uadbench.data.packing.store import Store
from uadbench.data.preprocessing import preprocess
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.registration.template import Template
from uadbench.data.preprocessing.settings import Preprocessing, settings
from uadbench.methods.settings import resolve

UPD = settings({"protocol": "upd"})


def test_slices_are_the_centre_square():
    """SRI24, as UPD_study uses it, has 240 x 240 x 155 voxels of 1 mm: pixels of 1.875 mm, all slices kept."""
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = (-120, -140, -70)
    sri24 = Template("sri24", np.zeros((240, 240, 155), np.float32), np.zeros((240, 240, 155), bool), affine)
    grid = sri24.packed(UPD)
    assert grid.shape == (128, 128, 155)
    np.testing.assert_allclose(grid.spacing, (1.875, 1.875, 1.0))
    outer = list(geometry.extent(grid.shape, grid.affine))
    np.testing.assert_allclose(outer[0] - grid.spacing / 2, affine[:3, 3] - 0.5)
    np.testing.assert_allclose(outer[1] + grid.spacing / 2, affine[:3, 3] + (240, 240, 155) - np.array(0.5))


def test_an_oblong_field_is_cropped_to_its_shorter_side():
    template = mni()
    grid = template.packed(UPD)
    width = min(template.image.shape[:2])
    assert template.voxels(grid) == pytest.approx(template.image.size / (width / 128) ** 2, rel=1e-6)
    np.testing.assert_allclose(grid.spacing, (width / 128, width / 128, 1.0), rtol=1e-6)
    middles = [
        np.mean(geometry.extent(shape, affine), axis=0)
        for shape, affine in ((grid.shape, grid.affine), (template.image.shape, template.affine))
    ]
    np.testing.assert_allclose(*middles, atol=1e-6)


def test_the_papers_own_rows_have_its_preprocessing_in_full_resolution(root):
    """Naval Marimont et al. 2024, section 3: that of UPD_study, and patches of 128 x 128; the template's own voxels."""
    config = yaml.safe_load((root / "config" / "paper-own.yaml").read_text(encoding="utf-8"))
    chosen = settings({**config["preprocessing"], "template": "mni152"})
    assert chosen == Preprocessing(normalisation="max", brain="robex", labels="above_0.4", edges="twice")
    grid = mni().packed(chosen)
    np.testing.assert_allclose(grid.spacing, 1.0)
    voxels = np.linalg.inv(mni().affine) @ grid.affine[:, 3]
    np.testing.assert_allclose(voxels, voxels.round(), atol=1e-6)
    assert set(config["methods"]) == {"disyre", "mood22", "intensity", "random"}
    for name in ("disyre", "mood22"):
        assert resolve(name, "t1", config.get("params")).params.patch == 128


def test_labels_count_above_four_tenths_as_numbers():
    """Half a voxel of class 1 counts, and a tenth and more of class 4: the classes are numbers (UPD_study)."""
    labels = np.zeros((6, 1, 2), np.uint8)
    labels[2, 0, 0], labels[2, 0, 1] = 1, 4
    padded = np.pad(labels, ((0, 0), (2, 2), (2, 2)))
    grid = Grid((5, 1, 2), np.eye(4))
    for shift, ones, fours in ((0.5, [0, 1, 1, 0, 0], [0, 1, 1, 0, 0]), (0.85, [0, 1, 0, 0, 0], [0, 1, 1, 0, 0])):
        matrix = np.eye(4)
        matrix[:3, 3] = (shift, 2, 2)
        found = geometry.sample_labels(padded, np.eye(4), grid, matrix, UPD.labels)
        assert found[:, 0, 0].tolist() == ones
        assert found[:, 0, 1].tolist() == fours


@pytest.fixture(scope="module")
def packed(tmp_path_factory, extracted_scan):
    """One subject with a class-4 lesion, through preprocessing and packing with coarse slices."""
    folder = tmp_path_factory.mktemp("upd")
    mask = np.zeros(extracted_scan.data.shape, np.uint8)
    middle = tuple(int(v) for v in np.argwhere(extracted_scan.data > 0).mean(axis=0))
    mask[tuple(slice(v - 4, v + 4) for v in middle)] = 4
    files = Files(
        "a",
        nifti(folder / "t1.nii", extracted_scan.data, extracted_scan.affine).relative_to(folder),
        None,
        nifti(folder / "mask.nii", mask, extracted_scan.affine).relative_to(folder),
    )
    written = sheet.write(folder / "subjects.csv", folder, [(files, "test")])
    chosen = settings({"protocol": "upd", "side": 48, "spacing": 4.0})
    outcomes = list(preprocess.preprocess(written, written.rows, folder / "registered", chosen))
    assert [outcome.status for outcome in outcomes] == ["done"]
    pack.pack("mine", written, folder / "registered", outcomes, folder / "packed", 0.0)
    return folder, mask, chosen


def test_packed_arrays_are_square_and_reach_one(packed, extracted_scan):
    folder, mask, chosen = packed
    store = Store.open(folder / "packed")
    images, labels = store.images("t1"), store.labels()
    assert images.shape[2:] == (48, 48)
    assert store.spacing == pytest.approx(197 / 48, rel=1e-4)
    voxel_ml = Grid((), store.affine).voxel_ml
    assert voxel_ml == pytest.approx((197 / 48) ** 2 * 4 / 1000, rel=1e-3)
    assert float(images.max()) == 1.0
    assert set(np.unique(labels)) == {0, 1}
    record = read_json(folder / "registered" / "a" / SUBJECT)
    way = (mask, extracted_scan.affine, mni().packed(chosen), np.array(record["template_to_scan"]["t1"]), "above_0.4")
    once, twice = geometry.sample_labels(*way), geometry.sample_labels(*way, mni().own)
    assert (twice == labels[0].T).all()
    assert (once != twice).any()
    image = nibabel.load(folder / "registered" / "a" / "mask.nii.gz")
    np.testing.assert_allclose(image.header.get_zooms()[:2], store.spacing, rtol=1e-4)
    # A class of 4 counts from a tenth of a voxel on, so the lesion can only grow.
    expansion = 1 / 0.94**3
    before = mask.astype(bool).sum() * 3.5**3 / 1000 * expansion
    assert before < labels.sum() * voxel_ml < 2.2 * before
