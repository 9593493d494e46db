"""Joined results: whose numbers are whose, what is refused, and bold only where a test compares all rivals."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.commands import call
from tests.paper.conftest import TASKS, write_comparisons, write_results
from uadbench.core.errors import HarnessError
from uadbench.evaluation.summary.subgroups import COLUMNS
from uadbench.paper.joining import join
from uadbench.paper.results import Results

Edit = Callable[[pd.DataFrame], pd.DataFrame]


def study(folder: Path, methods: list[str], experiment: str, edit: Edit = lambda frame: frame, **changes) -> Path:
    """The folder of a study, as `results/demo`."""
    (folder / "evaluation").mkdir(parents=True)
    path = folder / "evaluation" / "results.csv"
    write_results(path, methods, edit=lambda frame: edit(frame.assign(experiment=experiment)), **changes)
    return folder


@pytest.fixture
def ours(tmp_path) -> Path:
    folder = study(tmp_path / "ours", ["disyre", "dae", "random"], "ours")
    write_comparisons(folder / "evaluation", [("disyre", "dae")], experiment="ours")
    return folder


def joined(*arguments: object) -> tuple[Path, str]:
    """Run the command; returns its folder, the last of `arguments`, and its text on standard error."""
    *given, out = arguments
    return Path(out), call("join", *given, "--out", out).stderr


def test_rows_of_both_stand_side_by_side_and_say_whose_they_are(ours, tmp_path):
    theirs = study(tmp_path / "theirs", ["fae", "dae"], "theirs", seeds=(7, 8), tasks={"ATLAS": 0.011})
    write_comparisons(theirs / "evaluation", [("dae", "fae")], experiment="theirs")
    out, _ = joined(ours, theirs / "evaluation", tmp_path / "out")
    results = Results.read(out / "results.csv")["full"]
    assert results.experiments == {
        "ours": ["DISYRE", "DAE (ours)", "Random"],
        "theirs": ["FAE", "DAE (theirs)"],
    }
    for folder, name, seeds in ((ours, "dae (ours)", 4), (theirs, "dae (theirs)", 2)):
        own = Results.read(folder / "evaluation" / "results.csv")["full"].get("dae", "ATLAS", "final", "ap")
        made = results.get(name, "ATLAS", "final", "ap")
        assert (made.mean, made.std) == pytest.approx((own.mean, own.std))
        assert (made.seeds, len(own.seeds)) == (own.seeds, seeds)
    tests = pd.read_csv(out / "comparisons.csv")
    assert {*zip(tests["experiment"], tests["method"], tests["other"], strict=True)} == {
        ("ours", "dae (ours)", "disyre"),
        ("theirs", "dae (theirs)", "fae"),
    }
    text = (out / "table2.md").read_text(encoding="utf-8")
    assert "ours: DISYRE, DAE (ours), Random; theirs: FAE, DAE (theirs)" in text
    table = pd.read_csv(out / "table2.csv").set_index(["method", "task", "metric"])["experiment"]
    assert table["fae", "ATLAS", "ap"] == "theirs"
    assert {path.stem for path in out.glob("*.tex")} == {
        *("detection", "lesions", "subgroups", "subjects", "table1", "table2")
    }


def test_subgroups_go_along_under_the_names_of_their_methods(ours, tmp_path):
    theirs = study(tmp_path / "theirs", ["fae", "dae"], "theirs", seeds=(7, 8))
    copied = study(tmp_path / "copied", ["disyre", "intensity"], "copied", seeds=(0, 1, 2, 3))
    for folder, methods in ((ours, ["disyre", "dae"]), (theirs, ["dae"]), (copied, ["disyre"])):
        facts = {"experiment": folder.name, "task": "ATLAS", "metric": "subject_ap", "variable": "sex", "level": "F"}
        table = pd.DataFrame([{**facts, "method": method, "value": 0.4} for method in methods], columns=COLUMNS)
        table.to_csv(folder / "evaluation" / "subgroup_means.csv", index=False)
    out, _ = joined(ours, theirs, copied, tmp_path / "out")
    table = pd.read_csv(out / "subgroup_means.csv")
    assert {*zip(table["experiment"], table["method"], strict=True)} == {
        *(("ours", "disyre"), ("ours", "dae (ours)"), ("theirs", "dae (theirs)"))
    }
    assert "sex: F" in (out / "subgroups.md").read_text(encoding="utf-8")


def test_bold_needs_a_test_against_every_rival_in_the_column(ours, tmp_path):
    theirs = study(
        tmp_path / "theirs", ["fae"], "theirs", tasks={"BraTS-T1": 0.045}, edit=lambda f: f.assign(test_set=f"{1:012x}")
    )
    write_comparisons(ours / "evaluation", [("disyre", "dae")], experiment="ours")
    bold = lambda out: {*pd.read_csv(out / "table2.csv").query("best == True")["task"]}  # noqa: E731
    assert bold(joined(ours, theirs, tmp_path / "apart")[0]) == {"ATLAS"}  # which theirs lacks
    also = study(tmp_path / "also", ["fae"], "also", tasks={"ATLAS": 0.011})
    assert bold(joined(ours, also, tmp_path / "beside")[0]) == set()


def test_a_copy_is_shown_once_and_another_study_of_that_name_is_told_apart(ours, tmp_path):
    copy = study(tmp_path / "copy", ["disyre", "dae", "random"], "ours", seeds=(0, 1, 2, 3))
    out, notices = joined(ours, copy, tmp_path / "out")
    assert len(pd.read_csv(out / "results.csv")) == len(pd.read_csv(ours / "evaluation" / "results.csv"))
    assert notices.count("the same numbers") == 3
    other = study(tmp_path / "other", ["dae"], "ours", seeds=(5,))
    results = Results.read(joined(ours, other, tmp_path / "two")[0] / "results.csv")["full"]
    assert [title for _, title, _ in results.methods] == [
        "DISYRE",
        f"DAE (ours, {ours})",
        "Random",
        f"DAE (ours, {other})",
    ]


def other_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(value=frame["value"] + 1e-6)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda frame: frame.assign(protocol="upd"), "no protocol.*ours: full; theirs: upd"),
        (lambda frame: frame.assign(test_set="abc"), r"ATLAS: not one test set.*theirs: abc"),
        (lambda frame: frame.assign(test_set=""), "theirs: ATLAS has no digest"),
        (lambda frame: frame.assign(revision=2), "dae: revision 1 in ours, 2 in theirs"),
        (lambda frame: frame.assign(revision=""), "dae: revision 1 in ours, unknown in theirs"),
        (other_numbers, "dae: seed 0 on ATLAS has other numbers in theirs than in ours"),
        (lambda frame: frame.drop(columns="test_set"), "no column 'test_set'.*summarize"),
    ],
)
def test_what_does_not_belong_together_is_refused(edit, words, ours, tmp_path):
    theirs = study(tmp_path / "theirs", ["dae"], "theirs", edit=edit)
    with pytest.raises(HarnessError, match=words) as refused:
        join([ours, theirs])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("edit", [other_numbers, lambda frame: frame.assign(revision=2)])
def test_numbers_of_the_first_are_kept_where_asked_for(edit, ours, tmp_path):
    theirs = study(tmp_path / "theirs", ["dae", "fae"], "theirs", edit=edit)
    tables, notices = join([ours, theirs], prefer_first=True)
    results = tables["results.csv"]
    assert results.groupby("experiment")["title"].unique().map(list).to_dict() == {
        "ours": ["DISYRE", "DAE", "Random"],
        "theirs": ["FAE"],
    }
    assert len(notices) == 1


def test_a_task_of_one_alone_needs_no_digest_and_protocols_of_one_alone_are_left_out(ours, tmp_path):
    theirs = study(
        tmp_path / "theirs",
        ["fae"],
        "theirs",
        tasks={"Mine": 0.1},
        edit=lambda f: pd.concat([f.assign(test_set=""), f.assign(test_set="", protocol="upd")]),
    )
    tables, notices = join([ours, theirs])
    results = tables["results.csv"]
    assert set(results["task"]) == {*TASKS, "Mine"}
    assert set(results["protocol"]) == {"full"}
    assert "protocol upd" in notices[0]


def test_files_that_are_missing_or_given_twice_are_named(ours, tmp_path):
    with pytest.raises(HarnessError, match=r"nowhere: no results\.csv"):
        join([ours, tmp_path / "nowhere"])
    with pytest.raises(HarnessError, match="one experiment alone"):
        join([ours])
    with pytest.raises(HarnessError, match="given twice"):
        join([ours, ours / "evaluation" / "results.csv"])


def test_the_papers_number_stands_beside_each_of_two_rows(tmp_path):
    folders = [
        study(tmp_path / name, ["dae"], name, seeds=seeds, simulated=False)
        for name, seeds in (("a", (1,)), ("b", (2,)))
    ]
    rows = pd.read_csv(joined(*folders, tmp_path / "out")[0] / "table2.csv")
    rows = rows[(rows["task"] == "ATLAS") & (rows["metric"] == "ap")].set_index("method")["paper_mean"]
    assert rows["dae (a)"] == rows["dae (b)"] == 0.05
    assert "dae" not in rows.index
