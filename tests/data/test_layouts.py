"""Layouts find every subject of the public data sets by file name, with the oddities those data sets have."""

import json
from pathlib import Path

import pytest

from tests.commands import call
from tests.data.conftest import found, touch
from uadbench.core.errors import HarnessError
from uadbench.data.index import layout, sheet
from uadbench.data.index.layouts import nnunet


def test_layouts_are_the_files_there():
    assert {"camcan", "atlas", "brats"} <= set(layout.LAYOUTS.names())
    for name in layout.LAYOUTS.names():
        kind = layout.load(name)
        assert kind.expected
        if not kind.reads_file:
            assert kind.subjects(Path(__file__).parent) == []


def test_unknown_layout_names_the_known_ones():
    with pytest.raises(HarnessError, match=r"adni.*atlas, bids, brats, brats2021, camcan"):
        layout.load("adni")


CAMCAN = "cc700/mri/pipeline/release004/BIDS_20190411/anat/sub-CC1100{0}/anat/sub-CC1100{0}_{1}".format
ATLAS = "ATLAS_2/{0}/R{1}/{2}/ses-1/anat/{2}_ses-1_space-MNI152NLin2009aSym_{3}.nii.gz".format
BRATS = "MICCAI_BraTS2020_TrainingData/BraTS20_Training_{0}/{1}".format
#: files of a release that are not taken, and T1, T2 and mask of each subject
RELEASES = {
    "camcan": (
        [".cache/sub-CC999999_T1w.nii.gz", CAMCAN("33", "T1w.json"), "cc700/participants.tsv"],
        {
            "sub-CC110033": (CAMCAN("33", "T1w.nii"), "", ""),
            "sub-CC110037": (CAMCAN("37", "T1w.nii.gz"), CAMCAN("37", "T2w.nii.gz"), ""),
        },
    ),
    "atlas": (
        [ATLAS("Testing", "002", "sub-r002s001", "T1w")],
        {
            "sub-r001s001": (
                ATLAS("Training", "001", "sub-r001s001", "T1w"),
                "",
                ATLAS("Training", "001", "sub-r001s001", "label-L_desc-T1lesion_mask"),
            ),
            "sub-r052s002": (ATLAS("Training", "052", "sub-r052s002", "T1w"), "", ""),
        },
    ),
    "brats": (  # both suffixes, and the odd mask of 355
        [BRATS("001", "BraTS20_Training_001_t1ce.nii.gz"), BRATS("355", "BraTS20_Training_355_flair.nii")],
        {
            "BraTS20_Training_001": tuple(
                BRATS("001", f"BraTS20_Training_001_{kind}.nii.gz") for kind in ("t1", "t2", "seg")
            ),
            "BraTS20_Training_355": tuple(
                BRATS("355", name)
                for name in ("BraTS20_Training_355_t1.nii", "BraTS20_Training_355_t2.nii", "W39_1998.09.19_Segm.nii")
            ),
        },
    ),
    "ixi": (
        ["IXI012-HH-1211-PD.nii.gz", "IXI-T1.tar"],
        {
            "IXI002": ("IXI002-Guys-0828-T1.nii.gz", "T2/IXI002-Guys-0828-T2.nii.gz", ""),
            "IXI012": ("IXI012-HH-1211-T1.nii.gz", "", ""),
        },
    ),
    "ljubljana": (  # the scans on one grid
        [f"patient01/{name}.nii.gz" for name in ("raw/patient01_T1W", "raw/patient01_T2W", "patient01_T1WKS")],
        {"patient01": tuple(f"patient01/patient01_{kind}.nii.gz" for kind in ("T1W", "T2W", "consensus_gt"))},
    ),
}


@pytest.mark.parametrize("name", RELEASES)
def test_subjects_of_a_release_are_found_by_name(tmp_path, name):
    others, subjects = RELEASES[name]
    touch(tmp_path, *others, *(path for paths in subjects.values() for path in paths if path))
    assert found(name, tmp_path) == [(subject, *paths) for subject, paths in subjects.items()]
    assert not any(files.problem for files in layout.load(name).subjects(tmp_path))


def test_the_same_scan_twice_is_a_problem_of_its_subject_alone(tmp_path):
    touch(tmp_path, "a/sub-CC110033_T1w.nii.gz", "b/sub-CC110033_T1w.nii.gz", "b/sub-CC110037_T1w.nii.gz")
    double, single = layout.load("camcan").subjects(tmp_path)
    assert "a/sub-CC110033_T1w.nii.gz and b/sub-CC110033_T1w.nii.gz" in double.problem
    assert single.problem == ""


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


