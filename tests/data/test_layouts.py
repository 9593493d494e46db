"""Layouts find every subject of the public data sets by file name, with the oddities those data sets have."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.commands import call
from tests.data.conftest import nifti
from uadbench.core.errors import HarnessError
from uadbench.data.index import layout, sheet
from uadbench.data.index.layouts import nnunet


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


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


def found(name: str, root: Path) -> list[tuple[str, str, str, str]]:
    """Subject, T1, T2 and mask of each subject."""
    subjects = layout.load(name).subjects(root)
    return [(f.subject, *(path.as_posix() if path else "" for path in (f.t1, f.t2, f.mask))) for f in subjects]


def test_camcan(tmp_path):
    anat = "cc700/mri/pipeline/release004/BIDS_20190411/anat"
    one, two = (f"{anat}/sub-{name}/anat/sub-{name}" for name in ("CC110033", "CC110037"))
    touch(tmp_path, f"{two}_T1w.nii.gz", f"{two}_T2w.nii.gz", f"{one}_T1w.nii", f"{one}_T1w.json")
    touch(tmp_path, f"{anat}/participants.tsv", ".cache/sub-CC999999_T1w.nii.gz")
    assert found("camcan", tmp_path) == [
        ("sub-CC110033", f"{one}_T1w.nii", "", ""),
        ("sub-CC110037", f"{two}_T1w.nii.gz", f"{two}_T2w.nii.gz", ""),
    ]


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


def test_atlas_leaves_out_the_testing_folder(tmp_path):
    def name(part: str, site: str, subject: str, what: str = "T1w") -> str:
        folder = f"ATLAS_2/{part}/R{site}/sub-r{site}s{subject}/ses-1/anat"
        return f"{folder}/sub-r{site}s{subject}_ses-1_space-MNI152NLin2009aSym_{what}.nii.gz"

    whole, without = name("Training", "001", "001"), name("Training", "052", "002")
    mask = name("Training", "001", "001", "label-L_desc-T1lesion_mask")
    touch(tmp_path, whole, mask, without, name("Testing", "002", "001"))
    assert found("atlas", tmp_path) == [("sub-r001s001", whole, "", mask), ("sub-r052s002", without, "", "")]


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


def test_brats_takes_both_suffixes_and_the_odd_mask_of_355(tmp_path):
    top = "MICCAI_BraTS2020_TrainingData"
    for number, suffix in (("001", ".nii.gz"), ("355", ".nii")):
        name = f"BraTS20_Training_{number}"
        touch(tmp_path, *(f"{top}/{name}/{name}_{scan}{suffix}" for scan in ("t1", "t1ce", "t2", "flair")))
    touch(tmp_path, f"{top}/BraTS20_Training_001/BraTS20_Training_001_seg.nii.gz")
    touch(tmp_path, f"{top}/BraTS20_Training_355/W39_1998.09.19_Segm.nii")
    (_, *usual), (_, _, t2, mask) = found("brats", tmp_path)
    assert usual == [f"{top}/BraTS20_Training_001/BraTS20_Training_001_{kind}.nii.gz" for kind in ("t1", "t2", "seg")]
    assert t2 == f"{top}/BraTS20_Training_355/BraTS20_Training_355_t2.nii"
    assert mask == f"{top}/BraTS20_Training_355/W39_1998.09.19_Segm.nii"


def test_ixi(tmp_path):
    touch(tmp_path, "IXI002-Guys-0828-T1.nii.gz", "T2/IXI002-Guys-0828-T2.nii.gz", "IXI012-HH-1211-T1.nii.gz")
    touch(tmp_path, "IXI012-HH-1211-PD.nii.gz", "IXI-T1.tar")
    assert found("ixi", tmp_path) == [
        ("IXI002", "IXI002-Guys-0828-T1.nii.gz", "T2/IXI002-Guys-0828-T2.nii.gz", ""),
        ("IXI012", "IXI012-HH-1211-T1.nii.gz", "", ""),
    ]


def test_ljubljana_takes_the_scans_on_one_grid(tmp_path):
    for folder in ("patient01", "patient01/raw"):
        touch(tmp_path, *(f"{folder}/patient01_{scan}.nii.gz" for scan in ("T1W", "T1WKS", "T2W", "FLAIR")))
    touch(tmp_path, "patient01/patient01_consensus_gt.nii.gz", "patient01/patient01_brainmask.nii.gz")
    ((_, *paths),) = found("ljubljana", tmp_path)
    assert paths == [f"patient01/patient01_{name}.nii.gz" for name in ("T1W", "T2W", "consensus_gt")]
    assert not layout.load("ljubljana").subjects(tmp_path)[0].problem


def test_bids_with_masks_drawn_on_t2(tmp_path):
    """As in ARC: several sessions, one of them with an outline in the voxels of its T2."""
    for session in ("ses-1", "ses-7"):
        name = f"sub-M2001/{session}/anat/sub-M2001_{session}"
        touch(tmp_path, *(f"{name}_{scan}.nii.gz" for scan in ("acq-tfl3_T1w", "acq-spc3_T2w", "FLAIR")))
    mask = "derivatives/lesion_masks/sub-M2001/ses-7/anat/sub-M2001_ses-7_acq-spc3_T2w_desc-lesion_mask.nii.gz"
    touch(tmp_path, mask, "sub-M2002/ses-1/anat/sub-M2002_ses-1_run-1_T1w.nii.gz")
    touch(tmp_path, "sub-M2002/ses-1/anat/sub-M2002_ses-1_run-2_T1w.nii.gz", "sub-M2003/func/sub-M2003_bold.nii.gz")
    touch(tmp_path, "derivatives/other/sub-M2001/anat/sub-M2001_space-MNI_T1w.nii.gz")
    touch(tmp_path, "sourcedata/sub-M2001/ses-7/anat/sub-M2001_ses-7_acq-raw_T1w.nii.gz", "code/sub-M2004_T1w.nii.gz")
    touch(tmp_path, "sub-M2002/ses-1/anat/sub-M2002_ses-1_acq-a_space-MNI_T1w.nii.gz")
    name = "sub-M2001/ses-7/anat/sub-M2001_ses-7"
    assert found("bids", tmp_path) == [
        ("sub-M2001", f"{name}_acq-tfl3_T1w.nii.gz", f"{name}_acq-spc3_T2w.nii.gz", mask),
        ("sub-M2002", "sub-M2002/ses-1/anat/sub-M2002_ses-1_run-1_T1w.nii.gz", "", ""),
    ]
    first = layout.load("bids").subjects(tmp_path)[0]
    assert first.drawn_on == first.t2


def test_bids_joins_the_outlined_session_with_the_t1_of_another(tmp_path):
    touch(tmp_path, "sub-1/ses-1/anat/sub-1_ses-1_T2w.nii.gz", "sub-1/ses-2/anat/sub-1_ses-2_T1w.nii.gz")
    touch(tmp_path, "derivatives/masks/sub-1/ses-1/anat/sub-1_ses-1_T2w_desc-lesion_mask.nii.gz")
    (files,) = layout.load("bids").subjects(tmp_path)
    t2 = Path("sub-1/ses-1/anat/sub-1_ses-1_T2w.nii.gz")
    mask = Path("derivatives/masks/sub-1/ses-1/anat/sub-1_ses-1_T2w_desc-lesion_mask.nii.gz")
    assert files == layout.Files("sub-1", Path("sub-1/ses-2/anat/sub-1_ses-2_T1w.nii.gz"), t2, mask, drawn_on=t2)


def test_bids_with_masks_drawn_on_diffusion(tmp_path):
    """As in SOOP: the outline lies in the voxels of the TRACE image; outlines of parts of the lesion are not taken."""
    dwi = "sub-1/dwi/sub-1_rec"
    touch(tmp_path, "sub-1/anat/sub-1_T1w.nii.gz", f"{dwi}-TRACE_dwi.nii.gz", f"{dwi}-ADC_dwi.nii.gz")
    masks = "derivatives/lesion_masks/sub-1/dwi/sub-1_space-TRACE_desc-lesion"
    touch(tmp_path, f"{masks}_mask.nii.gz", f"{masks}Acute_mask.nii.gz", f"{masks}Chronic_mask.nii.gz")
    (files,) = layout.load("bids").subjects(tmp_path)
    assert files.mask == Path(f"{masks}_mask.nii.gz")
    assert files.drawn_on == Path("sub-1/dwi/sub-1_rec-TRACE_dwi.nii.gz")


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


def taken(tmp_path: Path, *names: str) -> list[tuple[str, str, str, str]]:
    """File names of t1, t2, mask and drawn_on of every subject of a BIDS folder with these files."""
    touch(tmp_path, *(f"{name}.nii.gz" for name in names))
    subjects = layout.load("bids").subjects(tmp_path)
    return [tuple(p.name.split(".")[0] if p else "" for p in (f.t1, f.t2, f.mask, f.drawn_on)) for f in subjects]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("acq-pre_T1w", "acq-post_ce-gadolinium_T1w"),
        ("acq-mprage_T1w", "acq-localizer_T1w"),
        ("acq-mprage_T1w", "acq-3planeloc_T1w"),
        ("run-2_T1w", "run-10_T1w"),
        ("run-02_T1w", "run-10_T1w"),
        ("rec-norm_part-mag_T1w", "part-phase_T1w"),
        ("rec-z_T1w", "rec-a_space-MNI152NLin6Asym_T1w"),
    ],
)
def test_bids_takes_the_plain_scan_of_several(tmp_path, first, last):
    ((t1, *_),) = taken(tmp_path, f"sub-1/anat/sub-1_{last}", f"sub-1/anat/sub-1_{first}")
    assert t1 == f"sub-1_{first}"
    (files,) = layout.load("bids").subjects(tmp_path)
    assert files.several == ("T1w",)


def test_bids_sorts_sessions_as_numbers(tmp_path):
    assert taken(tmp_path, *(f"sub-1/ses-{n}/anat/sub-1_ses-{n}_T1w" for n in (10, 2)))[0][0] == "sub-1_ses-2_T1w"


def test_bids_takes_the_run_that_the_mask_names(tmp_path):
    anat = "sub-1/anat/sub-1"
    mask = "sub-1_acq-spc3_run-4_T2w_desc-lesion_mask"
    runs = (f"{anat}_acq-spc3_run-{n}_T2w" for n in (1, 4, 10))
    t2 = "sub-1_acq-spc3_run-4_T2w"
    assert taken(tmp_path, f"{anat}_T1w", *runs, f"derivatives/m/sub-1/anat/{mask}") == [("sub-1_T1w", t2, mask, t2)]


def test_bids_takes_the_t1_of_the_session_nearest_to_the_outline(tmp_path):
    """As 25 subjects of ARC: the outline and its T2 of day 9, T1 of days 2, 8 and 40."""
    mask = "sub-1_ses-9_acq-spc3_T2w_desc-lesion_mask"
    scans = [f"sub-1/ses-{n}/anat/sub-1_ses-{n}_T1w" for n in (2, 8, 40)]
    scans += [f"sub-1/ses-{n}/anat/sub-1_ses-{n}_acq-spc3_T2w" for n in (2, 9)]
    t2 = "sub-1_ses-9_acq-spc3_T2w"
    assert taken(tmp_path, *scans, f"derivatives/m/sub-1/ses-9/anat/{mask}") == [("sub-1_ses-8_T1w", t2, mask, t2)]


@pytest.mark.parametrize(
    "name",
    [
        "sub-1/anat/sub-1_T1w_label-lesion_roi",
        "derivatives/m/sub-1/anat/sub-1_label-lesion_dseg",
        "derivatives/m/sub-1/anat/sub-1_desc-lesion_dseg",
        "derivatives/labels/sub-1/anat/sub-1_T1w_lesion-manual",
        "derivatives/m/sub-1/anat/sub-1_msk",
        "derivatives/m/sub-1/anat/sub-1_T1w_desc-T1lesion_mask",
    ],
)
def test_bids_knows_usual_names_of_masks(tmp_path, name):
    ((t1, _, mask, drawn_on),) = taken(tmp_path, "sub-1/anat/sub-1_T1w", name)
    assert (t1, mask, drawn_on) == ("sub-1_T1w", Path(name).name, "")


def test_bids_takes_the_mask_in_the_voxels_of_a_scan(tmp_path):
    native = "derivatives/z/sub-1/anat/sub-1_desc-lesion_mask"
    moved = "derivatives/a/sub-1/anat/sub-1_space-MNI152NLin2009cAsym_desc-lesion_mask"
    assert taken(tmp_path, "sub-1/anat/sub-1_T1w", moved, native)[0][2] == Path(native).name


def test_a_test_set_without_any_mask_is_refused(tmp_path):
    touch(tmp_path, "sub-1/anat/sub-1_T1w.nii.gz", "sub-2/anat/sub-2_T1w.nii.gz")
    with pytest.raises(HarnessError, match=r"2 subjects but not one mask; .*derivatives"):
        sheet.index(layout.load("bids"), tmp_path, role="test")
    touch(tmp_path / "brats", "BraTS20_Training_001/BraTS20_Training_001_t1.nii")
    with pytest.raises(HarnessError, match="1 scans but not one mask; unpack the masks"):
        sheet.index(layout.load("brats"), tmp_path / "brats", role="test")


def test_bids_takes_the_scans_with_the_entities_of_the_config(tmp_path):
    touch(
        tmp_path,
        *(f"sub-1/anat/sub-1_acq-{acq}_run-{run}_T1w.nii.gz" for acq in ("fast", "slow") for run in ("01", "02")),
        "sub-2/anat/sub-2_T1w.nii.gz",
        "sub-2/anat/sub-2_run-2_T2w.nii.gz",
    )
    plain, _ = layout.load("bids").subjects(tmp_path)
    assert plain.t1.name == "sub-1_acq-fast_run-01_T1w.nii.gz"
    first, second = layout.load("bids", layout.entities(["acq=slow", "run=2"])).subjects(tmp_path)
    assert (first.t1.name, first.several) == ("sub-1_acq-slow_run-02_T1w.nii.gz", ())
    assert (second.t1.name, second.t2.name) == ("sub-2_T1w.nii.gz", "sub-2_run-2_T2w.nii.gz")  # those there are
    nearly = layout.load("bids", {"acq": "slow"}).subjects(tmp_path)[0]
    assert (nearly.t1.name, nearly.several) == ("sub-1_acq-slow_run-01_T1w.nii.gz", ("T1w",))


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


def test_bids_takes_flair_and_contrast_of_the_masks_session(tmp_path):
    touch(
        tmp_path,
        *(f"sub-1/ses-{n}/anat/sub-1_ses-{n}_{kind}.nii.gz" for n in (1, 2) for kind in ("T1w", "T2w", "FLAIR")),
        "sub-1/ses-2/anat/sub-1_ses-2_ce-gad_T1w.nii.gz",
        "derivatives/sub-1/ses-2/sub-1_ses-2_desc-lesion_mask.nii.gz",
        "sub-2/anat/sub-2_FLAIR.nii.gz",
        "sub-3/anat/sub-3_ce-gad_T1w.nii.gz",
    )
    one, two, three = layout.load("bids").subjects(tmp_path)
    names = {kind: path.name for kind, path in one.scans.items()}
    assert names == {
        "t1": "sub-1_ses-2_T1w.nii.gz",
        "t2": "sub-1_ses-2_T2w.nii.gz",
        "flair": "sub-1_ses-2_FLAIR.nii.gz",
        "t1c": "sub-1_ses-2_ce-gad_T1w.nii.gz",
    }
    assert list(two.scans) == ["flair"]
    assert list(three.scans) == ["t1"]  # the only T1 there is


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


def test_labels_that_a_bids_derivative_names(tmp_path):
    bids, folder = layout.load("bids"), tmp_path / "derivatives" / "masks"
    folder.mkdir(parents=True)
    (folder / "desc-aseg_dseg.tsv").write_text("index\tname\n10\tthalamus\n")
    assert bids.labels(tmp_path) == {}
    (folder / "desc-lesion_mask.json").write_text(json.dumps({"LabelMap": {"edema": 1, "core": 2, "ignore": 4}}))
    assert bids.labels(tmp_path) == NAMED
    (folder / "desc-lesion_dseg.tsv").write_text("index\tname\n0\tno\n1\tacute\n")
    assert bids.labels(tmp_path) == {1: "acute"}


@pytest.mark.parametrize("flair", ["anat/sub-strokecase0001_ses-0001_FLAIR", "sub-strokecase0001_ses-0001_flair"])
def test_a_mask_on_the_grid_of_a_further_scan_names_it(tmp_path, flair):
    """ISLES 2022: scans in small letters or capitals, the mask on the grid of the diffusion image."""
    here, stem = "sub-strokecase0001/ses-0001", "sub-strokecase0001_ses-0001"
    shapes = {f"{here}/{flair}": (4, 5, 6), f"{here}/dwi/{stem}_adc": (4, 5, 3), f"{here}/dwi/{stem}_dwi": (4, 5, 3)}
    mask = f"derivatives/{here}/{stem}_msk"
    for name, shape in {**shapes, mask: (4, 5, 3)}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        nifti(tmp_path / f"{name}.nii.gz", np.zeros(shape, np.uint8), np.diag([1.0, 1, 18 / shape[2], 1]))
    (files,) = layout.load("bids").subjects(tmp_path)
    assert files.drawn_on == Path(f"{here}/dwi/{stem}_dwi.nii.gz")
    assert (files.flair, files.mask) == (Path(f"{here}/{flair}.nii.gz"), Path(f"{mask}.nii.gz"))
    nifti(tmp_path / f"{mask}.nii.gz", np.zeros((4, 5, 6), np.uint8), np.diag([1.0, 1, 3, 1]))
    (files,) = layout.load("bids").subjects(tmp_path)
    assert files.drawn_on is None


@pytest.mark.parametrize("suffix", [".NII.GZ", ".Nii", ".nii.GZ"])
def test_suffixes_in_capitals(tmp_path, suffix):
    touch(tmp_path, f"a/sub-CC110033_T1w{suffix}", f"b/sub-1/anat/sub-1_T1w{suffix}")
    assert found("camcan", tmp_path / "a") == [("sub-CC110033", f"sub-CC110033_T1w{suffix}", "", "")]
    assert found("bids", tmp_path / "b") == [("sub-1", f"sub-1/anat/sub-1_T1w{suffix}", "", "")]
