"""The verb `simulate`: layouts, headers, labels, reproducible bytes, independence of subjects, resuming."""

from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from tests.commands import call, ended
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json, write_json
from uadbench.core.study_folder import SIMULATIONS
from uadbench.simulation.cohort import Settings, make_cohort, remove_subject, scan_path, subject_name
from uadbench.simulation.scans import boxed, oriented
from uadbench.simulation.subjects import MAKERS, SubjectStreams

SPACING = 6.0
SCANS = {
    "camcan": ("T1w", "T2w"),
    "atlas": ("T1w", "label-L_desc-T1lesion_mask"),
    "brats": ("t1", "t1ce", "t2", "flair", "seg"),
}
GLOBS = {
    "camcan": "cc700/mri/pipeline/release004/BIDS_20190411/anat/sub-CC??????/anat/sub-CC??????_T[12]w.nii.gz",
    "atlas": "ATLAS_2/Training/R???/sub-r???s???/ses-1/anat/sub-r???s???_ses-1_space-MNI152NLin2009aSym_*.nii.gz",
    "brats": "MICCAI_BraTS2020_TrainingData/BraTS20_Training_???/BraTS20_Training_???_*.nii.gz",
}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two subjects of each data set."""
    root = tmp_path_factory.mktemp("cohort")
    for dataset in MAKERS:
        make_cohort(root / dataset, Settings(dataset, 7, SPACING), 2)
    return root


def image(root: Path, dataset: str, index: int, scan: str) -> nib.Nifti1Image:
    path = root / dataset / scan_path(dataset, subject_name(dataset, index), scan)
    return nib.Nifti1Image.from_filename(path)


@pytest.mark.parametrize("dataset", list(MAKERS))
def test_files_lie_where_the_data_set_has_them(cohort: Path, dataset: str) -> None:
    files = set((cohort / dataset).glob(GLOBS[dataset]))
    assert files == set((cohort / dataset).rglob("*.nii.gz"))
    assert len(files) == 2 * len(SCANS[dataset])


@pytest.mark.parametrize("dataset", list(MAKERS))
def test_the_layout_matches_that_of_real_scans(cohort: Path, dataset: str, mri_mini: Path) -> None:
    real = {path.relative_to(mri_mini / dataset) for path in (mri_mini / dataset).rglob("*.nii.gz")}
    assert real <= {path.relative_to(mri_mini / dataset) for path in (mri_mini / dataset).glob(GLOBS[dataset])}


@pytest.mark.parametrize(("dataset", "scan"), [("atlas", "T1w"), ("brats", "t2"), ("camcan", "T1w")])
def test_same_seed_same_bytes_and_other_subjects_leave_them_alone(
    cohort: Path, dataset: str, scan: str, tmp_path: Path
) -> None:
    # The second subject alone, in another folder, is the same file as beside the first.
    make_cohort(tmp_path, Settings(dataset, 7, SPACING), 2, chunk=(2, 2))
    relative = scan_path(dataset, subject_name(dataset, 1), scan)
    assert (tmp_path / relative).read_bytes() == (cohort / dataset / relative).read_bytes()


def test_subjects_and_seeds_differ(cohort: Path) -> None:
    first, second = (image(cohort, "atlas", i, "T1w").get_fdata() for i in range(2))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.99
    other = MAKERS["atlas"](SubjectStreams(8, "atlas", subject_name("atlas", 0)), SPACING).scans["T1w"].voxels
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.99


def test_streams_are_independent_of_the_order_of_use() -> None:
    streams = SubjectStreams(1, "camcan", "a")
    assert streams("x").random() == streams("x").random()
    assert len({SubjectStreams(s, d, n)(p).random() for s in (1, 2) for d in "ab" for n in "cd" for p in "ef"}) == 16


@pytest.mark.parametrize("index", range(2))
def test_masks_lie_on_the_grid_of_their_scan_and_hold_its_labels(cohort: Path, index: int) -> None:
    scan, mask = image(cohort, "atlas", index, "T1w"), image(cohort, "atlas", index, "label-L_desc-T1lesion_mask")
    np.testing.assert_array_equal(scan.affine, mask.affine)
    assert scan.shape == mask.shape
    assert set(np.unique(mask.get_fdata())) == {0, 1}
    labels = image(cohort, "brats", index, "seg")
    assert set(np.unique(labels.get_fdata())) == {0, 1, 2, 4}
    for name in ("t1", "t1ce", "t2", "flair"):
        sequence = image(cohort, "brats", index, name)
        np.testing.assert_array_equal(sequence.affine, labels.affine)
        assert sequence.shape == labels.shape
        # Skull-stripped: zero around the brain, on average something within the tumour.
        assert (sequence.get_fdata() == 0).mean() > 0.5
        assert sequence.get_fdata()[labels.get_fdata() > 0].min() > 0


def test_the_brain_of_a_glioma_patient_is_in_the_middle_of_the_slices(cohort: Path) -> None:
    for index in range(2):
        brain = image(cohort, "brats", index, "t1").get_fdata() > 0
        for axis in (0, 1):
            places = np.flatnonzero(brain.any(axis=(1 - axis, 2)))
            assert places[0] > 1
            assert places[-1] < brain.shape[axis] - 2
            assert places.mean() == pytest.approx((brain.shape[axis] - 1) / 2, abs=2)  # voxels of 6 mm


def test_lesions_look_as_they_should(cohort: Path) -> None:
    for index in range(2):
        brain = image(cohort, "brats", index, "t2").get_fdata() > 0
        whole = image(cohort, "brats", index, "seg").get_fdata() > 0
        t1, t2 = (image(cohort, "brats", index, name).get_fdata() for name in ("t1", "t2"))
        assert t2[whole].mean() > 1.2 * np.median(t2[brain & ~whole])
        # Darker than white matter, which is the brightest quarter of the brain on T1.
        assert t1[whole].mean() < np.percentile(t1[brain & ~whole], 75)


def test_t1_and_t2_of_one_person_show_the_same_place_on_grids_of_their_own(cohort: Path) -> None:
    for index in range(2):
        t1, t2 = image(cohort, "camcan", index, "T1w"), image(cohort, "camcan", index, "T2w")
        assert not np.allclose(t1.affine, t2.affine)
        centres = [i.affine[:3, :3] @ ((np.array(i.shape) - 1) / 2) + i.affine[:3, 3] for i in (t1, t2)]
        assert np.linalg.norm(centres[0] - centres[1]) < 20
        zooms = np.array(t1.header.get_zooms())
        assert (np.abs(zooms / SPACING - 1) < 0.1).all()
        assert np.ptp(zooms) > 0


def test_grids_at_one_millimetre_are_those_of_the_real_data() -> None:
    brats = boxed((0, 239, 0), (-1, -1, 1), (240, 240, 155), 1.0)
    assert brats.shape == (240, 240, 155)
    np.testing.assert_array_equal(brats.affine, [[-1, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]])
    coarse = boxed((0, 239, 0), (-1, -1, 1), (240, 240, 155), 3.0)
    assert coarse.shape == (80, 80, 52)
    # The corner of the first voxel stays.
    np.testing.assert_allclose(coarse.affine @ [-0.5, -0.5, -0.5, 1], brats.affine @ [-0.5, -0.5, -0.5, 1])


@pytest.mark.parametrize("codes", ["RAS", "LAS", "PSR", "LIP"])
def test_oriented_grids_keep_their_middle_and_their_axes(codes: str) -> None:
    grid = oriented(codes, (160, 200, 180), (2.0, 2.5, 3.0), (1, 2, 3))
    assert "".join(nib.orientations.aff2axcodes(grid.affine)) == codes
    points = grid.points()
    np.testing.assert_allclose(points.reshape(3, -1).mean(axis=1), [1, 2, 3], atol=1e-3)
    np.testing.assert_allclose(np.ptp(points.reshape(3, -1), axis=1), [158, 197.5, 177], atol=1e-3)
    assert grid.voxel_ml == pytest.approx(0.015)


def test_manifest_tells_the_truth(cohort: Path) -> None:
    for dataset, scan in (("atlas", "label-L_desc-T1lesion_mask"), ("brats", "seg")):
        manifest = pd.read_csv(cohort / dataset / "manifest.csv")
        assert list(manifest["subject"]) == [subject_name(dataset, i) for i in range(2)]
        for index, row in manifest.iterrows():
            mask = image(cohort, dataset, int(str(index)), scan)
            voxel = abs(np.linalg.det(mask.affine[:3, :3])) / 1000
            assert row["lesion_ml"] == pytest.approx((mask.get_fdata() > 0).sum() * voxel, abs=1e-3)
            assert row["seed"] == 7
        people = pd.read_csv(cohort / dataset / "participants.tsv", sep="\t")
        assert people.columns.tolist() == ["participant_id", "age", "scanner"]
        assert people.to_numpy().tolist() == manifest[["subject", "age", "scanner"]].to_numpy().tolist()
    assert (pd.read_csv(cohort / "camcan" / "manifest.csv")["lesion"] == "none").all()
    assert "seed: 7" in (cohort / "camcan" / "SIMULATED").read_text()


def test_the_verb_resumes_and_remakes_what_was_made_otherwise(tmp_path: Path) -> None:
    simulate = partial(call, "simulate", "atlas", "--out", tmp_path, "--spacing", 8)
    path = tmp_path / scan_path("atlas", subject_name("atlas", 0), "T1w")
    simulate("--subjects", "2", "--chunk", "1/2")
    assert list(pd.read_csv(tmp_path / "manifest.csv")["subject"]) == [subject_name("atlas", 0)]
    before, made = path.read_bytes(), path.stat().st_mtime_ns
    simulate("--subjects", "2")
    assert path.stat().st_mtime_ns == made
    assert len(pd.read_csv(tmp_path / "manifest.csv")) == 2
    simulate("--subjects", "1", "--seed", "5")
    assert path.read_bytes() != before
    # The other subject is not part of this cohort any more.
    assert list(pd.read_csv(tmp_path / "manifest.csv")["subject"]) == [subject_name("atlas", 0)]
    assert len(list(tmp_path.rglob("*T1w.nii.gz"))) == 1


@pytest.mark.parametrize("dataset", list(MAKERS))
def test_every_subject_has_a_name_of_its_own(dataset: str) -> None:
    assert len({subject_name(dataset, i) for i in range(120)}) == 120


def test_two_data_sets_do_not_share_a_folder(tmp_path: Path) -> None:
    make_cohort(tmp_path, Settings("atlas", 1, 8.0), 1)
    with pytest.raises(HarnessError, match="another data set"):
        make_cohort(tmp_path, Settings("brats", 1, 8.0), 1)


def test_real_scans_are_never_mixed_with_simulated_ones(tmp_path: Path) -> None:
    (tmp_path / "ATLAS_2").mkdir()
    with pytest.raises(HarnessError, match="not simulated"):
        make_cohort(tmp_path, Settings("atlas", 1, SPACING), 1)


def test_a_removed_subject_leaves_no_empty_folder_and_nothing_of_others(tmp_path: Path) -> None:
    files = ["sub-1/ses-1/a.nii", "sub-1/gone/b.nii", "sub-2/c.nii", "shared/d.nii"]
    for name in [*files, "shared/of another.nii"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "sub-1" / "gone" / "b.nii").unlink()
    (tmp_path / "sub-1" / "gone").rmdir()
    record = tmp_path / "record.json"
    write_json(record, {"settings": {"dataset": "a"}, "truth": {}, "files": [files[0], files[1], files[3]]})
    remove_subject(tmp_path, record)
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == ["shared", "shared/of another.nii", "sub-2", "sub-2/c.nii"]


@pytest.mark.parametrize("listed", ["../mine.txt", "{folder}/mine.txt", "link/mine.txt"])
def test_files_outside_of_the_cohort_are_never_removed(tmp_path: Path, listed: str) -> None:
    root, mine = tmp_path / "cohort", tmp_path / "mine.txt"
    mine.touch()
    make_cohort(root, Settings("atlas", 1, SPACING), 2)
    (root / "link").symlink_to(tmp_path)
    record = root / SIMULATIONS / f"{subject_name('atlas', 1)}.json"
    written = read_json(record)
    scans = [root / name for name in written["files"]]
    write_json(record, written | {"files": [*written["files"], listed.format(folder=tmp_path)]})
    with pytest.raises(HarnessError, match=r"lists .*mine.txt, which is not in .*cohort"):
        make_cohort(root, Settings("atlas", 1, SPACING), 1)
    assert mine.exists()
    assert all(scan.exists() for scan in scans)


@pytest.mark.parametrize("chunk", ["0/2", "3/2", "1", "a/b"])
def test_chunks_out_of_range_are_refused(chunk: str, tmp_path: Path) -> None:
    result = ended("simulate", "atlas", "--out", tmp_path, "--chunk", chunk)
    assert result.exit_code == 2
    assert "i/n" in result.output
