"""Like with like: the paper's numbers beside its own test sets alone, and marks of maps evaluated on another grid."""

import io

import pandas as pd
import pytest

from tests.paper.conftest import table, write_results
from uadbench.paper import grids, quoting
from uadbench.paper.published import Published
from uadbench.paper.results import Results
from uadbench.paper.writers import latex, markdown, tidy


def real(tmp_path, edit=lambda frame: frame, **changes):
    return write_results(tmp_path / "results.csv", simulated=False, edit=edit, **changes)


def on_atlas(**facts):
    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(**{key: frame[key].mask(frame["task"] == "ATLAS", value) for key, value in facts.items()})

    return edit


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"subjects": 8}, "ATLAS: 8 subjects, not the 655 or 590 of ATLAS v2.0 (training)"),
        ({"subjects": 600}, "ATLAS: 600 subjects, not"),  # neither all nor UPD_study's part
        ({"subjects": 660}, "ATLAS: 660 subjects, not"),
        ({"release": ""}, "ATLAS: the release of the data set is not stated"),
        ({"release": "ixi"}, "ATLAS: the paper has none of T1 of the release ixi"),
        ({"modality": "t2"}, "ATLAS: the paper has none of T2 of the release atlas"),
    ],
)
def test_another_test_set_has_no_number_of_the_paper_and_the_note_says_why(facts, reason, tmp_path):
    path = real(tmp_path, on_atlas(**facts))
    for name in ("table1", "table2"):
        made = table(name, path)
        quoted = {c.task for c in made.columns if c.paper}
        assert quoted == {"BraTS-T1", "BraTS-T2"}
        assert all(row.paper[j] is None for row in made.rows for j, c in enumerate(made.columns) if c.task == "ATLAS")
        assert any(note.startswith(f"The paper's numbers are left out – {reason}") for note in made.notes)


@pytest.mark.parametrize("subjects", [655, 640, 590, 565])
def test_its_own_test_set_has_them_with_a_few_lost_or_as_its_part(subjects, tmp_path):
    made = table("table2", real(tmp_path, on_atlas(subjects=subjects)))
    assert {c.task for c in made.columns if c.paper} == {"ATLAS", "BraTS-T1", "BraTS-T2"}
    assert not any("left out –" in note for note in made.notes)


def test_the_name_of_the_task_decides_nothing(tmp_path):
    path = real(tmp_path, lambda frame: frame.replace({"task": {"ATLAS": "Strokes", "BraTS-T1": "ATLAS"}}))
    made, printed = table("table2", path), Published.read()
    at = {(c.task, c.metric): j for j, c in enumerate(made.columns)}
    row = next(row for row in made.rows if row.method == "disyre")
    for ours, theirs in (("Strokes", "ATLAS"), ("ATLAS", "BraTS-T1")):
        assert row.paper[at[ours, "ap"]] == printed.get("table2", "disyre", theirs, "final", "ap")


def test_simulated_scans_have_none_whatever_is_stated(tmp_path):
    facts = on_atlas(release="atlas", subjects=655)
    made = table("table2", write_results(tmp_path / "results.csv", simulated=(True, False), edit=facts))
    assert not any(column.paper for column in made.columns)
    assert "The paper's numbers are left out – ATLAS, BraTS-T1, BraTS-T2: simulated scans." in made.notes


def test_releases_of_the_papers_tests_are_known():
    from uadbench.data.index import release

    assert {release.find(name).subjects for name, _ in quoting.TESTS.values()} == {655, 369}
    assert {*quoting.TESTS} == {*Published.read().rows["task"]}


def other_grid(frame: pd.DataFrame, **facts: str) -> pd.DataFrame:
    chosen = (frame["method"] == "my_own") & (frame["task"] == "ATLAS")
    return frame.assign(**{key: frame[key].mask(chosen, value) for key, value in facts.items()})


def test_maps_of_another_grid_are_marked_in_every_table_and_format(tmp_path):
    path = real(tmp_path, lambda frame: other_grid(frame, voxel_mm="3", space="native"))
    results = Results.read(path)["full"]
    assert grids.apart(results) == {"my_own": {"ATLAS": "3 mm, native"}}
    for name in ("table2", "detection", "lesions", "subjects"):
        made = table(name, path)
        assert {row.method for row in made.rows if grids.MARK in row.label} == {"my_own"}
        text = (
            "Voxels and space of the evaluation: 4 mm, mni152. † In others, and thus not like with like: My_own & 50%"
        )
        assert f"{text} (ATLAS: 3 mm, native)." in made.notes
    made = table("table2", path)
    assert r"My\_own & 50% †" in markdown.render(made)
    assert r"My\_own \& 50\% \dag{}" in latex.render(made)
    notes = pd.read_csv(io.StringIO(tidy.render(made)), keep_default_na=False).set_index(["method", "task"])
    assert set(notes.loc[("my_own", "ATLAS"), "note"]) == {"evaluated in other voxels or space than most: 3 mm, native"}
    assert set(notes.loc[("my_own", "BraTS-T1"), "note"]) == {""}


@pytest.mark.parametrize(
    ("facts", "text"),
    [({"space": ""}, "4 mm, space not stated"), ({"space": "", "voxel_mm": ""}, "not stated")],
)
def test_what_is_not_known_is_called_so(facts, text, tmp_path):
    results = Results.read(real(tmp_path, lambda frame: other_grid(frame, **facts)))["full"]
    assert grids.apart(results) == {"my_own": {"ATLAS": text}}


def test_results_of_earlier_versions_state_nothing_and_mark_nobody(tmp_path):
    path = real(tmp_path, lambda frame: frame.drop(columns=["release", "voxel_mm", "space"]))
    made = table("table2", path)
    assert "Voxels and space of the evaluation: not stated." in made.notes
    assert not any(grids.MARK in row.label for row in made.rows)
    assert any("the release of the data set is not stated" in note for note in made.notes)
