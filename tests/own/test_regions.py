"""Names of regions by an atlas of hand-made numbers, and atlases that cannot be used."""

import nibabel
import numpy as np
import pytest

from uadbench.core.errors import HarnessError
from uadbench.own.regions import read

AFFINE = np.array([[-2.0, 0, 0, 10], [0, 0, 3, -6], [0, 3, 0, 0], [0, 0, 0, 1]])  # x to the left, y and z exchanged
NAMES = "index\tname\n0\tbackground\n3\tthalamus\n12\tNA\n"


@pytest.fixture
def atlas(tmp_path):
    numbers = np.zeros((4, 5, 6), np.uint8)
    numbers[1, 2, 3], numbers[2, 2, 3], numbers[0, 0, 0] = 3, 12, 12
    nibabel.Nifti1Image(numbers, AFFINE).to_filename(tmp_path / "own_dseg.nii.gz")
    (tmp_path / "own_dseg.tsv").write_text(NAMES)
    return tmp_path / "own_dseg.nii.gz"


def millimetres(*voxels):
    return (AFFINE[:3, :3] @ np.array(voxels, float).T) + AFFINE[:3, 3:]


def test_most_of_the_points_decide_and_those_outside_do_not(atlas):
    found = read(atlas)
    assert found.region(millimetres((1, 2, 3))) == "thalamus"
    assert found.region(millimetres((2.4, 2, 3), (1.6, 2.4, 3), (1, 2, 3))) == "NA"
    assert found.region(millimetres((1, 2, 3), (1, 1, 1), (3, 3, 3), (2, 2, 9), (-4, 0, 0))) == "thalamus"
    assert found.region(millimetres((1, 1, 1))) == ""
    assert found.region(millimetres((-1, 0, 0), (4, 0, 0), (0, 5, 0), (0, 0, 600))) == ""


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (None, "there is no"),
        ("index\tname\n3\tthalamus\n", "has no name for 12"),
        ("number\tname\n3\tthalamus\n", "columns index and name"),
        ("index,name\n3,thalamus\n12,NA\n", "separated by tabs"),
        ("index\tname\nthree\tthalamus\n", "columns index and name"),
        ("", "columns index and name"),
    ],
)
def test_an_atlas_without_a_table_of_its_numbers_is_refused(atlas, table, said):
    path = atlas.with_name("own_dseg.tsv")
    path.unlink() if table is None else path.write_text(table)
    with pytest.raises(HarnessError, match=said) as error:
        read(atlas)
    assert path.name in str(error.value)


@pytest.mark.parametrize("value", [0.5, -1.0, np.nan])
def test_maps_of_other_values_are_refused(atlas, value):
    nibabel.Nifti1Image(np.full((2, 2, 2), value, np.float32), AFFINE).to_filename(atlas)
    with pytest.raises(HarnessError, match=atlas.name):
        read(atlas)


def test_a_missing_atlas_is_named(tmp_path):
    with pytest.raises(HarnessError, match=r"--atlas .*none\.nii"):
        read(tmp_path / "none.nii")
