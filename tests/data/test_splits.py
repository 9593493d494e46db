"""Lists that say who is held out, and the named parts of a test set. The rule: tests/data/test_sheet.py."""

import pytest

from uadbench.core.errors import HarnessError
from uadbench.data.index import splits


def test_camcan_is_split_as_in_the_paper(root):
    """602 subjects to train on and 50 held out, of a release of 653 with the listed ones among them."""
    listed = splits.read_list(root / "uadbench" / "resources" / "splits" / "camcan.csv")
    others = [f"sub-CC9{number:05d}" for number in range(653 - len(listed))]
    parts = list(splits.by_list(root / "uadbench" / "resources" / "splits" / "camcan.csv", [*listed, *others]).values())
    assert [parts.count(part) for part in splits.PARTS] == [602, 50, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,split\na,train\n", "columns"),
        ("# why\nsubject,split\na,trainn\n", "line 3: a, trainn"),
        ("subject,split\na,train\na,validation\n", "line 3: a, validation"),
        ("subject,split\nz,validation\n", "names look like a"),
        ("subject,split\na,validation\nb,left out\n", "nobody to train on"),
    ],
)
def test_a_list_that_is_wrong(tmp_path, text, message):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(HarnessError, match=message):
        splits.by_list(tmp_path / "list.csv", ["a", "b"])
    with pytest.raises(HarnessError, match="no such list"):
        splits.by_list(tmp_path / "gone.csv", ["a", "b"])


@pytest.mark.parametrize(("whole", "part"), [(655, 589), (369, 332), (220, 198)])
def test_the_subset_of_upd_study(whole, part):
    names = [f"s{number:03d}" for number in range(whole)]
    assert splits.subset(names[::-1], "upd") == names[:part]
    assert splits.subset(names[::-1], "all") == names
    with pytest.raises(HarnessError, match="all, upd"):
        splits.subset(names, "half")


PATIENTS = {"a1": "a", "a2": "a", "b1": "b", "b2": "b"}


def test_whole_patients_are_held_out():
    names = ["a1", "a2", "b1", "b2", "c", "d"]
    for seed in range(6):
        parts = splits.by_rule(names, 2, seed, PATIENTS)
        assert (parts["a1"], parts["b1"]) == (parts["a2"], parts["b2"])
        assert len({PATIENTS.get(name, name) for name, part in parts.items() if part == "validation"}) == 2
    alone = {name: f"patient {name[::-1]}" for name in names}  # one scan each: names of patients change nothing
    assert splits.by_rule(names, 2, 5, alone) == splits.by_rule(names, 2, 5)


def test_a_list_divides_no_patient_and_may_name_one(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("subject,split\na1,validation\n")
    with pytest.raises(HarnessError, match="a2 is in train and a1 in validation, both of a; give all scans"):
        splits.by_list(path, ["a1", "a2", "c"], PATIENTS)
    path.write_text("subject,split\na,validation\n")
    assert splits.by_list(path, ["a1", "a2", "c"], PATIENTS) == {"a1": "validation", "a2": "validation", "c": "train"}
