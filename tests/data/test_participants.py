"""Age, sex, site and scanner: from participants.tsv or the own CSV into the subject sheet."""

from pathlib import Path

import pytest

from tests.commands import call
from uadbench.data.index import participants, sheet

TABLE = "\ufeffParticipant_ID\t Age \tsex\thandedness\nsub-01\t61.5\tF\tR\n02\tn/a\t\tL\n\t3\tM\tR\nsub-03\t\n"


def bids(root: Path, subjects: tuple[str, ...]) -> Path:
    for name in subjects:
        path = root / f"sub-{name}" / "anat" / f"sub-{name}_T1w.nii.gz"
        path.parent.mkdir(parents=True)
        path.touch()
    return root


def test_participants_of_bids_reach_the_sheet(tmp_path: Path) -> None:
    root = bids(tmp_path / "raw", ("01", "02", "03", "04"))
    (root / "participants.tsv").write_text(TABLE, encoding="utf-8")
    call("index", "--dataset", "d", "--layout", "bids", "--root", root, "--out", tmp_path / "d" / "subjects.csv")
    rows = {
        row.subject: (row.age, row.sex, row.site, row.scanner) for row in sheet.read(tmp_path / "d/subjects.csv").rows
    }
    assert rows == {
        "sub-01": ("61.5", "F", "", ""),
        "sub-02": ("", "", "", ""),
        "sub-03": ("", "", "", ""),
        "sub-04": ("", "", "", ""),
    }


def test_visits_have_the_age_of_their_own_line_else_of_their_patient() -> None:
    known = {"01": {"age": "60"}, "01_ses-2": {"age": "62"}}
    assert [participants.of(name, "sub-01", known)["age"] for name in ("sub-01_ses-1", "sub-01_ses-2")] == ["60", "62"]


def test_columns_of_an_own_csv_reach_the_sheet(tmp_path: Path) -> None:
    (tmp_path / "anna.nii.gz").touch()
    (tmp_path / "mine.csv").write_text("subject,t1,scanner,age\nanna,anna.nii.gz,B,NA\n")
    out = tmp_path / "d" / "subjects.csv"
    call("index", "--dataset", "d", "--layout", "sheet", "--root", tmp_path / "mine.csv", "--out", out)
    (row,) = sheet.read(out).rows
    assert (row.age, row.sex, row.site, row.scanner) == ("", "", "", "B")


@pytest.mark.parametrize("text", [b"", b"name\tage\nx\t3\n", b"\xff\xfe\x00participant_id\n", b"participant_id"])
def test_a_table_of_another_kind_says_nothing(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "participants.tsv").write_bytes(text)
    assert participants.read(tmp_path) == {}


def test_sheets_without_these_columns_are_read(tmp_path: Path) -> None:
    path = tmp_path / "subjects.csv"
    path.write_text(",".join(sheet.COLUMNS) + "\na,train,raw,a.nii,,,,,,,,\n")
    assert sheet.read(path).rows[0].age == ""
