"""Nobody is in the training set and in a test set, and no scan twice in a data set: found by the files."""

import os
import re
from pathlib import Path

import pytest

from tests.commands import call, fails

SIZE = 100_000


@pytest.fixture(autouse=True)
def scans(tmp_path, monkeypatch) -> None:
    """s0 to s3, of equal size but another byte in the middle; copy is s1, mask of anyone."""
    monkeypatch.chdir(tmp_path)
    for number in range(4):
        content = bytearray(os.urandom(1) * SIZE)
        content[SIZE // 2] = number
        Path(f"s{number}.nii").write_bytes(content)
    Path("copy.nii").write_bytes(Path("s1.nii").read_bytes())
    Path("mask.nii").write_bytes(b"mask")


def csv(path: str, *lines: str) -> str:
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text("\n".join(["subject,t1,mask,patient", *lines]) + "\n")
    return path


def index(name: str, root: str, role: str = "test", layout: str = "sheet") -> list[object]:
    beside = [word for other in ("h", "a", "b") for word in ("--beside", other)]
    words = ["index", "--dataset", name, "--layout", layout, "--root", root, "--role", role, *beside]
    return [*words, "--out", f"data/{name}/subjects.csv"]


HEALTHY = ("s0,s0.nii,,", "s1,s1.nii,,", "s2,s2.nii,,")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["anna,copy.nii,mask.nii,"], "the same scan is in the training set and in a test set: anna is s1 of h;"),
        (["s3,s3.nii,mask.nii,", *HEALTHY], "s0 is s0 of h, s1 is s1 of h, s2 is s2 of h"),
        (["s1,s3.nii,mask.nii,"], "the same patient is in the training set and in a test set: s1 is s1 of h;"),
        (["later,s3.nii,mask.nii,s2"], "s2 is s2 of h; .* or tell namesakes apart in a column `patient`"),
        (["x,s3.nii,mask.nii,", "y,link.nii,mask.nii,"], "a: has the same scan twice: y is x; exclude one of them"),
    ],
)
def test_the_second_sheet_names_who_is_in_both(lines, message):
    Path("link.nii").symlink_to("s3.nii")
    healthy, sick = index("h", csv("h.csv", *HEALTHY), "healthy"), index("a", csv("a.csv", *lines))
    call(*healthy)
    assert re.search(message, fails(*sick))
    if "twice" not in message:  # whichever comes later
        assert "of a;" in fails(*healthy)


def test_others_go_through():
    call(*index("h", csv("h.csv", *HEALTHY), "healthy"))
    call(*index("a", csv("a.csv", "anna,s3.nii,mask.nii,")))
    call(*index("b", csv("b.csv", "bert,s3.nii,mask.nii,")))  # two test sets may share scans
    call(*index("c", csv("elsewhere/c.csv", "s1,../s3.nii,../mask.nii,")))  # another s1: of another folder


def test_names_of_a_release_are_the_same_people_in_any_folder(tmp_path):
    for root, name in (("one", "IXI012-HH-1211-T1"), ("two", "IXI012-Guys-1300-T1")):
        Path(root).mkdir()
        Path(root, f"{name}.nii").write_bytes(os.urandom(9))
    call(*index("h", "one", "healthy", "ixi"))
    said = fails(*index("a", csv("a.csv", "IXI012,two/IXI012-Guys-1300-T1.nii,mask.nii,")))
    assert "the same patient is in the training set and in a test set: IXI012 is IXI012 of h" in said


def test_simulated_cohorts_are_not_compared():
    for root in ("one", "two"):
        Path(root).mkdir()
        Path(root, "IXI012-HH-1211-T1.nii").write_bytes(b"scan")
        Path(root, "SIMULATED").touch()
    csv("two/a.csv", "IXI012,IXI012-HH-1211-T1.nii,../mask.nii,")
    call(*index("h", "one", "healthy", "ixi"))
    call(*index("a", "two/a.csv"))


def test_visits_are_counted_and_held_out_together():
    lines = [f"v{number},s{number}.nii,,{'anna' if number < 2 else ''}" for number in range(4)]
    arguments = index("h", csv("h.csv", *lines), "healthy")
    said = call(*arguments, "--validation", 1).output
    assert said.startswith("h: 4 scans of 3 patients (")
    assert "v0" not in call(*arguments, "--exclude", "anna").output
    assert "2 subjects (2 train)" in call(*arguments, "--exclude", "anna").output
