"""Filters of the study and data of the choices in tables of every format."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tests.paper.conftest import assert_regular, rows, table, write_comparisons, write_results
from uadbench.methods.postprocessing import FILTERED, described
from uadbench.paper import terms
from uadbench.paper.results import Results
from uadbench.paper.writers import html, latex, markdown

ALIKE = {"median": 3, "erosion": 3, "beside": True}


def beside(frame: pd.DataFrame) -> pd.DataFrame:
    """Results with a second score of every method: half of the first."""
    more = frame[frame["score"] == "final"].assign(score=FILTERED, postprocessing=described(ALIKE, FILTERED))
    return pd.concat([frame.assign(postprocessing=""), more.assign(value=more["value"] / 2)])


def replaced(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(postprocessing=described({**ALIKE, "beside": False}, "final"))


@pytest.mark.parametrize("simulated", [True, False])
def test_table2_has_both_numbers_in_every_format(tmp_path, simulated):
    path = write_results(tmp_path / "results.csv", edit=beside, simulated=simulated)
    write_comparisons(tmp_path, [("disyre", other) for other in ("dae", "fae", "my_own")])
    made = table("table2", path)
    cells = {(row["method"], row["task"], row["metric"], row["score"]): row for row in rows(made)}
    for method in ("disyre", "dae", "random"):
        final, alike = (cells[method, "ATLAS", "ap", score] for score in ("final", FILTERED))
        assert float(alike["mean"]) == pytest.approx(float(final["mean"]) / 2, rel=1e-4)
        assert (alike["paper_mean"], alike["best"], alike["chance"]) == ("", "false", final["chance"])
    assert cells["disyre", "ATLAS", "ap", "final"]["best"] == "true"
    text, tex, page = markdown.render(made), latex.render(made), html.render(made)
    assert text.count("AP, filtered alike |") == tex.count(" & AP, filtered alike") == len(made.results.tasks)
    assert page.count("<th>AP, filtered alike</th>") == len(made.results.tasks)
    assert_regular(tex)
    (note,) = [note for note in made.notes if "filter" in note]
    assert note == (
        "AP, filtered alike: of the maps without each method's own filters, brain eroded by 3 x 3 voxels, then median "
        "of 3 x 3 voxels, in axial slices; not tested."
    )


@pytest.mark.parametrize("name", ["table1", "table2", "detection", "protocols"])
def test_every_table_says_that_its_maps_were_filtered_alike(name, tmp_path):
    made = table(name, write_results(tmp_path / "results.csv", edit=replaced))
    (note,) = [note for note in made.notes if "filter" in note]
    assert re.match("All score maps were filtered by the study, in place of .*: brain eroded by 3 x 3", note)
    assert FILTERED not in {column.score for column in made.columns}
    plain = table(name, write_results(tmp_path / "plain.csv"))
    assert not [note for note in plain.notes if "filter" in note]


def test_filters_of_some_methods_alone_are_told(tmp_path):
    """Rows of experiments that were joined."""

    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        return replaced(frame).assign(postprocessing=lambda all: all["postprocessing"].where(all["method"] == "dae"))

    results = Results.read(write_results(tmp_path / "results.csv", edit=edit))["full"]
    assert terms.filters(results)[0].startswith("Some score maps were filtered")


def chosen(tmp_path: Path, texts: dict[str, str]) -> str:
    path = write_results(tmp_path / "r.csv", edit=lambda frame: frame.assign(tuned_on=frame["method"].map(texts)))
    (note,) = [note for note in table("table2", path).notes if note.startswith("Data on which")]
    return note


def test_the_data_of_the_choices_are_stated_or_not_stated(tmp_path):
    said = "Data on which hyper-parameters were chosen"
    assert chosen(tmp_path, {}) == f"{said}: not stated."
    same = dict.fromkeys(("disyre", "dae", "fae", "my_own"), "a cohort")
    assert chosen(tmp_path, same) == f"{said}: a cohort."
    assert chosen(tmp_path, same | {"fae": "published defaults", "random": "x"}) == (
        f"{said} – DAE, DISYRE, My_own & 50%: a cohort; FAE: published defaults."
    )
    assert "FAE: not stated." in chosen(tmp_path, {**same, "fae": ""})


def test_sides_of_one_voxel_are_no_filter():
    assert described(None, "final") == described(ALIKE, "final") == ""
    assert described({"median": 5, "erosion": 1, "beside": False}, "final") == "median of 5 x 5 voxels, in axial slices"
    assert described({"median": 1, "erosion": 1, "beside": False}, "final") == "no filter"


def test_a_method_that_was_edited_between_seeds_is_named(tmp_path):
    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        later = (frame["method"] == "dae") & (frame["seed"] == frame["seed"].max())
        return frame.assign(code=[f"{'b' if new else 'a'}" * 12 for new in later])

    made = Results.read(write_results(tmp_path / "results.csv", edit=edit))["full"]
    *early, late = sorted(made.rows["seed"].unique())
    groups = f"{', '.join(map(str, early))} / {late}"
    assert terms.edited(made) == [f"The file of a method was edited between its seeds: DAE (seeds {groups})."]
    assert any("DAE (seeds" in note for note in table("table2", tmp_path / "results.csv").notes)
    assert terms.edited(Results.read(write_results(tmp_path / "equal.csv"))["full"]) == []


def test_tasks_of_a_wide_table_stand_below_one_another(tmp_path, monkeypatch):
    monkeypatch.setattr(html, "WIDE", 8)
    path = write_results(tmp_path / "results.csv", edit=beside)
    write_comparisons(tmp_path, [("disyre", other) for other in ("dae", "fae", "my_own")])
    made = table("table2", path)
    row = next(i for i, row in enumerate(made.rows) if row.method == "disyre")
    made = replace(made, best=frozenset({(row, 0), (row, len(made.columns) - 2)}))  # in the first and the last task
    parts = re.findall("<table>.*?</table>", html.render(made), re.DOTALL)
    assert [re.findall(r'<th colspan="\d+">([^<]+)</th>', part) for part in parts] == [[task] for task in made.spans]
    for task, part in zip(made.spans, parts, strict=True):
        wanted = [n for n, column in enumerate(made.columns) if column.task == task]
        cells = re.findall(r"<td[^>]*>(.*?)</td>", part.split("<td>DISYRE</td>")[1].split("</tr>")[0])
        ours = [made.rows[row].ours[n].text() for n in wanted]
        assert [re.sub("</?b>", "", cell) for cell in cells] == ours
        assert ["<b>" in cell for cell in cells] == [(row, n) in made.best for n in wanted]
    assert html.render(table("protocols", path)).count("<table>") == 1
