"""Folders in the layout of BIDS: which of several scans, sessions and masks a subject is indexed with."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.data.conftest import found, nifti, touch
from uadbench.data.index import layout


def taken(tmp_path: Path, *names: str) -> list[tuple[str, str, str, str]]:
    """File names of t1, t2, mask and drawn_on of every subject of a BIDS folder with these files."""
    touch(tmp_path, *(f"{name}.nii.gz" for name in names))
    subjects = layout.load("bids").subjects(tmp_path)
    return [tuple(p.name.split(".")[0] if p else "" for p in (f.t1, f.t2, f.mask, f.drawn_on)) for f in subjects]


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


def test_labels_that_a_bids_derivative_names(tmp_path):
    bids, folder = layout.load("bids"), tmp_path / "derivatives" / "masks"
    folder.mkdir(parents=True)
    (folder / "desc-aseg_dseg.tsv").write_text("index\tname\n10\tthalamus\n")
    assert bids.labels(tmp_path) == {}
    (folder / "desc-lesion_mask.json").write_text(json.dumps({"LabelMap": {"edema": 1, "core": 2, "ignore": 4}}))
    assert bids.labels(tmp_path) == {1: "edema", 2: "core", 4: "ignore"}
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
