"""Scoring and evaluation of data sets: sessions and derivatives in BIDS, subject sheets, scans that are left out."""

import json
import shutil
import subprocess
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

from tests.commands import call, ended, fails
from tests.data.conftest import NATIVE, nifti
from tests.own.test_scan_scoring import scorer, values
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json
from uadbench.own.bids_derivative import HALF, Derivative, find
from uadbench.own.map_files import read_scores
from uadbench.own.scan_sets import entries, labels, of_modality


@pytest.fixture
def bids(scans, tmp_path) -> Path:
    """Three patients: one with two sessions, of which the second has a mask; one with two runs; one without a T1."""
    root = tmp_path / "bids"
    image = nibabel.load(scans / "a.nii.gz")
    lesion = (np.asarray(image.dataobj) > 700).astype(np.uint8)
    for number in "123":
        nifti(tmp_path / f"{number}.nii", values(scans / "a.nii.gz") * float(number), NATIVE.affine)
    for name in (
        *("sub-1/ses-1/anat/sub-1_ses-1_acq-mprage_T1w", "sub-1/ses-2/anat/sub-1_ses-2_T1w"),
        *("sub-1/ses-2/anat/sub-1_ses-2_T2w", "sub-2/anat/sub-2_run-2_T1w", "sub-2/anat/sub-2_run-1_T1w"),
        "sub-3/anat/sub-3_FLAIR",
    ):
        path = root / f"{name}.nii"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(tmp_path / f"{name[4]}.nii")
    (root / "derivatives" / "manual").mkdir(parents=True)
    for name in ("sub-1_ses-2", "sub-2"):
        nifti(root / "derivatives" / "manual" / f"{name}_label-lesion_mask.nii.gz", lesion, NATIVE.affine)
    (root / "dataset_description.json").write_text(
        '{"Name": "Three", "BIDSVersion": "1.10.0", "DatasetDOI": "doi:1/2"}'
    )
    return root


def test_sessions_are_scored_with_their_own_scans_and_masks(bids):
    found = {entry.name: entry for entry in entries(bids)}
    assert {name: sorted(path.name for path in entry.scans.values()) for name, entry in found.items()} == {
        "sub-1_ses-1": ["sub-1_ses-1_acq-mprage_T1w.nii"],
        "sub-1_ses-2": ["sub-1_ses-2_T1w.nii", "sub-1_ses-2_T2w.nii"],
        "sub-2": ["sub-2_run-1_T1w.nii"],
        "sub-3": ["sub-3_FLAIR.nii"],
    }
    masks = {name: entry.mask and entry.mask.name for name, entry in found.items()}
    assert masks["sub-1_ses-1"] is None
    assert masks["sub-3"] is None
    assert masks["sub-1_ses-2"] == "sub-1_ses-2_label-lesion_mask.nii.gz"
    (bids / "dataset_description.json").unlink()
    assert {entry.name: entry for entry in entries(bids)} == found


def test_a_scan_has_the_t1_of_its_session_and_others_are_named(bids, capsys):
    found, lost = of_modality(bids, "t2", lesions=True)
    assert ([(scan.name, scan.t1.name, scan.lesion.name) for scan in found], lost) == (
        [("sub-1_ses-2", "sub-1_ses-2_T1w.nii", "sub-1_ses-2_label-lesion_mask.nii.gz")],
        0,
    )
    assert "left out, without a T2-weighted scan: sub-1_ses-1, sub-2, sub-3" in capsys.readouterr().err
    found, _ = of_modality(bids, "flair", lesions=False)
    assert [(scan.name, scan.t1) for scan in found] == [("sub-3", None)]
    assert "without a T1-weighted scan: sub-3" in capsys.readouterr().err
    of_modality(bids, "t1", lesions=False)
    assert "1 of the scans have several T1w, of which one is taken, for example sub-2_run-1" in capsys.readouterr().err
    with pytest.raises(HarnessError, match="holds no contrast-enhanced T1-weighted scan, which the run scores"):
        of_modality(bids, "t1c", lesions=False)


