"""Selection of subjects by columns of participants.tsv, as tables of real data sets spell them."""

import pytest

from tests.commands import ROOT, call, fails
from tests.data.conftest import touch
from uadbench.core.errors import HarnessError
from uadbench.data.index import participants, sheet, where
from uadbench.study.checks import experiment as checked
from uadbench.study.config_files import read

HOLDS = [
    ("control", "Control", True),
    ("control", "contr", False),
    ("Meningioma II", "meningioma*", True),
    ("Oligo-astrocytoma II", "*astrocytoma*", True),
    ("1", "1.0", True),
    ("01", "1", True),
    ("40", "40-80", True),
    ("80", "40-80", True),
    ("80.5", "40-80", False),
    ("39.9", "40–80", False),
    ("61,5", "61-62", True),
    ("089Y", "80-90", True),
    ("89+", "80-89", True),
    ("> 89", "60-", True),
    ("40-44", "40-80", True),
    ("38-42", "40-80", False),
    ("1-2", "1-2", True),
    ("", "40-80", False),
    ("", "*", False),
    ("", "n/a", True),
    ("45", "n/a", False),
    ("young", "40-80", False),
    ("-3", "-3", True),
]


@pytest.mark.parametrize(("cell", "value", "held"), HOLDS)
def test_a_cell_has_a_value(cell, value, held):
    assert where.holds(cell, value) == held


@pytest.mark.parametrize(
    ("columns", "age"),
    [
        (["sex", "Age"], "age"),
        (["age_onset", "age_scan"], "age_scan"),
        (["agepet_w1", "agemri_w2", "agemri_w1"], "agemri_w2"),
        (["age_at_stroke"], "age_at_stroke"),
        (["age at mri", "age (years)"], "age at mri"),
        (["stage", "image", "age_group"], None),
    ],
)
def test_the_age_at_the_scan_is_known_under_other_names(columns, age):
    assert participants.source("age", [participants.plain(column) for column in columns]) == age


TABLE = "\ufeffparticipant_id\t Group \tage  (y)\tgender\nsub-1\thc\t50\tF\n2\tpat\tn/a\tM\nsub-9\thc\t70\tF\nsub-3\n"


@pytest.fixture
def root(tmp_path):
    for name in ("1", "2", "3", "4"):
        touch(tmp_path / "raw", f"sub-{name}/anat/sub-{name}_T1w.nii.gz")
    (tmp_path / "raw" / "participants.tsv").write_text(TABLE, encoding="utf-8")
    return tmp_path / "raw"


@pytest.mark.parametrize(
    ("conditions", "subjects"),
    [
        (["group=hc"], ["sub-1"]),
        (["GROUP=pat"], ["sub-2"]),
        (["group=hc", "group=pat"], ["sub-1", "sub-2"]),
        (["age (y)=40-60"], ["sub-1"]),
        (["age=40-60", "sex=f"], ["sub-1"]),
        (["age=n/a"], ["sub-2", "sub-3"]),
    ],
)
def test_index_takes_those_who_meet_all_conditions(root, tmp_path, conditions, subjects):
    out = tmp_path / "subjects.csv"
    words = [f"--where={condition}" for condition in conditions]
    done = call("index", "--dataset", "x", "--layout", "bids", "--root", root, "--out", out, *words)
    assert [row.subject for row in sheet.read(out).rows] == subjects
    assert "x: these are, of 4 subjects, those with" in done.output


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (["group=control"], "where.group: nobody has 'control'; there are hc, pat"),
        (["diagnosis=hc"], "participants.tsv has no column 'diagnosis'; there are group, age (y), gender"),
        (["group=hc", "age=70"], "none of 4 subjects fulfils group hc, age 70; 1 have no line in participants.tsv"),
    ],
)
def test_index_refuses_what_nobody_meets(root, tmp_path, conditions, message):
    words = ["--dataset", "x", "--layout", "bids", "--root", root, "--out", tmp_path / "subjects.csv"]
    said = fails("index", *words, *(f"--where={condition}" for condition in conditions))
    assert said.startswith(f"{root}: ")
    assert message in said
    (root / "participants.tsv").unlink()
    assert "where: no participants.tsv with a column participant_id" in fails("index", *words, "--where", "group=hc")


def config(root, **entry) -> dict:
    values = read(ROOT / "config.yaml") | {"simulate": None}
    sets = {name: {"layout": "bids", "root": str(root)} for name in ("camcan", "atlas", "brats")}
    return values | {"datasets": sets | {"atlas": sets["atlas"] | entry}}


def test_a_config_says_the_same_as_the_options(root):
    chosen = {"where": {"group": ["hc", "pat"], "age": 50}, "masks": "*_x.nii", "contrast": "suffix"}
    options = checked(config(root, **chosen)).index_options("atlas")
    words = "--masks *_x.nii --contrast suffix --where group=hc --where group=pat --where age=50"
    assert words in " ".join(options)
    plain = checked(config(root)).index_options("atlas")
    assert not {"--masks", "--contrast", "--where"} & {*plain}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"where": {"grup": "hc"}}, "datasets.atlas.where: participants.tsv has no column 'grup'; did you mean group"),
        ({"where": {"group": "fcd"}}, "datasets.atlas.where.group: nobody has 'fcd'; there are hc, pat"),
        ({"where": {"group": []}}, "datasets.atlas.where.group"),
        ({"where": {"group": True}}, "datasets.atlas.where.group"),
        ({"where": "group"}, "datasets.atlas.where"),
        ({"contrast": "name"}, "datasets.atlas.contrast: must be one of sidecar, suffix, not 'name'"),
        ({"masks": ""}, "datasets.atlas.masks"),
    ],
)
def test_a_config_is_refused_in_one_line(root, entry, message):
    with pytest.raises(HarnessError) as caught:
        checked(config(root, **entry))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
