"""Reading scans and labels that are whole; tests/data/test_bad_input.py has those that are not."""

from __future__ import annotations

import numpy as np
import pytest

from harness.data.scan import BadScan, read_labels, read_scan
from tests.data.conftest import nifti, random_volume


def test_one_volume_with_a_fourth_axis_is_read(tmp_path):
    scan = read_scan(nifti(tmp_path / "scan.nii", random_volume((12, 13, 14, 1))))
    assert scan.data.shape == (12, 13, 14)
    np.testing.assert_allclose(scan.spacing, 2)


def test_labels_must_lie_on_the_grid_of_the_scan(tmp_path):
    scan = read_scan(nifti(tmp_path / "scan.nii", random_volume()))
    labels = np.zeros((12, 13, 14), np.uint8)
    labels[4:6, 4:6, 4:6] = 4
    assert set(np.unique(read_labels(nifti(tmp_path / "ok.nii", labels), scan).data)) == {0, 4}
    with pytest.raises(BadScan, match="shape"):
        read_labels(nifti(tmp_path / "shape.nii", labels[1:]), scan)
    with pytest.raises(BadScan, match="off the grid"):
        read_labels(nifti(tmp_path / "shift.nii", labels, np.array(np.diag([2.0, 2, 2, 1])) + np.eye(4, k=3) * 5), scan)
    with pytest.raises(BadScan, match="whole numbers"):
        read_labels(nifti(tmp_path / "half.nii", labels * np.float32(0.3)), scan)