def test_a_lesion_on_other_voxels_costs_the_page_its_outline_alone(bids, capsys):
    mask = bids / "derivatives" / "manual" / "sub-2_label-lesion_mask.nii.gz"
    nifti(mask, np.ones((4, 5, 6), np.uint8), NATIVE.affine)
    found, lost = of_modality(bids, "t1", lesions=True)
    assert ([bool(scan.lesion) for scan in found], lost) == ([False, True, False], 0)
    assert "lesion masks on other voxels than the scan's are not shown: sub-2" in capsys.readouterr().err


@pytest.fixture
def options(bids, trained) -> list[object]:
    """Options of `score` for the derivatives of the data set."""
    out = bids / "derivatives" / "intensity"
    return ["--run", trained, "--image", bids, "--out", out, "--device", "cpu", "--threshold", 0.6]


def test_derivatives_have_the_names_and_values_of_bids(bids, options, trained, placed, tmp_path):
    out, done = bids / "derivatives" / "intensity", call("score", *options)
    assert placed == [
        ("t1", "sub-1_ses-1_acq-mprage_T1w.nii", None, None),
        ("t1", "sub-1_ses-2_T1w.nii", None, None),
        ("t1", "sub-2_run-1_T1w.nii", None, None),
    ]
    lines = [line for line in done.stderr.splitlines() if " of 3, " in line]
    assert len(lines) == 3
    assert lines[0].startswith("1 of 3, sub-1_ses-1: registering 0 s, scoring 0 s; 91 findings, ")
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    begin = "sub-1/ses-1/anat/sub-1_ses-1_acq-mprage_desc-"
    ending = [
        f"{kind}.{suffix}"
        for kind in ("brain_mask", "intensity_mask", "intensity_probseg")
        for suffix in ("json", "nii.gz")
    ]
    assert [name for name in files if "ses-1" in name] == [f"{begin}{end}" for end in ending]
    assert [name for name in files if "sub-" not in name] == [
        ".bidsignore",
        "dataset_description.json",
        "maps.csv",
        "maps.json",
    ]
    assert list(pd.read_csv(out / "maps.csv").threshold) == [0.6] * 3

    flat, *_ = scorer(trained).score(bids / "sub-2/anat/sub-2_run-1_T1w.nii", None, tmp_path / "flat.nii.gz")
    stored = out / "sub-2/anat/sub-2_run-1_desc-intensity_probseg.nii.gz"
    scores = values(flat).astype(float)
    np.testing.assert_allclose(values(stored), scores / (scores + 0.6), rtol=1e-6)
    np.testing.assert_allclose(read_scores(stored)[0].transpose(2, 1, 0), scores, rtol=1e-5)
    about = read_json(stored.with_name("sub-2_run-1_desc-intensity_probseg.json"))
    assert (about[HALF], about["Threshold"], about["Run"]["method"]) == (0.6, 0.6, "intensity")
    assert about["Sources"] == ["bids:raw:sub-2/anat/sub-2_run-1_T1w.nii"]
    assert read_json(stored.with_name("sub-2_run-1_desc-brain_mask.json"))["Type"] == "Brain"
    described = read_json(out / "dataset_description.json")
    assert described["DatasetType"] == "derivative"
    assert described["SourceDatasets"] == [{"URL": "../..", "DOI": "doi:1/2"}]