def test_visits_of_a_patient_are_subjects_of_their_own(tmp_path):
    """Sessions of ATLAS, visits of BraTS; two scans of one number in IXI are a problem, in one folder as well."""
    end = "space-MNI152NLin2009aSym_T1w.nii.gz"
    names = [f"sub-r001s001_ses-{visit}_{end}" for visit in (1, 2)]
    touch(tmp_path / "atlas", *names, f"b/sub-r001s002_ses-2_{end}")
    first, second, third = layout.load("atlas").subjects(tmp_path / "atlas")
    assert (first.subject, second.subject) == ("sub-r001s001_ses-1", "sub-r001s001_ses-2")
    assert third.subject == "sub-r001s002"  # one visit, whichever
    assert (first.patient, second.patient, third.patient) == ("sub-r001s001", "sub-r001s001", "sub-r001s002")
    assert not any(each.problem for each in (first, second, third))
    touch(tmp_path / "brats", *(f"BraTS-GLI-00005-10{visit}-t1n.nii.gz" for visit in (0, 1)))
    assert {each.patient for each in layout.load("brats2021").subjects(tmp_path / "brats")} == {"BraTS-GLI-00005"}
    touch(tmp_path / "ixi", "IXI012-HH-1211-T1.nii.gz", "IXI012-Guys-1300-T1.nii.gz")
    assert "the same scan lies at" in layout.load("ixi").subjects(tmp_path / "ixi")[0].problem


def test_sheet_reads_any_scans(tmp_path):
    touch(tmp_path, "scans/änne 1.nii", "scans/lesion.nii.gz", "scans/flair.nii.gz", "b.nii.gz")
    csv = tmp_path / "mine.csv"
    csv.write_text(
        "\ufeffsubject,t1,mask,drawn_on\n"
        f"a,scans/änne 1.nii,scans/lesion.nii.gz,scans/flair.nii.gz\nb,{tmp_path / 'b.nii.gz'},,\n",
        encoding="utf-8",
    )
    first, second = layout.load("sheet").subjects(csv)
    assert (first.t1, first.t2, first.mask) == (Path("scans/änne 1.nii"), None, Path("scans/lesion.nii.gz"))
    assert first.drawn_on == Path("scans/flair.nii.gz")
    assert (second.t1, second.mask) == (tmp_path / "b.nii.gz", None)


@pytest.mark.parametrize(
    "text", ["subject,t1\na,x.nii\n,\n,\n", ",subject,t1\n0,a,x.nii\n", "subject,t1\n\na,$HERE/x.nii\n"]
)
def test_sheet_passes_over_what_other_programs_add(tmp_path, monkeypatch, text):
    """Rows of commas of Excel, and the index of pandas."""
    touch(tmp_path, "x.nii")
    monkeypatch.setenv("HERE", str(tmp_path))
    (tmp_path / "mine.csv").write_text(text)
    assert [files.subject for files in layout.load("sheet").subjects(tmp_path / "mine.csv")] == ["a"]


def test_a_name_that_files_cannot_have_is_told_in_words(tmp_path):
    touch(tmp_path, "x.nii")
    (tmp_path / "mine.csv").write_text("subject,t1\nann@e,x.nii\n")
    kind = layout.load("sheet")
    with pytest.raises(
        HarnessError, match=r"line 2, subject: 'ann@e' is no such name; write letters, digits, \. _ and -"
    ):
        sheet.write(tmp_path / "out.csv", tmp_path / "mine.csv", sheet.index(kind, tmp_path / "mine.csv"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject,t1\n,\n,x.nii\n", "line 3: no subject"),
        ("subject,mask\na,x.nii\n", "there must be subject and a scan"),
        ("t1,t2\na,x.nii\n", "there must be subject and a scan"),
        ("subject;t1;mask\na;x.nii;\n", "has the one column 'subject;t1;mask'; separate the columns by commas"),
        ("subject,t1,swi\na,x.nii,\n", "'swi'"),
        ("subject,t1\n,x.nii\n", "line 2: no subject"),
        ("subject,t1\na,x.nii\nb,gone.nii\n", r"line 3, t1: no file .*gone\.nii"),
        ("subject,t1\na,x.nii,\n", "line 2: more cells"),
        ("", "missing"),
    ],
)
def test_sheet_names_the_line_that_is_wrong(tmp_path, text, message):
    touch(tmp_path, "x.nii")
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(HarnessError, match=message):
        layout.load("sheet").subjects(tmp_path / "mine.csv")


@pytest.mark.parametrize(("name", "t1", "t2", "masks"), [("camcan", 24, 8, 0), ("atlas", 8, 0, 8), ("brats", 2, 2, 2)])
def test_real_folders(mri_mini, name, t1, t2, masks):
    kinds = list(zip(*(paths for _, *paths in found(name, mri_mini / name)), strict=True))
    assert [sum(path != "" for path in paths) for paths in kinds] == [t1, t2, masks]
    assert all((mri_mini / name / path).exists() for paths in kinds for path in paths)


def test_a_test_set_without_any_mask_is_refused(tmp_path):
    touch(tmp_path, "sub-1/anat/sub-1_T1w.nii.gz", "sub-2/anat/sub-2_T1w.nii.gz")
    with pytest.raises(HarnessError, match=r"2 subjects but not one mask; .*derivatives"):
        sheet.index(layout.load("bids"), tmp_path, role="test")
    touch(tmp_path / "brats", "BraTS20_Training_001/BraTS20_Training_001_t1.nii")
    with pytest.raises(HarnessError, match="1 scans but not one mask; unpack the masks"):
        sheet.index(layout.load("brats"), tmp_path / "brats", role="test")


