"""Reading scans and labels: whole ones, other formats, every kind of damage. Broken NIfTI: test_bad_input.py."""

import gzip

import nibabel
import numpy as np
import pytest
from nibabel.filebasedimages import ImageFileError

from tests.data.conftest import nifti, random_volume
from uadbench.data.preprocessing.reading import volume
from uadbench.data.preprocessing.reading.scan import BadScan, read_labels, read_scan


def test_one_volume_with_a_fourth_axis_is_read(tmp_path):
    scan = read_scan(nifti(tmp_path / "scan.nii", random_volume((12, 13, 14, 1))))
    assert scan.data.shape == (12, 13, 14)
    np.testing.assert_allclose(scan.grid.spacing, 2)


def test_a_disk_that_fails_once_is_no_other_format(tmp_path, monkeypatch):
    """Nibabel takes it for one."""
    path, load = nifti(tmp_path / "scan.nii.gz", random_volume()), volume.load
    faults = [ImageFileError("Cannot work out file type")]
    monkeypatch.setattr(volume, "load", lambda path: load(path) if not faults else (_ for _ in ()).throw(faults.pop()))
    assert volume.read_volume(path)[0].shape == (12, 13, 14)
    faults += [ImageFileError("Cannot work out file type")] * 2
    with pytest.raises(BadScan, match="Cannot work out file type"):
        volume.read_volume(path)


def test_a_shape_that_is_none_is_said_in_plain_numbers(tmp_path):
    nibabel.save(nibabel.MGHImage(np.zeros((1, 8, 9), np.float32), np.eye(4)), tmp_path / "flat.mgz")
    with pytest.raises(BadScan, match=r"has shape \(1, 8, 9\); give one volume"):
        volume.read_volume(tmp_path / "flat.mgz")


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


FOREIGN = {
    "scan.nrrd": (b"NRRD0005\ntype: short\n\n", "is NRRD, no NIfTI image; convert"),
    "scan.mha": (b"ObjectType = Image\nNDims = 3\n", "is MetaImage.*convert"),
    "scan.dcm": (bytes(128) + b"DICM", "is DICOM.*dcm2niix"),
    "scan.nii.gz": (gzip.compress(gzip.compress(bytes(400))), "is compressed twice.*gunzip"),
    "lfs.nii.gz": (b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS.*git lfs pull"),
    "annex.nii.gz": (b"/annex/objects/MD5E-s1--0.nii.gz\n", "pointer of git-annex.*datalad get"),
    "unlocked.nii.gz": (b"../.git/annex/objects/x/MD5E-s1--0.nii.gz\n", "pointer of git-annex.*datalad get"),
    "page.nii.gz": (b"<!DOCTYPE html><html>Log in</html>", "is a web page.*download the file itself"),
    "archive.nii": (b"PK\x03\x04", "is a ZIP archive.*unpack"),
    "array.nii": (b"\x93NUMPY\x01\x00", "is a NumPy array.*affine"),
    "matlab.nii": (b"MATLAB 5.0 MAT-file", "is a MATLAB file.*NIfTI"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_other_formats_are_named_with_a_remedy(tmp_path, name):
    content, message = FOREIGN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadScan, match=message) as error:
        read_scan(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_link_of_git_annex_without_content_is_named(tmp_path):
    (tmp_path / "scan.nii.gz").symlink_to(".git/annex/objects/aa/MD5E-s1--0.nii.gz")
    with pytest.raises(BadScan, match="link of git-annex without its content; fetch it: datalad get"):
        read_scan(tmp_path / "scan.nii.gz")


def damaged(whole: bytes, kind: str, place: float) -> bytes:
    at = int(place * (len(whole) - 32)) + 12
    return {
        "bit": whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :],
        "byte lost": whole[:at] + whole[at + 1 :],
        "zeros": whole[:at] + bytes(16) + whole[at + 16 :],
        "other end": whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:],
        "cut": whole[:-4],
    }[kind]


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("kind", ["bit", "byte lost", "zeros", "other end", "cut"])
def test_no_damage_to_a_compressed_scan_is_read_over(tmp_path, kind, level):
    volume = random_volume((24, 25, 26))
    nifti(tmp_path / "whole.nii", volume)
    whole = gzip.compress((tmp_path / "whole.nii").read_bytes(), level, mtime=0)
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(whole)
    np.testing.assert_array_equal(read_scan(path).data, volume)
    for place in (0.05, 0.3, 0.6, 0.9, 1.0):
        path.write_bytes(damaged(whole, kind, place))
        with pytest.raises(BadScan, match=r"copy or download it again|no NIfTI image"):
            read_scan(path)


def test_a_background_of_nan_is_a_background(tmp_path):
    volume = random_volume((12, 13, 14)) + 1
    volume[:2] = volume[:, :, -1] = np.nan
    scan = read_scan(nifti(tmp_path / "scan.nii.gz", volume))
    np.testing.assert_array_equal(scan.data, np.nan_to_num(volume))
    labels = np.where(np.isnan(volume), np.nan, 0).astype(np.float32)
    labels[5, 5, 5] = 3
    found = read_labels(nifti(tmp_path / "mask.nii.gz", labels), scan).data
    assert found[5, 5, 5] == 3
    assert found.sum() == 3


def test_nan_inside_of_the_head_is_no_background(tmp_path):
    volume = random_volume((12, 13, 14)) + 1
    volume[0] = volume[6, 6, 6] = np.nan
    with pytest.raises(BadScan, match="1 voxels are not finite"):
        read_scan(nifti(tmp_path / "scan.nii.gz", volume))
