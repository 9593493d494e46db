"""Tables: means and bold by hand, absent numbers, marks of a simulated cohort, and text that each format can hold."""

import csv
import html
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.commands import call
from tests.paper.conftest import assert_regular, rows, table, write_comparisons, write_results
from uadbench.core import latex_text
from uadbench.core.errors import HarnessError
from uadbench.evaluation.voxels.columns import SIMULATED
from uadbench.methods.anomalies.corruption import restoration_times
from uadbench.paper import catalogue
from uadbench.paper.inputs import Sources
from uadbench.paper.results import Results
from uadbench.paper.summary import Summary
from uadbench.paper.table import Table, chance_text
from uadbench.paper.tables import table1
from uadbench.paper.writers import html as html_writer
from uadbench.paper.writers import latex, markdown, tidy
from uadbench.paper.writing import make


def rendered(made: Table) -> dict[str, str]:
    return {"csv": tidy.render(made), "md": markdown.render(made), "tex": latex.render(made)}


def find(made: Table, **wanted: str) -> dict[str, str]:
    (found,) = [row for row in rows(made) if wanted.items() <= row.items()]
    return found


def with_values(values: dict[str, list[float]]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """An edit of results.csv: final AP of each method on ATLAS, one value per seed."""

    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        for method, numbers in values.items():
            for seed, number in enumerate(numbers):
                keep = (frame["method"] == method) & (frame["seed"] == seed) & (frame["task"] == "ATLAS")
                keep &= (frame["score"] == "final") & (frame["metric"] == "ap")
                frame.loc[keep, ["value", "low", "high"]] = [number, number - 0.1, number + 0.2]
        return frame

    return edit


@pytest.fixture(scope="module")
def default(tmp_path_factory) -> Path:
    return write_results(tmp_path_factory.mktemp("default") / "results.csv", simulated=False)


def test_mean_std_and_interval_by_hand(tmp_path):
    path = write_results(tmp_path / "results.csv", edit=with_values({"dae": [0.1, 0.2, 0.3, 0.6]}), simulated=False)
    row = find(table("table2", path), method="dae", task="ATLAS", metric="ap")
    # Mean 0.3; squared deviations .04 + .01 + 0 + .09 = .14, over n - 1 = 3: std = sqrt(.0466667).
    assert float(row["mean"]) == pytest.approx(0.3)
    assert float(row["std"]) == pytest.approx(0.2160247, abs=1e-6)
    assert (float(row["low_one_seed"]), float(row["high_one_seed"])) == (pytest.approx(0.2), pytest.approx(0.5))
    assert row["seeds"] == "4"
    assert (row["paper_mean"], row["paper_std"]) == ("0.05", "")


RIVALS = ("disyre", "fae", "my_own")


def bold(made: Table) -> list[tuple[str, str, str]]:
    return [(row["method"], row["task"], row["metric"]) for row in rows(made) if row["best"] == "true"]


def test_bold_is_what_beats_every_rival_significantly(tmp_path):
    values = {"intensity": [0.9] * 4, "dae": [0.7] * 4, "disyre": [0.5] * 4, "fae": [0.3] * 4, "my_own": [0.69] * 4}
    path = write_results(tmp_path / "results.csv", edit=with_values(values))
    assert bold(table("table2", path)) == []  # no comparisons
    write_comparisons(tmp_path, [("dae", other) for other in RIVALS])
    made = table("table2", path)
    assert bold(made) == [("dae", "ATLAS", "ap")]  # Intensity is higher, but a control
    line = next(line for line in markdown.render(made).splitlines() if " DAE " in line)
    assert "| **0.70** ± 0.00 |" in line
    assert r"\textbf{0.700}\sd{0.000}" in latex.render(made)
    assert "significantly better" in markdown.render(made)


@pytest.mark.parametrize(
    ("better", "changes"),
    [
        ([("dae", "disyre"), ("dae", "fae")], {}),  # not my_own
        ([("dae", other) for other in RIVALS], {"p_holm": 0.06}),
        ([("dae", other) for other in RIVALS], {"p_holm": None}),
        ([("dae", other) for other in RIVALS], {"resampled": "subjects"}),
        ([(other, "dae") for other in RIVALS], {}),
        ([("dae", other) for other in RIVALS], {"protocol": "upd"}),
        ([("dae", other) for other in RIVALS], {"task": "elsewhere"}),
    ],
)
def test_nothing_is_bold_without_such_a_test(better, changes, default, tmp_path):
    path = tmp_path / "results.csv"
    path.write_text(default.read_text())
    write_comparisons(tmp_path, better, **changes)
    assert bold(table("table2", path)) == []


BELOW = "AP below chance in every seed: "


@pytest.mark.parametrize("seeds", [1, 4])
def test_a_method_below_chance_in_every_seed_is_marked_in_every_format(seeds, tmp_path):
    """Chance is 0.011 of a million voxels; a random order of them is below 0.0108 in 2.5 %."""
    values = {"dae": [0.0107, 0.001, 0.002, 0.003], "fae": [0.0109] * 4, "disyre": [0.2, 0.2, 0.001, 0.2]}
    values |= {"random": [0.001] * 4, "intensity": [0.001] * 4}

    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        frame = with_values(values)(frame)
        other = (frame["method"] == "my_own") & (frame["task"] == "BraTS-T2") & (frame["metric"] == "ap")
        frame.loc[other, "value"] = 0.01
        return frame

    tasks = {"ATLAS": 0.011, "BraTS-T2": 0.046}
    made = make("table2", Sources(write_results(tmp_path / "results.csv", tasks=tasks, seeds=range(seeds), edit=edit)))
    titles = {method: made.results.title(method) for method in ("dae", "my_own")}
    said = f"{BELOW}{titles['dae']} on ATLAS, {titles['my_own']} on BraTS-T2."
    assert [note for note in made.notes if BELOW in note] == [f"Warning: {said}"]
    for text in (markdown.render(made), html_writer.render(made), latex.render(made)):
        assert BELOW in text
    marked = {(row["method"], row["task"]) for row in rows(made) if said in row["note"]}
    assert marked == {("dae", "ATLAS"), ("my_own", "BraTS-T2")}


def test_nothing_is_marked_where_nothing_is_below_chance(default):
    assert not any(BELOW in note for note in table("table2", default).notes)


def test_a_broken_file_of_comparisons_is_named(default, tmp_path):
    path = tmp_path / "results.csv"
    path.write_text(default.read_text())
    for text in ("", "method,other\na,b\n"):
        (tmp_path / "comparisons.csv").write_text(text)
        with pytest.raises(HarnessError, match=r"comparisons\.csv.*summarize"):
            table("table2", path)


def test_numbers_have_digits_that_tell_them_from_chance():
    shown = [Summary(mean, 0.004).text() for mean in (0.0123, 0.0994, 0.0996, 0.318, 9.99, 9.999, 123.4)]
    assert [text.split(" ")[0] for text in shown] == ["0.012", "0.099", "0.10", "0.32", "9.99", "10.0", "123.4"]
    assert shown[0] == "0.012 ± 0.004"
    assert Summary(0.05).text(2) == "0.05"


def test_table1_has_two_sections_and_nothing_bold(default):
    made = table("table1", default)
    assert list(dict.fromkeys(row.section for row in made.rows)) == ["single-step", "multi-step"]
    assert not made.best
    assert [row.label for row in made.rows][:4] == ["t = 25", "t = 50", "t = 75", "t = 100"]
    assert [row.score for row in made.rows][4:] == [f"multi/step={s}" for s in (10, 20, 25, 33, 50)]


def test_table1_says_at_which_t_an_uneven_step_size_ends(tmp_path):
    """The public code's scheduler has t = 99, 66, 32 for three steps, counted from 0."""
    made = table("table1", write_results(tmp_path / "results.csv"))
    (note,) = [note for note in made.notes if note.startswith("Step sizes")]
    assert note.endswith(": 33 ends at t = 1 (the authors' public code, in even steps, at t = 33).")
    assert table1.uneven(["single/t=33", "multi/step=60", "multi/step=200", "multi/step=25"]) == [
        "Step sizes that do not divide the paper's T = 100: "
        "60 ends at t = 40 (the authors' public code, in even steps, at t = 100)."
    ]
    assert (restoration_times(100, 33)[-1], restoration_times(100, 60)[-1]) == (1, 40)
    without = write_results(tmp_path / "results.csv", edit=lambda frame: frame[frame["score"] != "multi/step=33"])
    assert not any(note.startswith("Step sizes") for note in table("table1", without).notes)


def test_methods_that_were_not_run_have_the_papers_number_and_a_dash(default):
    made = table("table2", default)
    row = find(made, method="vae", task="ATLAS", metric="ap")
    assert (row["mean"], row["std"], row["seeds"], row["best"], row["subjects"]) == ("", "", "", "", "")
    assert row["paper_mean"] == "0.11"
    line = next(line for line in markdown.render(made).splitlines() if "| VAE " in line)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[2:] == ["–", "*0.11*", "–", "*0.20*", "–", "*0.13*", "–", "*0.19*", "–", "*0.28*", "–", "*0.33*"]
    assert r" & VAE & -- & \paper{0.11} & -- & \paper{0.20}" in latex.render(made)


@pytest.mark.parametrize("name", ["table1", "table2"])
def test_beside_simulated_scans_the_paper_leaves_no_column_note_or_row(name, tmp_path):
    made = table(name, write_results(tmp_path / "results.csv", simulated=(True, False)))
    assert {row["paper_mean"] for row in rows(made)} == {""}
    assert not any(column.paper for column in made.columns)
    for text in (markdown.render(made), latex.render(made)):
        assert "printed by" not in text
        assert "655" not in text
    if name == "table2":  # nor rows of dashes
        assert [row.method for row in made.rows] == ["fae", "dae", "disyre", "my_own", "intensity", "random"]


def test_methods_that_the_paper_lacks_have_a_dash_there(default):
    made = table("table2", default)
    assert find(made, method="my_own", task="ATLAS", metric="ap")["paper_mean"] == ""
    lines = [line for line in latex.render(made).splitlines() if r"My\_own \& 50\%" in line]
    assert sum(line.count(r"\paper{--}") for line in lines) == 6


def test_order_of_rows_and_columns(default):
    made = table("table2", default)
    assert [row.method for row in made.rows] == [
        *("vae", "r_vae", "f_anogan", "fae", "rd", "am_cons", "pii", "dae", "mood22", "disyre", "my_own"),
        *("intensity", "random"),
    ]
    assert [(c.task, c.metric) for c in made.columns] == [
        (task, metric) for task in ("ATLAS", "BraTS-T1", "BraTS-T2") for metric in ("ap", "dice")
    ]


@pytest.mark.parametrize("name", ["table1", "table2"])
@pytest.mark.parametrize(
    ("simulated", "words"),
    [
        ((True, True), "trained and tested on simulated scans"),
        ((True, False), "trained on simulated scans, tested on real scans"),
        ((False, True), "trained on real scans, tested on simulated scans"),
        ((False, False), ""),
    ],
)
def test_training_and_test_on_simulated_scans_are_two_facts(simulated, words, name, tmp_path):
    made = table(name, write_results(tmp_path / "results.csv", simulated=simulated))
    for text in rendered(made).values():
        assert ("not comparable with the paper" in text) == bool(words)
        assert words in text.replace("Trained", "trained")
    ours = [row for row in rows(made) if row["mean"]]
    assert {(row[SIMULATED[0]], row[SIMULATED[1]]) for row in ours} == {tuple(str(fact).lower() for fact in simulated)}
    assert any(number for row in made.rows for number in row.paper) == (not words)


def test_data_sets_of_both_kinds_are_named(tmp_path):
    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(**{SIMULATED[0]: frame["method"] != "my_own", SIMULATED[1]: frame["task"] == "ATLAS"})

    made = table("table2", write_results(tmp_path / "results.csv", edit=edit, methods=["dae", "my_own"]))
    text = "trained on simulated (DAE) and real (My\\_own & 50%) scans, tested on simulated (ATLAS) and real ("
    assert text in markdown.render(made)
    assert find(made, method="my_own", task="BraTS-T1", metric="ap")[SIMULATED[1]] == "false"


@pytest.mark.parametrize("name", ["table1", "table2"])
def test_one_seed_has_no_std_and_no_nan(name, tmp_path):
    made = table(name, write_results(tmp_path / "results.csv", seeds=[3]))
    for text in rendered(made).values():
        assert not re.search(r"\bnan\b", text, re.IGNORECASE)
    assert {row["std"] for row in rows(made)} == {""}
    assert {row["seeds"] for row in rows(made)} <= {"1", ""}
    assert "One seed, hence no standard deviation." in markdown.render(made)
    ours = [cell for row in made.rows for cell in row.ours if cell]
    assert ours
    assert all(cell.std is None for cell in ours)


def test_numbers_of_seeds_that_differ_are_stated(tmp_path):
    path = write_results(tmp_path / "results.csv", edit=lambda frame: frame.query("method != 'dae' or seed < 2"))
    text = markdown.render(table("table2", path))
    assert "2 for DAE" in text
    assert re.search(r"4 for [^;]*DISYRE", text)


def test_missing_values_are_absent_not_nan(tmp_path):
    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[(frame["method"] == "dae") & (frame["task"] == "ATLAS"), "value"] = float("nan")
        return frame

    made = table("table2", write_results(tmp_path / "results.csv", edit=edit, simulated=False))
    assert find(made, method="dae", task="ATLAS", metric="ap")["mean"] == ""
    assert "nan" not in "".join(rendered(made).values()).lower()


def test_subjects_left_out_and_chance_are_stated(default):
    made = table("table2", default)
    text = markdown.render(made)
    assert "ATLAS 655 (0), BraTS-T1 369 (1), BraTS-T2 369 (2)" in text
    chance = next(line for line in text.splitlines() if "Chance AP " in line and line.startswith("|"))
    assert [cell.strip() for cell in chance.split("|") if cell.strip()] == ["Chance AP", "0.011", "0.045", "0.046"]
    assert "Chance AP & 0.011 &" in latex.render(made)
    row = find(made, method="disyre", task="BraTS-T1", metric="ap")
    assert (row["subjects"], row["left_out"], row["chance"]) == ("369", "1", "0.045")


@pytest.mark.parametrize("name", ["table1", "table2", "detection", "lesions", "subjects", "protocols"])
def test_patients_and_names_of_the_lost_are_stated(name, tmp_path):
    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        first = frame["task"] == "ATLAS"
        return frame.assign(
            patients=np.where(first, 6, 40), lost=np.where(frame["task"] == "BraTS-T1", "anna, bert", "")
        )

    made = table(name, write_results(tmp_path / "results.csv", edit=edit))
    (note,) = [note for note in made.notes if note.startswith("Subjects evaluated (left out)")]
    for words in ("ATLAS 40 scans of 6 patients (0)", "BraTS-T1 40 (1: anna, bert)", "BraTS-T2 40 (2)"):
        assert words in note


@pytest.mark.parametrize("name", ["table1", "table2", "detection", "subjects", "protocols"])
def test_lost_training_subjects_are_named_last(name, tmp_path):
    path = write_results(tmp_path / "results.csv", edit=lambda frame: frame.assign(lost_training="cora, dan"))
    note = "Lost in preprocessing, and not trained on: cora, dan."
    assert make(name, Sources(results_csv=path)).notes[-1] == note
    assert note not in make(name, Sources(results_csv=write_results(tmp_path / "results.csv"))).notes


@pytest.mark.parametrize("name", ["table1", "table2", "detection", "subjects", "protocols"])
def test_methods_without_results_are_named_first(name, tmp_path):
    path = write_results(tmp_path / "results.csv", edit=lambda frame: frame.assign(missing="Blur, VAE"))
    note = "Not complete: no results of Blur, VAE, whose jobs failed or have not ended."
    assert make(name, Sources(results_csv=path)).notes[0] == note
    complete = make(name, Sources(results_csv=write_results(tmp_path / "results.csv")))
    assert not any("Not complete" in text for text in complete.notes)


@pytest.mark.parametrize(
    ("changes", "tested"), [({}, True), ({"p_holm": None}, False), ({"resampled": "subjects"}, False)]
)
def test_bold_is_explained_by_a_test_only_where_there_was_one(changes, tested, tmp_path):
    path = write_results(tmp_path / "results.csv")
    write_comparisons(tmp_path, [("dae", "disyre")], **changes)
    notes = " ".join(table("table2", path).notes)
    assert ("Bold: significantly better" in notes) == tested
    assert ("Nothing is bold" in notes) != tested


@pytest.mark.parametrize(("value", "text"), [(0.0456, "0.046"), (0.2, "0.200"), (0.00123, "0.0012"), (0.0, "0.000")])
def test_chance_keeps_two_significant_digits(value, text):
    assert chance_text(value) == text


def test_scores_of_table1_that_are_absent_leave_no_row(tmp_path):
    absent = {"single/t=75", "multi/step=33"}
    path = write_results(tmp_path / "results.csv", edit=lambda frame: frame[~frame["score"].isin(absent)])
    scores = [row.score for row in table("table1", path).rows]
    assert not absent & set(scores)
    assert len(scores) == 7


def test_table1_of_other_steps_shows_those(tmp_path):
    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        names = {"single/t=5": "single/t=7", "multi/step=10": "multi/step=4", "final": "final"}
        return frame[frame["score"].isin(names)].assign(score=lambda f: f["score"].map(names))

    made = table("table1", write_results(tmp_path / "results.csv", edit=edit))
    assert [row.score for row in made.rows] == ["single/t=7", "multi/step=4"]
    assert "–" in markdown.render(made)


def test_tables_without_disyre_show_the_paper_alone(tmp_path):
    made = table("table1", write_results(tmp_path / "results.csv", methods=["dae"]))
    assert len(made.rows) == 9
    assert all(cell is None for row in made.rows for cell in row.ours)
    assert "No method of this table was run." in markdown.render(made)


def test_table1_is_about_a_method_with_steps_even_if_another_is_illustrated(default):
    made = table("table1", default, method="dae")
    assert made.caption.startswith("DISYRE")
    assert all(cell is not None for row in made.rows for cell in row.ours)


def test_another_protocol_is_named(tmp_path):
    path = write_results(tmp_path / "results.csv", edit=lambda frame: frame.assign(protocol="128px"))
    made = table("table2", path, protocol="128px")
    assert "Evaluation protocol: 128px." in markdown.render(made)


@pytest.mark.parametrize("name", ["table1", "table2"])
def test_other_tasks_give_their_own_columns_without_the_paper(name, tmp_path):
    tasks = {"MS_lesions": 0.0003, "ATLAS": 0.01}
    made = table(name, write_results(tmp_path / "results.csv", tasks=tasks, simulated=False))
    assert list(dict.fromkeys(c.task for c in made.columns)) == ["MS_lesions", "ATLAS"]
    assert [c.paper for c in made.columns] == [c.task == "ATLAS" for c in made.columns]
    assert r"MS\_lesions" in latex.render(made)
    assert "0.00030" in markdown.render(made)
    assert_regular(latex.render(made))


@pytest.mark.parametrize("name", ["table1", "table2"])
def test_latex_is_regular_and_has_the_macros_it_uses(name, default):
    tex = latex.render(table(name, default))
    assert_regular(tex)
    for macro in ("sd", "paper"):
        assert f"\\def\\{macro}#1" in tex
    for rule in ("toprule", "midrule", "bottomrule", "cmidrule"):
        assert f"\\{rule}" in tex


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="\\&%$#_{}~^<>|±–⌈⌉αab1 -", max_size=30))
def test_latex_escape_leaves_no_character_with_a_meaning(text):
    escaped = latex_text.escape(text)
    plain = re.sub(r"\\(textbackslash|textasciitilde|textasciicircum){}|\\[&%$#_{}]", "", escaped)
    plain = re.sub(r"\$(\\[a-z]+|[<>|−])\$", "", plain)
    assert not re.search(r"[\\&%$#_{}~^<>|±⌈⌉α]", plain)
    assert set(re.findall(r"[a-z0-9]", text)) <= set(escaped)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="\\|*_`<>[]~&lt;ab \n", max_size=30))
