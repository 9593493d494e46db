"""Names of lesion masks in BIDS data sets, in the voxels of the scan or in a template, and masks of other names."""

from pathlib import Path

import numpy as np
import pytest

from tests.commands import fails
from tests.data.conftest import nifti, touch
from uadbench.core.errors import HarnessError
from uadbench.data.index import layout, mask_names

#: with the kind of scan that the name states
MASKS = {
    "sub-1_desc-lesion_mask.nii.gz": "",
    "sub-1_space-TRACE_desc-lesion_mask.nii.gz": "TRACE",
    "sub-1_ses-1_acq-a_run-4_T2w_desc-lesion_mask.nii.gz": "T2w",
    "sub-1_space_T1_label-tumor.nii": "T1w",
    "sub-1_space_MNI_label-tumor.nii": "MNI",
    "sub-1_space-T1w_label-tumor_mask.nii": "T1w",
    "sub-1_space-orig_label-tumour_dseg.nii.gz": "",
    "sub-1_acq-x_FLAIR_roi.nii.gz": "FLAIR",
    "sub-1_roi.nii.gz": "",
    "sub-1_T1w_label-lesion_roi.nii.gz": "T1w",
    "sub-1_label-stroke_seg.nii.gz": "",
    "sub-1_desc-FLAIRlesions_mask.NII.GZ": "",
    "sub-1_desc-wholeTumor_mask.nii": "",
    "sub-1_desc-manualLesion_mask.nii.gz": "",
    "sub-1_rec-TRACE_dwi_desc-lesion_mask.nii.gz": "TRACE",
    "sub-1_T1w_lesion-manual.nii.gz": "T1w",
    "sub-1_lesion.nii": "",
    "sub-1_lesionmask.nii": "",
    "sub-1_T2w_lesion_mask.nii": "T2w",
    "sub-1_flair_msk.nii.gz": "FLAIR",
    "sub-1_label-L_desc-T1lesion_mask.nii.gz": "",
}
OTHERS = [
    "sub-1_T1w.nii.gz",
    "sub-1_T1w_desc-brain_mask.nii.gz",
    "sub-1_FLAIR_mask.nii.gz",
    "sub-1_desc-lesionAcute_mask.nii.gz",
    "sub-1_label-tumorCore_mask.nii.gz",
    "sub-1_label-hippocampus_roi.nii.gz",
    "sub-1_desc-lesionfilled_T1w.nii.gz",
    "sub-1_desc-lesion_T1w.nii.gz",
    "sub-1_desc-lesion_mask.json",
    "lesion_mask.nii.gz",
]


@pytest.mark.parametrize(("name", "kind"), MASKS.items())
def test_masks_of_whole_lesions_are_known_by_name(name, kind):
    assert mask_names.is_mask(name)
    assert mask_names.drawn_on(name) == kind


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_no_masks(name):
    assert not mask_names.is_mask(name)


@pytest.mark.parametrize("folder", ["sub-1/ses-b/anat", "derivatives/m/sub-1/ses-b/anat", "derivatives/sub-1/ses-b"])
@pytest.mark.parametrize("named", ["sub-1_ses-b", "sub-1"])
def test_a_mask_is_of_the_session_of_its_name_or_folder(tmp_path, folder, named):
    touch(tmp_path, *(f"sub-1/ses-{n}/anat/sub-1_ses-{n}_{kind}.nii.gz" for n in "abc" for kind in ("T1w", "FLAIR")))
    touch(tmp_path, f"{folder}/{named}_FLAIR_roi.nii")
    (files,) = layout.load("bids").subjects(tmp_path)
    assert (files.t1.name, files.drawn_on.name) == ("sub-1_ses-b_T1w.nii.gz", "sub-1_ses-b_FLAIR.nii.gz")
    assert not files.notes


def test_scans_of_another_session_are_told(tmp_path):
    touch(tmp_path, "sub-1/ses-2/anat/sub-1_ses-2_T1w.nii.gz", "sub-1/ses-4/anat/sub-1_ses-4_FLAIR.nii.gz")
    touch(tmp_path, "derivatives/m/sub-1/ses-3/anat/sub-1_ses-3_label-lesion_mask.nii.gz")
    (files,) = layout.load("bids").subjects(tmp_path)
    said = {note.text.split()[2]: note.detail for note in files.notes}
    assert said == {"t1": "ses-3 and ses-2", "flair": "ses-3 and ses-4"}


