"""The six open data sets as they are published: empty files of their names, indexed with the right counts."""

import json
import shutil
from pathlib import Path

import pytest

from tests.commands import ROOT, call, fails
from uadbench.data.download import tables
from uadbench.data.index import sheet

#: times of the FLAIR that ds004856 names `acq-FLAIR_T2w`, as its sidecars have them
FLAIR = '{"RepetitionTime": 11, "EchoTime": 0.125, "InversionTime": 2.8}'


@pytest.fixture(scope="module")
def trees(tmp_path_factory) -> Path:
    """Folder of the six trees, each with its columns of participants.tsv."""
    top = tmp_path_factory.mktemp("open")
    for columns in sorted((ROOT / "tests" / "data" / "participants").glob("*.tsv")):
        root = top / columns.stem
        paths = [root / file.path for file in tables.load(columns.stem).files]
        for folder in {path.parent for path in paths}:
            folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            times = FLAIR if "acq-FLAIR" in path.name else "{}"
            path.write_text(times if path.suffix == ".json" else "")
        shutil.copy(columns, root / "participants.tsv")
    levels = {str(n): f"{max(1, 5 * n - 4)}-{5 * n} years" for n in range(1, 14)}  # of ds004199, as it describes them
    (top / "ds004199" / "participants.json").write_text(json.dumps({"age_scan": {"Levels": levels}}))
    return top


def indexed(trees: Path, tmp_path: Path, name: str, *options: str) -> tuple[list[str], dict[str, sheet.Row]]:
    """What `index` prints about a tree, and the rows of its sheet by subject."""
    out = tmp_path / name / "subjects.csv"
    done = call("index", "--dataset", "x", "--layout", "bids", "--root", trees / name, "--out", out, *options)
    return done.output.splitlines(), {row.subject: row for row in sheet.read(out).rows}


TEST = ("--role", "test", "--unmasked", "leave_out")
COUNTS = [
    ("ds001226", (), "36 subjects (36 train), 36 with t1, 25 with mask"),
    ("ds001226", TEST, "25 subjects (25 test), 25 with t1, 25 with mask"),
    ("ds002748", (), "72 subjects (72 train), 72 with t1"),
    ("ds004199", (), "170 subjects (170 train), 170 with t1, 170 with flair, 85 with mask"),
    ("ds004856", (), "464 subjects (464 train), 464 with t1, 464 with flair"),
    ("ds004884", (), "230 subjects (230 train), 229 with t1, 229 with t2, 138 with flair, 228 with mask"),
    ("ds004889", TEST, "1455 subjects (1455 test), 1455 with t1, 1455 with flair, 1455 with mask"),
]


@pytest.mark.parametrize(("name", "options", "counts"), COUNTS)
def test_the_published_trees_are_read_whole(trees, tmp_path, name, options, counts):
    (first, *_), rows = indexed(trees, tmp_path, name, *options)
    assert first == f"x: {counts}"
    assert not any(row.problem for row in rows.values())


def test_masks_lie_where_each_set_has_them(trees, tmp_path):
    _, btc = indexed(trees, tmp_path, "ds001226")
    assert {row.mask.split("_", 2)[2] for row in btc.values() if row.mask} == {"space_T1_label-tumor.nii"}
    _, bonn = indexed(trees, tmp_path, "ds004199", *TEST)
    assert all(row.drawn_on == row.flair for row in bonn.values())
    beside = {row.subject for row in bonn.values() if row.mask.replace("_roi", "") != row.flair}
    assert beside == {"sub-00048"}  # whose mask is named after another acquisition
    _, soop = indexed(trees, tmp_path, "ds004889", *TEST)
    assert all(row.drawn_on.endswith("_rec-TRACE_dwi.nii.gz") for row in soop.values())


def test_the_flair_of_ds004856_is_told_and_can_be_refused(trees, tmp_path):
    lines, rows = indexed(trees, tmp_path, "ds004856", "--entity", "run=2")
    (said,) = [line for line in lines if "taken for a FLAIR" in line]
    assert said.startswith("x: 464 subjects have a T2w by name that is taken for a FLAIR by acq-FLAIR")
    assert "TR 11 s, TE 0.125 s, TI 2.8 s" in said
    again = {name for name, row in rows.items() if "run-2" in row.t1 + row.flair}
    assert again == {"sub-752", "sub-754", "sub-779", "sub-2872", "sub-3693"}
    lines, rows = indexed(trees, tmp_path, "ds004856", "--contrast", "suffix")
    assert lines[0] == "x: 464 subjects (464 train), 464 with t1, 464 with t2"


def test_scans_of_another_session_than_the_mask_are_told(trees, tmp_path):
    lines, rows = indexed(trees, tmp_path, "ds004884", *TEST)
    assert "x: 52 subjects have a flair of another session than their mask, the nearest" in "\n".join(lines)
    assert sum(bool(row.flair) for row in rows.values()) == 137


WHERE = [
    ("ds004199", ["group=fcd"], 85),
    ("ds004199", ["group=HC"], 85),
    ("ds004199", ["group=fcd", "split=test"], 28),
    ("ds004199", ["group=fcd", "age=11-20"], 23),
    ("ds004199", ["age_scan=3"], 5),
    ("ds002748", ["group=control"], 21),
    ("ds002748", ["gender=f", "sex=F"], 53),
    ("ds001226", ["tumor type & grade=Meningioma*"], 14),
    ("ds001226", [f"tumor type & grade={kind}" for kind in ("*glioma*", "*astrocytoma*", "Ependymoma*")], 11),
    ("ds001226", ["sex=f", "age=40-50"], 7),
    ("ds004856", ["age=40-80"], 322),
]


@pytest.mark.parametrize(("name", "conditions", "number"), WHERE)
def test_columns_select_subjects(trees, tmp_path, name, conditions, number):
    _, rows = indexed(trees, tmp_path, name, *(f"--where={each}" for each in conditions))
    assert len(rows) == number


def test_one_set_gives_healthy_subjects_and_patients(trees, tmp_path):
    _, healthy = indexed(trees, tmp_path, "ds004199", "--where", "group=hc", "--validation", "5")
    assert not any(row.mask for row in healthy.values())
    _, patients = indexed(trees, tmp_path, "ds004199", "--where", "group=fcd", "--role", "test")
    assert all(row.mask for row in patients.values())
    assert not {*healthy} & {*patients}


def test_age_and_sex_go_along(trees, tmp_path):
    for name, subject, stated in [
        ("ds001226", "sub-PAT01", ("67", "F")),
        ("ds002748", "sub-01", ("39", "m")),
        ("ds004199", "sub-00058", ("16-20", "M")),
        ("ds004856", "sub-1003", ("54", "m")),
        ("ds004884", "sub-M2182", ("27", "F")),
        ("ds004889", "sub-2", ("78", "M")),
    ]:
        _, rows = indexed(trees, tmp_path, name)
        assert (rows[subject].age, rows[subject].sex) == stated, name


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("grp=hc", "participants.tsv has no column 'grp'; did you mean group? there are group, sex, age_scan, split"),
        ("group=control", "where.group: nobody has 'control'; there are fcd, hc"),
        ("age=70-90", "where.age: nobody has '70-90'; there are 11-15, 16-20, 21-25"),
        ("group", "'group' is not like group=control"),
    ],
)
def test_a_condition_that_nobody_meets_is_refused(trees, tmp_path, condition, message):
    words = ["index", "--dataset", "x", "--layout", "bids", "--root", trees / "ds004199", "--out", tmp_path / "s.csv"]
    assert message in fails(*words, "--where", condition)
