"""Files that are damaged or of another format are named as what they are; every compressed one is read to its end."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from tests.data.conftest import nifti, random_volume
from uadbench.data.preprocessing.reading.scan import BadScan, read_labels, read_scan

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