def test_markdown_escape_can_be_undone(text):
    assert html.unescape(re.sub(r"\\(.)", r"\1", markdown.escape(text))) == " ".join(text.split())
    assert not re.search(r"[<>\n]|(?<!\\)(\\\\)*[|*_`~\[\]]", markdown.escape(text))


def test_a_formula_of_a_title_is_a_text_in_the_csv(tmp_path):
    edit = lambda frame: frame.assign(title="=HYPERLINK(1)")  # noqa: E731
    results = write_results(tmp_path / "results.csv", ["dae"], edit=edit)
    rows = csv.DictReader(io.StringIO(tidy.render(table("table2", results))))
    assert {row["title"] for row in rows} >= {"'=HYPERLINK(1)"}


def test_command_writes_four_files(default, tmp_path):
    call("table", "table1", "--results", default, "--out", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"table1.{suffix}" for suffix in ("csv", "html", "md", "tex")}


def test_unknown_table_lists_those_that_exist():
    with pytest.raises(HarnessError, match=r"^table 'table9' is unknown: .*did you mean table2\? there are "):
        catalogue.load("tables", "table9")


def test_malformed_results(tmp_path):
    with pytest.raises(HarnessError, match="no such file"):
        Results.read(tmp_path / "none.csv")
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(HarnessError, match=r"empty\.csv: the file is empty; write it"):
        Results.read(empty)
    double = write_results(tmp_path / "double.csv", edit=lambda frame: pd.concat([frame, frame.head(1)]))
    with pytest.raises(HarnessError, match="occurs twice"):
        Results.read(double)
    words = write_results(
        tmp_path / "words.csv", edit=lambda f: f.astype({"value": object}).replace({"value": {f["value"][0]: "high"}})
    )
    with pytest.raises(HarnessError, match="malformed"):
        Results.read(words)
    former = write_results(
        tmp_path / "former.csv", edit=lambda frame: frame.rename(columns={SIMULATED[0]: "simulated"})
    )
    with pytest.raises(HarnessError, match=r"no column 'trained_on_simulated'.*uadbench summarize"):
        Results.read(former)
    unknown = write_results(tmp_path / "unknown.csv", edit=lambda frame: frame.assign(**{SIMULATED[0]: ""}))
    with pytest.raises(HarnessError, match="True or False"):
        Results.read(unknown)
    with pytest.raises(HarnessError, match="protocols there: full"):
        Sources(write_results(tmp_path / "results.csv")).under("upd")


def test_registry_reads_requirements_without_importing(tmp_path):
    assert catalogue.names("tables") == [
        *("detection", "lesions", "protocols", "subgroups", "subjects", "table1", "table2")
    ]
    assert catalogue.names("figures", methods=["dae"]) == ["curves", "figure3", "froc", "order", "subgroups"]
    assert catalogue.names("figures", methods=["dae", "disyre"]) == catalogue.names("figures")
