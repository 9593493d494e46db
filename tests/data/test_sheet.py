"""The subject sheet: splits by subject, checked rows, and paths that hold in any working folder."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.commands import call, fails
from uadbench.core.errors import HarnessError
from uadbench.data.index import layout, sheet, splits
from uadbench.data.index.layout import Files

SUBJECTS = st.sets(st.from_regex(r"sub-CC[0-9]{6}", fullmatch=True), min_size=2, max_size=40)


def camcan(root: Path, count: int = 5) -> Path:
    for number in range(count):
        path = root / f"sub-CC{100000 + number}" / "anat" / f"sub-CC{100000 + number}_T1w.nii.gz"
        path.parent.mkdir(parents=True)
        path.touch()
    return root


@settings(max_examples=50, deadline=None)
@given(SUBJECTS, st.data(), st.integers(0, 2**31))
def test_split_puts_every_subject_in_exactly_one_part(subjects, data, seed):
    count = data.draw(st.integers(0, len(subjects) - 1))
    parts = splits.by_rule(sorted(subjects), count, seed)
    assert set(parts) == subjects
    assert sum(part == "validation" for part in parts.values()) == count
    assert set(parts.values()) <= {"train", "validation"}
    assert parts == splits.by_rule(sorted(subjects, reverse=True), count, seed)


def test_split_depends_on_the_seed_and_hardly_on_who_else_is_there():
    subjects = [f"sub-CC{n:06d}" for n in range(200)]
    held = {name for name, part in splits.by_rule(subjects, 50, 1).items() if part == "validation"}
    other = {name for name, part in splits.by_rule(subjects, 50, 2).items() if part == "validation"}
    fewer = {name for name, part in splits.by_rule(subjects[1:], 50, 1).items() if part == "validation"}
    assert held != other
    assert len(held & fewer) >= 49


@pytest.mark.parametrize("count", [-1, 5, 6])
def test_split_needs_someone_to_train_on(count):
    with pytest.raises(HarnessError, match="validation"):
        splits.by_rule([f"s{n}" for n in range(5)], count, 0)


def test_index_sorts_splits_and_leaves_out(tmp_path):
    found = sheet.index(layout.load("camcan"), camcan(tmp_path), validation=1, exclude=["sub-CC100002"])
    assert [files.subject for files, _ in found] == [f"sub-CC10000{n}" for n in (0, 1, 3, 4)]
    assert sorted(part for _, part in found) == ["train", "train", "train", "validation"]
    tested = sheet.index(layout.load("bids"), outlined(tmp_path / "patients"), role="test")
    assert {part for _, part in tested} == {"test"}


def test_index_says_what_is_wrong(tmp_path):
    kind = layout.load("camcan")
    with pytest.raises(HarnessError, match=r"gone: no such folder.*cc700"):
        sheet.index(kind, tmp_path / "gone")
    with pytest.raises(HarnessError, match=r"holds no scan.*cc700"):
        sheet.index(kind, tmp_path)
    with pytest.raises(HarnessError, match="sub-CC999999"):
        sheet.index(kind, camcan(tmp_path), exclude=["sub-CC999999"])


@pytest.mark.parametrize("absolute", [True, False])
def test_files_are_found_from_any_folder(tmp_path, monkeypatch, absolute):
    camcan(tmp_path / "raw")
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "raw" if absolute else Path("raw")
    found = sheet.index(layout.load("camcan"), root)
    written = sheet.write(Path("results/a/subjects.csv"), root, found)
    assert os.path.isabs(written.rows[0].root) == absolute
    path = tmp_path / "results/a/subjects.csv"
    monkeypatch.chdir("/")
    again = sheet.read(path)
    assert again.rows == written.rows
    for row in again.rows:
        file = again.file(row, "t1")
        assert file is not None
        assert file.is_file()
        assert again.file(row, "mask") is None


HEADER = ",".join(sheet.COLUMNS) + "\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject,split\na,train\n", "columns"),
        (HEADER, "no subjects"),
        (HEADER + "a,training,/x,t1.nii,,,,,,,,\n", r"line 2, split.*training"),
        (HEADER + "a,train,/x,t1.nii,,,,,,,,\nb c,train,/x,t1.nii,,,,,,,,\n", r"line 3, subject"),
        (HEADER + "a,train,,t1.nii,,,,,,,,\n", r"line 2, root"),
        (HEADER + "../a,train,/x,t1.nii,,,,,,,,\n", r"line 2, subject"),
        (HEADER + "a,train,/x,t1.nii,,,,,,,,\na,test,/x,t1.nii,,,,,,,,\n", r"line 3.*twice"),
    ],
)
def test_read_names_the_line_that_is_wrong(tmp_path, text, message):
    path = tmp_path / "subjects.csv"
    path.write_text(text)
    with pytest.raises(HarnessError, match=message):
        sheet.read(path)


def test_read_without_a_sheet(tmp_path):
    with pytest.raises(HarnessError, match="index"):
        sheet.read(tmp_path / "subjects.csv")


def test_write_refuses_two_subjects_of_one_name(tmp_path):
    files = Files("a", t1=Path("a.nii"))
    with pytest.raises(HarnessError, match="twice"):
        sheet.write(tmp_path / "subjects.csv", tmp_path, [(files, "train"), (files, "test")])
    assert not (tmp_path / "subjects.csv").exists()


def test_verb_prints_one_line(tmp_path):
    camcan(tmp_path / "raw")
    arguments = ["--dataset", "mine", "--layout", "camcan", "--root", tmp_path / "raw"]
    arguments += ["--out", tmp_path / "subjects.csv", "--validation", 2, "--exclude", "sub-CC100000"]
    first, *others = call("index", *arguments).output.splitlines()
    assert first == "mine: 4 subjects (2 train, 2 validation), 4 with t1"
    assert others[0] == "mine: subjects: 5 found, 653 in CamCAN (cc700) release004 BIDS_20190411: 648 too few"
    assert len(sheet.read(tmp_path / "subjects.csv").rows) == 4


def outlined(root: Path) -> Path:
    """Three patients of a BIDS data set, the second without an outline."""
    for number in (1, 2, 3):
        path = root / f"sub-{number}" / "anat" / f"sub-{number}_T1w.nii.gz"
        path.parent.mkdir(parents=True)
        path.touch()
        if number != 2:
            (path.parent / f"sub-{number}_T1w_label-lesion_roi.nii.gz").touch()
    return root


@pytest.mark.parametrize(
    ("unmasked", "subjects", "marked", "said"),
    [
        ("lost", ["sub-1", "sub-2", "sub-3"], ["", "", ""], None),
        ("leave_out", ["sub-1", "sub-3"], ["", ""], "1 subjects of the release have no mask and are left out"),
        ("healthy", ["sub-1", "sub-2", "sub-3"], ["", "healthy", ""], "have no mask and count as healthy"),
    ],
)
def test_patients_without_an_outline_are_a_choice(tmp_path, unmasked, subjects, marked, said):
    arguments = ["--dataset", "x", "--layout", "bids", "--root", outlined(tmp_path / "raw"), "--role", "test"]
    done = call("index", *arguments, "--unmasked", unmasked, "--out", tmp_path / "subjects.csv")
    rows = sheet.read(tmp_path / "subjects.csv").rows
    assert [row.subject for row in rows] == subjects
    assert [row.unmasked for row in rows] == marked
    assert ("no mask" in done.output) == (said is not None)
    assert (said or "") in done.output


def test_unmasked_is_one_of_three(tmp_path):
    given = ["--dataset", "x", "--layout", "bids", "--root", outlined(tmp_path / "raw"), "--out", tmp_path / "s.csv"]
    assert "lost, leave_out, healthy" in fails("index", *given, "--unmasked", "drop")


@pytest.mark.parametrize("linked", ["results", "data", "parent", "nothing"])
def test_a_relative_root_leads_to_the_scans_through_links(tmp_path, monkeypatch, linked):
    """The folder of results, of the data, or one above both may lie on another disk."""
    disk, clone = tmp_path / "disk" / "deep" / "er", tmp_path / "clone"
    disk.mkdir(parents=True)
    (disk / "own").mkdir()
    if linked == "parent":
        clone.symlink_to(disk)
    else:
        clone.mkdir()
    camcan(disk / "own" if linked == "data" else clone / "own")
    if linked in ("results", "data"):
        (clone / {"results": "results", "data": "own"}[linked]).symlink_to(disk / "own" if linked == "data" else disk)
    monkeypatch.chdir(clone)
    found = sheet.index(layout.load("camcan"), Path("own"), validation=1)
    written = sheet.write(Path("results/x/data/h/subjects.csv"), Path("own"), found)
    assert all(written.file(row, "t1").is_file() for row in written.rows)
    read = sheet.read(clone / "results/x/data/h/subjects.csv")
    assert all(read.file(row, "t1").is_file() for row in read.rows)
    assert (read.rows[0].root == "../../../../own") == (linked != "results")