def test_derivatives_are_evaluated_with_the_lesions_of_their_source(bids, options, trained, placed, tmp_path):
    out = bids / "derivatives" / "intensity"
    call("score", *options)
    flat, *_ = scorer(trained).score(bids / "sub-2/anat/sub-2_run-1_T1w.nii", None, tmp_path / "flat.nii.gz")
    done = call("evaluate", "--maps", out, "--labels", bids)
    assert f"{bids} has no lesion mask of sub-1_ses-1: their maps are not evaluated" in done.stderr
    result = json.loads(done.stdout)
    assert "`--unmasked healthy` counts those without a lesion as healthy" in done.stderr
    done = call("evaluate", "--maps", out, "--labels", bids, "--unmasked", "healthy", "--subjects", tmp_path / "a.csv")
    assert (json.loads(done.stdout)["subjects"], json.loads(done.stdout)["positives"]) == (3, result["positives"])
    assert pd.read_csv(tmp_path / "a.csv").set_index("subject").anomalous["sub-1_ses-1"] == 0
    (tmp_path / "flat").mkdir()
    (tmp_path / "labels").mkdir()
    for number in range(2):
        shutil.copy(flat, tmp_path / "flat" / f"{number}.nii.gz")
        shutil.copy(
            bids / "derivatives/manual/sub-2_label-lesion_mask.nii.gz", tmp_path / "labels" / f"{number}.nii.gz"
        )
        brain = tmp_path / "flat" / "brain" / f"{number}.nii.gz"
        brain.parent.mkdir(exist_ok=True)
        shutil.copy(tmp_path / "brain" / "flat.nii.gz", brain)
    plain = call("evaluate", "--maps", tmp_path / "flat", "--labels", tmp_path / "labels")
    expected = json.loads(plain.stdout)
    for key in ("ap", "dice", "auroc", "threshold", "voxels", "positives", "subjects"):
        assert result[key] == pytest.approx(expected[key], rel=1e-4)
    assert result["brain"]


def test_derivatives_are_kept_where_map_and_sidecar_are_there(bids, options, placed):
    call("score", *options)
    stored = bids / "derivatives/intensity/sub-2/anat/sub-2_run-1_desc-intensity_probseg.nii.gz"
    before = stored.stat().st_mtime_ns
    assert "3 of 3 maps were there and are kept" in call("score", *options).stderr
    assert stored.stat().st_mtime_ns == before
    sidecar = stored.with_name("sub-2_run-1_desc-intensity_probseg.json")
    about = read_json(sidecar)
    sidecar.unlink()
    with pytest.raises(HarnessError, match=rf"{sidecar.name} beside it states no {HALF}; score the scan again"):
        read_scores(stored)
    assert "2 of 3 maps were there and are kept" in call("score", *options).stderr
    assert read_json(sidecar) == about
    (bids / "sub-2/anat/sub-2_run-1_T1w.nii").unlink()
    said = call("score", *options).stderr
    assert f"{stored}: of another scan of sub-2 than sub-2_run-2_desc-intensity_probseg.nii.gz" in said


def test_names_keep_the_entities_that_bids_has_for_masks(tmp_path):
    made = Derivative(tmp_path, tmp_path / "out", "PaDiM", {"method": "am_cons-upd", "map": "raw"}, 1.0)
    name = "sub-1_ses-2_space-MNI152_run-02_acq-my-own_inv-1_desc-preproc_T1w.nii"
    places = made.places("sub-1_ses-2", tmp_path / name)
    begin = tmp_path / "out/sub-1/ses-2/anat/sub-1_ses-2_acq-myown_run-02_space-MNI152_desc"
    assert str(places.map) == f"{begin}-amconsupdRaw_probseg.nii.gz"
    assert str(places.brain) == f"{begin}-brain_mask.nii.gz"
    assert str(places.mask) == f"{begin}-amconsupdRaw_mask.nii.gz"
    for path in (places.map, places.brain):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert find(tmp_path / "out") == ({"sub-1_ses-2": places.map}, {"sub-1_ses-2": places.brain})
    (places.map.parent / "sub-1_ses-2_desc-other_probseg.nii.gz").touch()
    with pytest.raises(HarnessError, match="a second map of sub-1_ses-2"):
        find(tmp_path / "out")