def test_entities_are_refused_where_names_have_none():
    with pytest.raises(HarnessError, match="'atlas': its names have no entities"):
        layout.load("atlas", {"run": "1"})
    for pair in ("run", "run=", "=1", "Run=1", "acq=a_b"):
        with pytest.raises(HarnessError, match="is not like run=2"):
            layout.entities([pair])


def test_brats_of_2021_and_2023(tmp_path):
    touch(
        tmp_path,
        *(f"a/BraTS2021_00002/BraTS2021_00002_{kind}.nii.gz" for kind in ("t1", "t1ce", "t2", "flair", "seg")),
        *(f"b/BraTS-GLI-00003-001/BraTS-GLI-00003-001-{kind}.nii.gz" for kind in ("t1n", "t1c", "t2w", "t2f", "seg")),
    )
    second, first = layout.load("brats2021").subjects(tmp_path)
    assert (first.subject, second.subject) == ("BraTS2021_00002", "BraTS-GLI-00003-001")
    names = [[path.name[-12:] for path in (files.t1, files.t2, files.mask)] for files in (first, second)]
    assert names == [["02_t1.nii.gz", "02_t2.nii.gz", "2_seg.nii.gz"], ["1-t1n.nii.gz", "1-t2w.nii.gz", "1-seg.nii.gz"]]
    names = [[path.name[-12:] for path in (files.flair, files.t1c)] for files in (first, second)]
    assert names == [["flair.nii.gz", "_t1ce.nii.gz"], ["1-t2f.nii.gz", "1-t1c.nii.gz"]]


@pytest.mark.parametrize("key", ["channel_names", "modality"])
def test_nnunet_folders(tmp_path, key):
    (tmp_path / "dataset.json").write_text(json.dumps({key: {"0": "FLAIR", "1": "T1", "2": "T2"}}))
    touch(
        tmp_path,
        *(f"imagesTr/case_{number}_000{channel}.nii.gz" for number in (1, 2) for channel in (0, 1, 2)),
        "imagesTs/case_9_0001.nii.gz",
        "labelsTr/case_1.nii.gz",
    )
    first, second = layout.load("nnunet").subjects(tmp_path)
    assert (first.subject, first.t1.name, first.t2.name) == ("case_1", "case_1_0001.nii.gz", "case_1_0002.nii.gz")
    assert (first.flair.name, first.t1c) == ("case_1_0000.nii.gz", None)
    assert first.mask == Path("labelsTr/case_1.nii.gz")
    assert second.mask is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[("T1", "t1"), ("T1w", "t1"), ("mr_t1", "t1"), ("T2", "t2"), ("T2w", "t2"), ("FLAIR", "flair")],
        *[("T2-FLAIR", "flair"), ("t2f", "flair"), ("T1ce", "t1c"), ("T1Gd", "t1c"), ("t1c", "t1c"), ("T1w-ce", "t1c")],
    ],
)
def test_nnunet_channels_by_their_usual_names(tmp_path, name, kind):
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": {"0": "other", "3": name}}))
    assert nnunet.channels(tmp_path / "dataset.json") == {kind: "0003"}


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "names no channels"), ("{}", "names no channels"), ('{"modality": {"0": "CT"}}', "no channel is called T1")],
)
def test_nnunet_needs_named_channels(tmp_path, text, message):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(HarnessError, match=message):
        layout.load("nnunet").subjects(tmp_path)


NAMED = {1: "edema", 2: "core", 4: "ignore"}


@pytest.mark.parametrize(
    "labels",
    [
        {"0": "background", "1": "edema", "2": "core", "4": "ignore"},
        {"background": 0, "edema": 1, "core": 2, "ignore": 4},
        {"background": 0, "edema": [1], "core": [2, 1], "ignore": 4},
    ],
)
def test_labels_that_a_dataset_json_names(tmp_path, labels):
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": {"0": "T1"}, "labels": labels}))
    assert layout.load("nnunet").labels(tmp_path) == NAMED
    touch(tmp_path, "imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz")
    options = ["--dataset", "x", "--layout", "nnunet", "--root", tmp_path, "--role", "test"]
    printed = call("index", *options, "--out", tmp_path / "s.csv").output
    assert "its files name the labels 1 edema, 2 core, 4 ignore" in printed


@pytest.mark.parametrize("suffix", [".NII.GZ", ".Nii", ".nii.GZ"])
def test_suffixes_in_capitals(tmp_path, suffix):
    touch(tmp_path, f"a/sub-CC110033_T1w{suffix}", f"b/sub-1/anat/sub-1_T1w{suffix}")
    assert found("camcan", tmp_path / "a") == [("sub-CC110033", f"sub-CC110033_T1w{suffix}", "", "")]
    assert found("bids", tmp_path / "b") == [("sub-1", f"sub-1/anat/sub-1_T1w{suffix}", "", "")]
