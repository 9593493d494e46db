"""Layouts find every subject of the public data sets by file name, with the oddities those data sets have."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.data import layout
from harness.errors import HarnessError


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_layouts_are_the_files_there():
    assert {"camcan", "atlas", "brats"} <= set(layout.names())
    for name in layout.names():
        kind = layout.load(name)
        assert kind.expected
        assert kind.subjects(Path(__file__).parent) == []


def test_unknown_layout_names_the_known_ones():
    with pytest.raises(HarnessError, match=r"adni.*atlas, brats, camcan"):
        layout.load("adni")


def test_camcan(tmp_path):
    anat = "cc700/mri/pipeline/release004/BIDS_20190411/anat"
    touch(
        tmp_path,
        f"{anat}/sub-CC110037/anat/sub-CC110037_T1w.nii.gz",
        f"{anat}/sub-CC110037/anat/sub-CC110037_T2w.nii.gz",
        f"{anat}/sub-CC110033/anat/sub-CC110033_T1w.nii",
        f"{anat}/sub-CC110033/anat/sub-CC110033_T1w.json",
        f"{anat}/participants.tsv",
        ".cache/sub-CC999999_T1w.nii.gz",
    )
    first, second = layout.load("camcan").subjects(tmp_path)
    assert (first.subject, first.t1, first.t2, first.mask) == (
        "sub-CC110033",
        Path(anat, "sub-CC110033/anat/sub-CC110033_T1w.nii"),
        None,
        None,
    )
    assert second.t2 == Path(anat, "sub-CC110037/anat/sub-CC110037_T2w.nii.gz")


def test_the_same_scan_twice_is_refused(tmp_path):
    touch(tmp_path, "a/sub-CC110033_T1w.nii.gz", "b/sub-CC110033_T1w.nii.gz")
    with pytest.raises(HarnessError, match=r"a/sub-CC110033_T1w\.nii\.gz"):
        layout.load("camcan").subjects(tmp_path)


def test_both_suffixes_in_one_folder_are_one_scan(tmp_path):
    touch(tmp_path, "a/sub-CC110033_T1w.nii.gz", "a/sub-CC110033_T1w.nii")
    assert len(layout.load("camcan").subjects(tmp_path)) == 1


def test_linked_folders_are_followed_once(tmp_path):
    touch(tmp_path / "elsewhere", "sub-CC110033/sub-CC110033_T1w.nii.gz")
    root = tmp_path / "root"
    root.mkdir()
    (root / "data").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(root)
    assert [files.subject for files in layout.load("camcan").subjects(root)] == ["sub-CC110033"]


def test_atlas_leaves_out_the_testing_folder(tmp_path):
    def name(subject: str, what: str) -> str:
        folder = f"R{subject[:3]}/sub-r{subject[:3]}s{subject[3:]}/ses-1/anat"
        return f"{folder}/sub-r{subject[:3]}s{subject[3:]}_ses-1_space-MNI152NLin2009aSym_{what}.nii.gz"

    touch(
        tmp_path,
        "ATLAS_2/Training/" + name("001001", "T1w"),
        "ATLAS_2/Training/" + name("001001", "label-L_desc-T1lesion_mask"),
        "ATLAS_2/Training/" + name("052002", "T1w"),
        "ATLAS_2/Testing/" + name("002001", "T1w"),
    )
    with_mask, without = layout.load("atlas").subjects(tmp_path)
    assert with_mask.subject == "sub-r001s001"
    assert with_mask.mask is not None
    assert "lesion_mask" in with_mask.mask.name
    assert (without.subject, without.mask) == ("sub-r052s002", None)


def test_brats_takes_both_suffixes_and_the_odd_mask_of_355(tmp_path):
    top = "MICCAI_BraTS2020_TrainingData"
    for number, suffix in (("001", ".nii.gz"), ("355", ".nii")):
        name = f"BraTS20_Training_{number}"
        touch(tmp_path, *(f"{top}/{name}/{name}_{scan}{suffix}" for scan in ("t1", "t1ce", "t2", "flair")))
    touch(tmp_path, f"{top}/BraTS20_Training_001/BraTS20_Training_001_seg.nii.gz")
    touch(tmp_path, f"{top}/BraTS20_Training_355/W39_1998.09.19_Segm.nii")
    usual, odd = layout.load("brats").subjects(tmp_path)
    assert usual.t1 == Path(top, "BraTS20_Training_001/BraTS20_Training_001_t1.nii.gz")
    assert usual.mask == Path(top, "BraTS20_Training_001/BraTS20_Training_001_seg.nii.gz")
    assert odd.t2 == Path(top, "BraTS20_Training_355/BraTS20_Training_355_t2.nii")
    assert odd.mask == Path(top, "BraTS20_Training_355/W39_1998.09.19_Segm.nii")


@pytest.mark.parametrize(("name", "t1", "t2", "masks"), [("camcan", 24, 8, 0), ("atlas", 8, 0, 8), ("brats", 2, 2, 2)])
def test_real_folders(mri_mini, name, t1, t2, masks):
    found = layout.load(name).subjects(mri_mini / name)
    assert [sum(getattr(files, kind) is not None for files in found) for kind in ("t1", "t2", "mask")] == [
        t1,
        t2,
        masks,
    ]
    for files in found:
        for path in (files.t1, files.t2, files.mask):
            assert path is None or (mri_mini / name / path).is_file()