def test_a_sheet_is_scored_by_subject_with_its_brain_masks(bids, trained, placed, tmp_path):
    sheet, out = tmp_path / "subjects.csv", tmp_path / "maps"
    given = ["--dataset", "x", "--layout", "bids", "--root", bids, "--out", sheet, "--role", "test"]
    call("index", *given)
    call("score", "--run", trained, "--image", sheet, "--out", out, "--device", "cpu")
    assert sorted(path.name for path in out.glob("*.nii.gz")) == ["sub-1.nii.gz", "sub-2.nii.gz"]
    done = call("evaluate", "--maps", out, "--labels", sheet)
    assert done.stderr.startswith(f"brain masks: {out / 'brain'};")  # nothing is passed over
    assert json.loads(done.stdout)["subjects"] == 2
    # A session of BIDS and its row in the sheet are one subject.
    ((_, of_bids), (_, of_sheet)) = (
        *labels(bids, {"sub-1": out})[0].items(),
        *labels(sheet, {"sub-1_ses-2": out})[0].items(),
    )
    assert of_bids.resolve() == of_sheet.resolve()

    call("index", *given, "--unmasked", "healthy")
    (out / "sub-1.nii.gz").rename(out / "sub-3.nii.gz")
    (out / "brain" / "sub-1.nii.gz").rename(out / "brain" / "sub-3.nii.gz")
    voxels = json.loads(done.stdout)["voxels"], json.loads(done.stdout)["positives"]
    done = call("evaluate", "--maps", out, "--labels", sheet)
    assert (json.loads(done.stdout)["voxels"], 2 * json.loads(done.stdout)["positives"]) == voxels
    assert f"{sheet}: the lesion masks of sub-1 are not evaluated, which have no map" in done.stderr

    own = tmp_path / "own.csv"
    own.write_text("subject,t1,brain,mask\nanna,bids/sub-2/anat/sub-2_run-1_T1w.nii,b.nii.gz,\n")
    (tmp_path / "b.nii.gz").touch()
    placed.clear()
    call("score", "--run", trained, "--image", own, "--out", tmp_path / "own", "--device", "cpu")
    assert placed == [("t1", "sub-2_run-1_T1w.nii", None, "b.nii.gz")]
    for chosen in ("leave_out", "healthy"):
        line = fails("evaluate", "--maps", tmp_path / "own", "--labels", own, "--unmasked", chosen)
        assert "no lesion mask of a subject that has a map" in line
        assert "maps of controls alone set thresholds, as --healthy" in line
    assert "no subject of this name" in fails("evaluate", "--maps", out, "--labels", own)
    row = "bids/sub-2/anat/sub-2_run-1_T1w.nii"
    own.write_text(f"subject,t1\nanna,{row}\nbert,gone.nii\ncleo,{row}\ncleo,{row}\n")
    placed.clear()
    done = ended("score", "--run", trained, "--image", own, "--out", tmp_path / "some", "--device", "cpu")
    assert "left out: bert: line 3, t1: no file" in done.stderr
    assert "left out: cleo: stands twice in own.csv, again on line 5" in done.stderr
    assert ("2 of the scans could not be scored" in str(done.exception), len(placed)) == (True, 1)
    own.write_text("subject,t1\n../anna,b.nii.gz\n")
    assert "'../anna' is no name of a file" in fails("score", "--run", trained, "--image", own, "--out", tmp_path / "o")


def test_what_a_data_set_names_itself_is_not_given(bids, trained, tmp_path):
    given = ["--run", trained, "--image", bids, "--out", tmp_path / "o", "--html"]
    assert "is a data set, which names such scans itself" in fails("score", *given, "--truth", tmp_path)
    assert "--image" in fails("score", *given[:2], "--image", tmp_path / "gone.csv", *given[4:])
    assert "names a file, but there are several scans" in fails("score", *given[:4], "--out", tmp_path / "x.nii.gz")
    (tmp_path / "empty").mkdir()
    assert "is no data set in BIDS" in fails("score", *given[:2], "--image", tmp_path / "empty", *given[4:6])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bids-validator-deno") is None, reason="pip install bids-validator-deno")
def test_the_public_validator_finds_no_error(bids, trained, placed, tmp_path):
    out = tmp_path / "derivatives"
    (bids / "sub-1/ses-1/anat/sub-1_ses-1_acq-mprage_T1w.nii").rename(
        bids / "sub-1/ses-1/anat/sub-1_ses-1_acq-mprage_ce-gd_rec-n_run-1_echo-1_part-mag_space-own_T1w.nii"
    )
    call("score", "--run", trained, "--image", bids, "--out", out, "--device", "cpu", "--threshold", 0.6, "--html")
    done = subprocess.run(["bids-validator-deno", out, "--format", "json"], capture_output=True, text=True)
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []
    assert json.loads(done.stdout)["summary"]["subjects"] == ["1", "2"]