@pytest.mark.parametrize("session", ["", "ses-2/"])
def test_a_mask_without_a_session_is_of_the_first_with_its_scan(tmp_path, session):
    stem = f"sub-1/{session}anat/sub-1_{session.replace('/', '_')}"
    touch(tmp_path, f"{stem}T1w.nii.gz", f"{stem}T2w.nii.gz", "derivatives/m/sub-1/anat/sub-1_T2w_label-lesion.nii")
    (files,) = layout.load("bids").subjects(tmp_path)
    assert (files.mask.name, files.drawn_on, bool(files.t1)) == ("sub-1_T2w_label-lesion.nii", files.t2, True)


T1, MOVED = "sub-1/anat/sub-1_T1w", "derivatives/m/sub-1/anat/sub-1_space-MNI152Lin_label-lesion_mask"


def test_a_mask_in_the_space_of_a_template_is_not_that_of_another_scan(tmp_path):
    touch(tmp_path, f"{T1}.nii.gz", f"{MOVED}.nii.gz")
    (files,) = layout.load("bids").subjects(tmp_path)
    assert files.mask is None
    assert files.notes[0].text == "have a mask in the space of MNI152Lin alone, where no scan is; it is not taken"
    touch(tmp_path, "sub-1/anat/sub-1_space-MNI152Lin_T1w.nii.gz")
    (files,) = layout.load("bids").subjects(tmp_path)
    assert (files.mask, files.t1) == (Path(f"{MOVED}.nii.gz"), Path("sub-1/anat/sub-1_space-MNI152Lin_T1w.nii.gz"))


@pytest.mark.parametrize(("size", "taken"), [(6, True), (7, False)])
def test_a_mask_in_the_space_of_a_template_is_that_of_a_scan_on_its_grid(tmp_path, size, taken):
    for name, length in ((T1, 6), (MOVED, size)):
        (tmp_path / name).parent.mkdir(parents=True)
        nifti(tmp_path / f"{name}.nii.gz", np.zeros((5, 6, length), np.uint8))
    (files,) = layout.load("bids").subjects(tmp_path)
    assert bool(files.mask) == taken


@pytest.mark.parametrize("pattern", ["derivatives/hand/*/anat/*_segm.nii.gz", "*_SEGM.nii.gz", "*/hand/sub-?/anat/*"])
def test_a_pattern_names_masks_of_other_names(tmp_path, pattern):
    mask = "derivatives/hand/sub-1/anat/tumour_segm.nii.gz"
    touch(tmp_path, f"{T1}.nii.gz", mask, "derivatives/auto/sub-1/anat/sub-1_desc-lesion_mask.nii.gz")
    (files,) = layout.load("bids", masks=pattern).subjects(tmp_path)
    assert files.mask == Path(mask)


def test_a_pattern_without_a_file_names_those_there(tmp_path):
    touch(tmp_path, f"{T1}.nii.gz", "derivatives/m/sub-1_x-seg.nii.gz")
    with pytest.raises(
        HarnessError, match=r"masks: no file matches 'x/\*'; there are derivatives/m/sub-1_x-seg.nii.gz"
    ):
        layout.load("bids", masks="x/*").subjects(tmp_path)


def test_a_test_set_without_masks_names_the_files_that_may_be_some(tmp_path):
    touch(tmp_path / "raw", f"{T1}.nii.gz", "derivatives/m/sub-1_T1w_mask.nii.gz")
    words = ("--dataset", "x", "--layout", "bids", "--root", tmp_path / "raw", "--out", tmp_path / "s.csv")
    said = fails("index", *words, "--role", "test")
    assert "not one mask" in said
    assert "name them by `masks: PATTERN` if they are among derivatives/m/sub-1_T1w_mask.nii.gz" in said


def test_a_mask_is_no_scan_that_another_mask_is_drawn_on(tmp_path):
    """A segmentation beside the scan shares the grid of the mask."""
    for name in (T1, MOVED.replace("space-MNI152Lin_", ""), "sub-1/anat/sub-1_seg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        nifti(tmp_path / f"{name}.nii.gz", np.zeros((5, 6, 6 + (name == T1)), np.uint8))
    (files,) = layout.load("bids").subjects(tmp_path)
    assert files.drawn_on is None


def test_brain_masks_and_probabilities_are_no_candidates():
    ours = ["d/sub-1_desc-brain_mask.nii.gz", "d/sub-1_desc-disyre_probseg.nii.gz"]
    assert mask_names.candidates(ours) == ""
    assert mask_names.candidates([*ours, "d/sub-1_seg.nii.gz"]).endswith("they are among d/sub-1_seg.nii.gz")
