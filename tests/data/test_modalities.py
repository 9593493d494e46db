"""Scans of every modality: registered through the T1 or, in data sets without one, straight to the template."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.commands import fails
from tests.data.conftest import FAST, HEAD_AFFINE, NATIVE, POSE, SHIFTS, dice, head, lesion, mni, nifti, off, scanned
from uadbench.core.files import read_json
from uadbench.data.index import sheet
from uadbench.data.index.layout import Files
from uadbench.data.packing import pack
from uadbench.data.preprocessing import preprocess
from uadbench.data.preprocessing.records.report import Outcome
from uadbench.data.quality import cohort

ALL = ("t1", "t2", "flair", "t1c")


def registered(raw: Path, out: Path, *kinds: str, wanted=ALL, **files: str) -> tuple[list[Outcome], Path]:
    named = {kind: Path(f"{kind}.nii.gz") for kind in kinds} | {kind: Path(name) for kind, name in files.items()}
    written = sheet.write(out / "subjects.csv", raw, [(Files("a", **named), "test")])
    again = sheet.read(out / "subjects.csv")
    assert again.rows == written.rows
    return list(preprocess.preprocess(again, again.rows, out / "registered", FAST, wanted)), out / "registered" / "a"


def volume(folder: Path, name: str) -> np.ndarray:
    return np.asarray(nibabel.load(folder / f"{name}.nii.gz").dataobj)


def test_all_modalities_lie_where_the_t1_does(raw, tmp_path):
    outcomes, folder = registered(raw, tmp_path, *ALL, mask="flair-mask.nii.gz")
    assert outcomes == [Outcome("a", "done")]
    record = read_json(folder / "subject.json")
    assert list(record["template_to_scan"]) == list(ALL)
    for kind in ALL:
        assert off(np.array(record["template_to_scan"][kind]), SHIFTS[kind] @ POSE) < 3, kind
    assert dice(volume(folder, "mask") > 0, lesion(mni().packed(FAST))) > 0.85
    deep = volume(folder, "brain") > 0
    values = {kind: volume(folder, kind)[deep] for kind in ALL}
    assert np.corrcoef(values["t1"], values["t1c"])[0, 1] > 0.85
    assert np.corrcoef(values["t1"], values["flair"])[0, 1] < -0.3  # turned round in this simulation


def test_the_quality_page_shows_every_modality(raw, tmp_path):
    outcomes, folder = registered(raw, tmp_path, *ALL, mask="flair-mask.nii.gz")
    found = cohort.build("mine", sheet.read(tmp_path / "subjects.csv"), folder.parent, outcomes)
    (subject,) = found.subjects
    assert {f"histogram_{kind}" for kind in ALL} <= subject.values.keys()
    assert {"T1 as it came", *(f"{kind.upper()} packed" for kind in ALL)} <= subject.pictures.keys()
    outcomes, folder = registered(raw, tmp_path / "other", "flair")
    found = cohort.build("mine", sheet.read(tmp_path / "other" / "subjects.csv"), folder.parent, outcomes)
    assert {"FLAIR as it came", "FLAIR packed"} == found.subjects[0].pictures.keys()
    assert "nmi_reference_flair" in found.subjects[0].values


def test_packed_arrays_are_those_that_were_wanted(raw, tmp_path):
    outcomes, folder = registered(raw, tmp_path, *ALL, wanted=("flair",), mask="flair-mask.nii.gz")
    subjects = sheet.read(tmp_path / "subjects.csv")
    index = pack.pack("mine", subjects, folder.parent, outcomes, tmp_path / "packed", 0.0)
    assert index["modalities"] == ["t1", "flair"]  # through the T1
    array = np.load(tmp_path / "packed" / "flair.npy")
    np.testing.assert_array_equal(array[0], volume(folder, "flair").transpose(2, 1, 0).astype(np.float16))
    assert not (tmp_path / "packed" / "t2.npy").exists()


@pytest.mark.parametrize("kinds", [("t2",), ("flair",), ("t1c",), ("t2", "flair")])
def test_a_data_set_without_t1_is_registered_by_its_first_scan(raw, tmp_path, kinds):
    outcomes, folder = registered(raw, tmp_path, *kinds)
    assert [outcome.status for outcome in outcomes] == ["done"]
    record = read_json(folder / "subject.json")
    assert list(record["template_to_scan"]) == list(kinds)
    assert not (folder / "t1.nii.gz").exists()
    assert dice(volume(folder, "brain") > 0, mni().at(4.0).mask) > 0.8
    for kind in kinds:
        assert off(np.array(record["template_to_scan"][kind]), SHIFTS[kind] @ POSE) < 6, kind


def test_a_subject_without_t1_among_others_with_one_is_left_out(raw, tmp_path):
    rows = [(Files("a", t1=Path("t1.nii.gz")), "train"), (Files("b", t2=Path("t2.nii.gz")), "train")]
    written = sheet.write(tmp_path / "subjects.csv", raw, rows)
    outcomes = list(preprocess.preprocess(written, written.rows, tmp_path / "registered", FAST))
    assert [(found.subject, found.status) for found in outcomes] == [("a", "done"), ("b", "lost")]
    index = pack.pack("mine", written, tmp_path / "registered", outcomes, tmp_path / "packed", 0.9)
    (left,) = index["left_out"]
    assert "t1" in left["modalities"]  # the table of T1 counts it as left out
    assert (outcomes[1].file, outcomes[1].reason[:31]) == ("t2.nii.gz", "has no T1-weighted scan beside ")


def test_a_damaged_scan_costs_its_modality_alone(raw, tmp_path):
    (tmp_path / "bad.nii.gz").write_bytes((raw / "flair.nii.gz").read_bytes()[:3000])
    outcomes, folder = registered(raw, tmp_path, "t1", "t2", flair=str(tmp_path / "bad.nii.gz"))
    assert [found.status for found in outcomes] == ["partial"]
    subjects = sheet.read(tmp_path / "subjects.csv")
    index = pack.pack("mine", subjects, folder.parent, outcomes, tmp_path / "packed", 0.0)
    assert index["subjects"][0]["modalities"] == ["t1", "t2"]
    (left,) = index["left_out"]
    assert left["modalities"] == ["flair"]


def test_a_missing_modality_is_noted_where_others_have_it(raw, tmp_path):
    rows = [
        (Files("a", t1=Path("t1.nii.gz"), flair=Path("flair.nii.gz")), "train"),
        (Files("b", t1=Path("t1c.nii.gz")), "train"),
    ]
    written = sheet.write(tmp_path / "subjects.csv", raw, rows)
    outcomes = list(preprocess.preprocess(written, written.rows, tmp_path / "registered", FAST, ALL))
    assert [found.reason for found in outcomes] == [
        "",
        "has no FLAIR scan beside it, as other subjects have: kept for T1; add it if there is one",
    ]


def test_a_given_brain_is_taken(tmp_path):
    """A head whose brain the user knows: the mask decides, not the search for tissue."""
    scan = scanned(head(), HEAD_AFFINE, POSE, NATIVE)
    known = scanned(mni().mask.astype(np.float32), mni().affine, POSE, NATIVE) > 0.5
    known[: known.shape[0] // 2] &= (
        scanned(mni().at(3.0).image, mni().at(3.0).grid.affine, POSE, NATIVE)[: known.shape[0] // 2] > 0.2
    )
    nifti(tmp_path / "head.nii.gz", scan, NATIVE.affine)
    nifti(tmp_path / "brain.nii.gz", known.astype(np.uint8), NATIVE.affine)
    outcomes, folder = registered(tmp_path, tmp_path / "out", t1="head.nii.gz", brain="brain.nii.gz")
    assert outcomes == [Outcome("a", "done")]
    record = read_json(folder / "subject.json")
    voxel_ml = abs(float(np.linalg.det(NATIVE.affine[:3, :3]))) / 1000
    assert record["brain_ml"] == pytest.approx(known.sum() * voxel_ml, rel=1e-3)
    nifti(tmp_path / "brain.nii.gz", known[2:].astype(np.uint8), NATIVE.affine)
    (outcome,), _ = registered(tmp_path, tmp_path / "other", t1="head.nii.gz", brain="brain.nii.gz")
    assert (outcome.status, outcome.file) == ("lost", "brain.nii.gz")


def test_an_unknown_modality_is_named(tmp_path):
    given = ["--sheet", "x.csv", "--out", tmp_path, "--report", "r.csv", "--modalities", "t1,swi"]
    assert "'swi' is unknown; there are t1, t2, flair, t1c" in fails("preprocess", *given)
