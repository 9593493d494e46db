"""Reading scans and labels that are whole; tests/data/test_bad_input.py has those that are not."""

from __future__ import annotations

import nibabel
import numpy as np

from tests.data.conftest import nifti, random_volume
from uadbench.data.preprocessing.reading.scan import read_labels, read_scan


def test_one_volume_with_a_fourth_axis_is_read(tmp_path):
    scan = read_scan(nifti(tmp_path / "scan.nii", random_volume((12, 13, 14, 1))))
    assert scan.data.shape == (12, 13, 14)
    np.testing.assert_allclose(scan.grid.spacing, 2)


def test_labels_on_the_grid_of_the_scan_are_read(tmp_path):
    scan = read_scan(nifti(tmp_path / "scan.nii", random_volume()))
    labels = np.zeros((12, 13, 14), np.uint8)
    labels[4:6, 4:6, 4:6] = 4
    assert set(np.unique(read_labels(nifti(tmp_path / "ok.nii", labels), scan).data)) == {0, 4}


def test_labels_in_another_order_of_axes_are_reordered(tmp_path):
    """An asymmetric marker lies where its header says, however it is stored."""
    affine = np.array([[2.0, 0.1, 0, -20], [-0.1, 2, 0, -30], [0, 0, 2.5, -10], [0, 0, 0, 1]])
    scan = read_scan(nifti(tmp_path / "scan.nii", random_volume(), affine))
    labels = np.zeros((12, 13, 14), np.uint8)
    labels[2:4, 5, 9:12] = 1
    labels[7, 1, 3] = 2
    for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        for flips in ((), (0,), (1, 2), (0, 1, 2)):
            stored, matrix = labels.transpose(order), np.eye(4)[:, [*order, 3]]
            for axis in flips:
                stored = np.flip(stored, axis)
                turn = np.eye(4)
                turn[axis, axis], turn[axis, 3] = -1, stored.shape[axis] - 1
                matrix = matrix @ turn
            found = read_labels(nifti(tmp_path / "mask.nii", np.ascontiguousarray(stored), affine @ matrix), scan)
            np.testing.assert_array_equal(found.data, labels)


def test_a_header_without_orientation_is_known(tmp_path):
    """NIfTI with both codes 0, and Analyze, which has none; the order of the voxels is a guess then."""
    data = random_volume()
    assert read_scan(nifti(tmp_path / "stated.nii.gz", data)).oriented
    image = nibabel.Nifti1Image(data, None)
    image.header.set_zooms((2, 2, 2))
    image.to_filename(tmp_path / "plain.nii.gz")
    assert not read_scan(tmp_path / "plain.nii.gz").oriented
    nibabel.AnalyzeImage(data, np.diag([2.0, 2, 2, 1])).to_filename(tmp_path / "old.img")
    assert not read_scan(tmp_path / "old.img").oriented
    image.set_qform(np.diag([2.0, 2, 2, 1]), code=1)
    image.to_filename(tmp_path / "qform.nii.gz")
    assert read_scan(tmp_path / "qform.nii.gz").oriented
