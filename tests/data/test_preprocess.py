"""Preprocessing a sheet: a killed run goes on, same input gives same bytes. Bad files: test_bad_input.py."""

import json
import os
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from tests.data.conftest import FAST, NATIVE, mni, nifti
from uadbench.core import checksums
from uadbench.core.errors import HarnessError
from uadbench.core.files import write_json
from uadbench.data.index import sheet
from uadbench.data.index.layout import Files
from uadbench.data.preprocessing import preprocess
from uadbench.data.preprocessing.records.record import known
from uadbench.data.preprocessing.records.report import read_report, write_report
from uadbench.data.preprocessing.settings import Preprocessing


@pytest.fixture(scope="module")
def cohort(tmp_path_factory, extracted_scan):
    """Three subjects: whole, T2 cut short, no mask at all; registered once."""
    folder = tmp_path_factory.mktemp("cohort")
    labels = np.zeros(extracted_scan.data.shape, np.uint8)
    labels[24:30, 30:36, 30:36] = 4
    labels[30:32, 30:36, 30:36] = 1
    rows = []
    for name in ("whole", "t2", "unlabelled"):
        root = folder / "raw" / name
        root.mkdir(parents=True)
        nifti(root / "t1.nii.gz", extracted_scan.data.astype(np.int16), extracted_scan.affine)
        nifti(root / "t2.nii.gz", (900 - extracted_scan.data).astype(np.int16), extracted_scan.affine)
        nifti(root / "mask.nii.gz", labels, extracted_scan.affine)
        mask = None if name == "unlabelled" else Path(name, "mask.nii.gz")
        rows.append((Files(name, Path(name, "t1.nii.gz"), Path(name, "t2.nii.gz"), mask), "test"))
    t2 = folder / "raw" / "t2" / "t2.nii.gz"
    t2.write_bytes(t2.read_bytes()[:3000])
    written = sheet.write(folder / "subjects.csv", folder / "raw", rows)
    outcomes = list(preprocess.preprocess(written, written.rows, folder / "registered", FAST))
    return written, outcomes, folder


def test_without_a_mask_but_healthy_is_kept_with_an_empty_one(cohort):
    written, _, folder = cohort
    row = replace(next(row for row in written.rows if row.subject == "unlabelled"), unmasked="healthy")
    (outcome,) = preprocess.preprocess(written, [row], folder / "healthy", FAST)
    assert (outcome.status, outcome.reason) == ("done", "has no mask: kept as healthy, as the config has it")
    mask = np.asarray(nibabel.load(folder / "healthy" / "unlabelled" / "mask.nii.gz").dataobj)
    assert mask.shape == mni().packed(FAST).shape
    assert not mask.any()
    record = json.loads((folder / "healthy" / "unlabelled" / "subject.json").read_text())
    assert (record["lesion_voxels"], record["lesion_ml"]) == (0, 0)


def test_registered_volumes(cohort, extracted_scan):
    folder = cohort[2] / "registered" / "whole"
    volumes = {path.name.split(".")[0]: nibabel.load(path) for path in folder.glob("*.nii.gz")}
    grid = mni().grid(4.0)
    for volume in volumes.values():
        assert volume.shape == grid.shape
        np.testing.assert_allclose(volume.affine, grid.affine, atol=1e-4)
    data = {name: np.asarray(volume.dataobj) for name, volume in volumes.items()}
    assert ((data["t1"] > 0) == (data["brain"] > 0)).all()
    assert not data["t2"][data["brain"] == 0].any()
    assert set(np.unique(data["mask"])) == {0, 1, 4}
    scale = np.linalg.det(np.array(json.loads((folder / "subject.json").read_text())["template_to_scan"]["t1"])[:3, :3])
    ratio = (data["mask"] > 0).sum() * 4.0**3 / (8 * 6 * 6 * NATIVE.spacing.prod() / scale)
    assert ratio == pytest.approx(1, rel=0.05)


def test_a_second_run_does_nothing(cohort, monkeypatch):
    written, outcomes, folder = cohort
    monkeypatch.setattr(preprocess, "locate", lambda *_: pytest.fail("registered again"))
    stamp = (folder / "registered" / "whole" / "t1.nii.gz").stat().st_mtime_ns
    again = list(preprocess.preprocess(written, written.rows[:1], folder / "registered", FAST))
    assert again == outcomes[:1]
    assert (folder / "registered" / "whole" / "t1.nii.gz").stat().st_mtime_ns == stamp


def test_a_subject_with_a_damaged_record_is_done_again(tmp_path):
    checksums.begin(tmp_path)
    write_json(tmp_path / "a" / "subject.json", {"volumes": {}})
    (tmp_path / "a" / "subject.json").write_text("{}")
    assert known(None, None, tmp_path / "a", FAST, []) is None


def test_a_subject_that_lost_a_scan_is_done_again(cohort, monkeypatch):
    """Who knows whether the scan can be read now."""
    written, _, folder = cohort
    monkeypatch.setattr(preprocess, "_subject", lambda *_: {"lost": [], "template_to_scan": {"t1": []}})
    (again,) = preprocess.preprocess(written, written.rows[1:2], folder / "registered", FAST)
    assert again.status == "done"


@pytest.mark.parametrize("change", ["settings", "time", "half", "damaged"])
def test_what_changed_is_done_again(cohort, monkeypatch, change):
    written, _, folder = cohort
    done: list[str] = []

    def seen(_sheet, row, *_):
        done.append(row.subject)
        return {"lost": [], "template_to_scan": {"t1": []}}

    monkeypatch.setattr(preprocess, "_subject", seen)
    chosen, source = FAST, folder / "raw" / "whole" / "t1.nii.gz"
    stat = source.stat()
    record = folder / "registered" / "whole" / "subject.json"
    text = record.read_text()
    if change == "settings":
        chosen = Preprocessing(spacing=4.0, normalisation="max")
    elif change == "time":
        os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    elif change == "half":
        record.unlink()
    else:
        record.write_text(text[:40])
    list(preprocess.preprocess(written, written.rows[:1], folder / "registered", chosen))
    record.write_text(text)
    if change == "time":
        os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert done == ["whole"]


@pytest.mark.parametrize("name", ["t1", "brain"])
def test_a_damaged_volume_is_done_again(cohort, name):
    written, _, folder = cohort
    row = next(row for row in written.rows if row.subject == "whole")
    path = folder / "registered" / "whole" / f"{name}.nii.gz"
    sound = path.read_bytes()
    path.write_bytes(sound[:-9] + bytes([sound[-9] ^ 1]) + sound[-8:])
    (outcome,) = preprocess.preprocess(written, [row], folder / "registered", FAST)
    assert outcome.status == "done"
    assert path.read_bytes() == sound


def test_the_same_input_gives_the_same_bytes(cohort, tmp_path):
    written, _, folder = cohort
    list(preprocess.preprocess(written, written.rows[:1], tmp_path, FAST))
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert names == ["before.npz", "brain.nii.gz", "mask.nii.gz", "subject.json", "t1.nii.gz", "t2.nii.gz"]
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (folder / "registered" / "whole" / name).read_bytes(), name


def test_reports_come_back_as_written(cohort, tmp_path):
    write_report(tmp_path / "1-of-1.csv", cohort[1])
    assert read_report(tmp_path / "1-of-1.csv") == cohort[1]
    with pytest.raises(HarnessError, match="no such file; make the report with `uadbench preprocess`"):
        read_report(tmp_path / "2-of-2.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(HarnessError, match="no column 'subject'; the columns are a, b; make the report"):
        read_report(tmp_path / "other.csv")


def test_a_template_that_is_missing_is_no_bad_subject(cohort, tmp_path):
    written = cohort[0]
    missing = Preprocessing(template=str(tmp_path / "sri24.nii"))
    with pytest.raises(HarnessError, match="template"):
        list(preprocess.preprocess(written, written.rows, tmp_path, missing))


@budget(deadline=None)
@given(st.integers(0, 30), st.integers(1, 9))
def test_chunks_hold_every_row_once(count, chunks):
    rows = [sheet.Row(f"s{n}", "test", "/", *[""] * 5) for n in range(count)]
    parts = [preprocess.chunk(rows, f"{i}/{chunks}") for i in range(1, chunks + 1)]
    assert sorted(row.subject for part in parts for row in part) == sorted(row.subject for row in rows)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("name", ["0/3", "4/3", "1", "a/b", "-1/3", "1/0"])
def test_a_chunk_has_two_numbers(name):
    with pytest.raises(HarnessError, match="2/8"):
        preprocess.chunk([], name)
    assert preprocess.chunk([], "2-of-8") == []
