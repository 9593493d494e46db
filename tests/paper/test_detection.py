"""Table and figure of detection: numbers by hand, what is bold, what is said where nothing was computed."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.paper.conftest import assert_fits, assert_regular, table, write_results
from uadbench.evaluation.detection.findings import RATES
from uadbench.paper import catalogue, style
from uadbench.paper.inputs import Sources
from uadbench.paper.results import Results
from uadbench.paper.simulated import APART
from uadbench.paper.writers import latex, markdown, tidy

LEVELS = {"disyre": 0.8, "dae": 0.5, "my_own": 0.4, "fae": 0.3, "intensity": 0.9, "random": 0.1}


def with_detection(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that findings add, with values that depend on method, seed and rate in a known way."""
    final = frame[(frame["score"] == "final") & (frame["metric"] == "ap")]
    rows = []
    for row in final.to_dict("records"):
        level = LEVELS[row["method"]] + 0.01 * row["seed"]
        metrics = {"slice_auroc": level, "dice_healthy1": level / 2, "lesions": 52}
        for k, rate in enumerate(RATES):
            metrics |= {f"sensitivity@{rate:g}": level * (1 - k / 10), f"sensitivity@{rate:g}/1-10ml": 0.01}
            metrics |= {f"false_positives@{rate:g}": 200 / (k + 1) ** 3, f"lesion_f1@{rate:g}": level / 4}
            metrics |= {f"false_positive_ml@{rate:g}": 50 / (k + 1)}
        metrics |= {"froc": level / 8, "sensitivity_equal@0.01": level / 9}
        metrics |= {f"froc@{2.0**k:g}": level * (k + 4) / 10 for k in range(-3, 4)}
        metrics |= {"subject_ap": level / 3, "subject_dice_healthy1": level / 5, "aupro": level / 6}
        metrics |= {"subject_surface_dice_healthy1": level / 7, "subject_hd95_healthy1": 80 * level}
        rows += [{**row, "metric": metric, "value": value, "low": np.nan} for metric, value in metrics.items()]
    return pd.concat([frame, pd.DataFrame(rows)])


@pytest.fixture(scope="module")
def results_csv(tmp_path_factory) -> Path:
    return write_results(tmp_path_factory.mktemp("detection") / "results.csv", edit=with_detection)


def figure(path: Path):
    return catalogue.load("figures", "froc").make(Sources(path))


def test_table_has_means_over_seeds_controls_last(results_csv):
    made = table("detection", results_csv)
    assert [row.method for row in made.rows][-2:] == ["intensity", "random"]
    assert {row.family for row in made.rows[:-2]} == {"S-S", "FM"}
    row = next(row for row in made.rows if row.method == "dae")
    at = {(c.task, c.metric): cell for c, cell in zip(made.columns, row.ours, strict=True)}
    cell = at["ATLAS", "slice_auroc"]
    assert cell.mean == pytest.approx(0.5 + 0.01 * 1.5)
    assert cell.std == pytest.approx(0.01 * np.std([0, 1, 2, 3], ddof=1))
    assert at["BraTS-T2", "sensitivity@0.01"].mean == pytest.approx(0.515 * 0.8)
    assert at["BraTS-T1", "false_positive_ml@0.01"].mean == pytest.approx(50 / 3)
    assert at["BraTS-T1", "lesion_f1@0.01"].mean == pytest.approx(0.515 / 4)


def test_table_has_the_order_of_table_2(results_csv):
    made = table("detection", results_csv)
    assert [row.method for row in made.rows] == ["fae", "dae", "disyre", "my_own", "intensity", "random"]
    assert not made.best  # nothing is tested


def test_table_prints_in_every_format(results_csv):
    made = table("detection", results_csv)
    texts = {"csv": tidy.render(made), "md": markdown.render(made), "tex": latex.render(made)}
    for text in texts.values():
        assert "nan" not in text.lower()
        assert APART.removeprefix(" – ") in text
    lines = [line for line in texts["md"].splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert len(lines) == 2 + len(LEVELS)  # no line of chance
    assert "Chance AP" not in texts["md"]
    assert "52 lesions" in texts["md"]
    assert_regular(texts["tex"])
    assert r"Dice@1\%" in texts["tex"]
    for metric in {column.metric for column in made.columns}:
        assert made.headings[metric] in texts["md"]


def test_single_subjects_have_a_table_with_headings_of_its_own(results_csv):
    made = table("subjects", results_csv)
    row = next(row for row in made.rows if row.method == "dae")
    at = {(c.task, c.metric): cell.mean for c, cell in zip(made.columns, row.ours, strict=True)}
    assert at["ATLAS", "subject_hd95_healthy1"] == pytest.approx(80 * 0.515)
    assert at["ATLAS", "aupro"] == pytest.approx(0.515 / 6)
    assert at["BraTS-T2", "subject_surface_dice_healthy1"] == pytest.approx(0.515 / 7)
    text = re.sub(" +", " ", markdown.render(made))
    assert "ATLAS AP | ATLAS Dice@1% | ATLAS sDice@1% | ATLAS HD95, mm | ATLAS AUPRO" in text
    assert "up to 2 mm apart" in text
    assert "a random score reaches 0.15" in text
    assert not made.best


def test_lesions_have_a_table_at_equal_rates_beside_that_of_healthy_subjects(results_csv):
    made = table("lesions", results_csv)
    row = next(row for row in made.rows if row.method == "dae")
    at = {c.metric: cell.mean for c, cell in zip(made.columns, row.ours, strict=True) if c.task == "ATLAS"}
    level = 0.515
    assert at == pytest.approx(
        {
            **{"sensitivity@0.01": level * 0.8, "sensitivity_equal@0.01": level / 9, "froc": level / 8},
            **{"froc@1": level * 0.4, "froc@8": level * 0.7},
        }
    )
    assert "Sens.=1% | ATLAS 1 FP | ATLAS 8 FP | ATLAS FROC".replace("Sens", "ATLAS Sens") in re.sub(
        " +", " ", markdown.render(made)
    )
    assert "52 lesions" in markdown.render(made)


def test_other_tables_keep_their_line_of_chance(results_csv):
    made = table("table2", results_csv)
    assert markdown.render(made).count("| Chance AP") == 1
    tex = latex.render(made)
    assert tex.count("Chance AP &") == tex.count(r"\begin{tabular}")


def test_table_reads_full_rows_whatever_protocol_is_asked_for(results_csv):
    made = table("detection", results_csv, protocol="upd")
    assert all(cell is not None for row in made.rows for cell in row.ours)


def test_without_findings_cells_are_dashes(tmp_path):
    made = table("detection", write_results(tmp_path / "old.csv"))
    assert all(cell is None for row in made.rows for cell in row.ours)
    assert "no lesions" in markdown.render(made)
    assert "No method of this table was run." in markdown.render(made)


def test_froc_draws_means_in_order_of_the_rate(results_csv):
    drawn = figure(results_csv)
    assert_fits(drawn)
    panel = drawn.axes[1]
    assert panel.get_title() == "BraTS-T1"
    (line,) = [bar.lines[0] for bar in panel.containers if "DISYRE" in bar.get_label()]
    np.testing.assert_allclose(line.get_xdata(), [200 / (k + 1) ** 3 for k in range(5, -1, -1)])
    np.testing.assert_allclose(line.get_ydata(), [0.815 * (1 - k / 10) for k in range(5, -1, -1)])
    assert line.get_linestyle() == "None"
    (curve,) = [line for line in panel.lines if line.get_label() == "DISYRE"]
    assert curve.get_xdata().tolist() == [0.125, 0.25, 0.5, 1, 2, 4, 8]
    np.testing.assert_allclose(curve.get_ydata(), [0.815 * k / 10 for k in range(1, 8)])
    assert panel.get_ylim()[0] == 0
    assert panel.get_xscale() == "symlog"
    assert drawn.texts[-1].get_text().endswith(APART)
    note = next(text.get_text() for text in drawn.texts if "Markers" in text.get_text())
    assert "0.01, 0.1, 0.5, 1, 2, 5 % of healthy brain voxels" in note
    assert "52 lesions" in [text.get_text() for text in panel.texts]


def test_froc_never_turns_back_where_components_merge(tmp_path):
    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        frame = with_detection(frame)
        frame.loc[frame["metric"] == "false_positives@0.05", "value"] = 0.0
        return frame

    axes = figure(write_results(tmp_path / "merged.csv", edit=edit)).axes[1]
    (line,) = [bar.lines[0] for bar in axes.containers if "DISYRE" in bar.get_label()]
    expected = [200 / (k + 1) ** 3 for k in range(5, -1, -1)]
    np.testing.assert_allclose(line.get_xdata(), [*expected[:-1], expected[-2]])


def test_froc_tells_methods_by_colour_and_marker_and_controls_by_grey(results_csv):
    panel = figure(results_csv).axes[0]
    looks = {
        bar.get_label().lstrip("_"): (bar.lines[0].get_color(), bar.lines[0].get_marker()) for bar in panel.containers
    }
    assert len(looks) == len(LEVELS)
    assert len({marker for _, marker in looks.values()}) == len(LEVELS)
    ranked = {colour for title, (colour, _) in looks.items() if title not in ("Intensity", "Random")}
    assert len(ranked) == 4
    assert style.GREY not in ranked
    assert looks["Random"][0] == looks["Intensity"][0] == style.GREY


def test_froc_says_where_nothing_was_computed(tmp_path):
    drawn = figure(write_results(tmp_path / "old.csv", methods=["dae"], tasks={"ATLAS": 0.01}))
    (panel,) = drawn.axes
    assert not panel.containers
    assert "no thresholds" in panel.texts[0].get_text()
    assert drawn.get_size_inches()[0] == style.COLUMN


def test_froc_of_one_seed_has_no_bars_and_pairs_seeds(tmp_path):
    froc = catalogue.load("figures", "froc")
    one = figure(write_results(tmp_path / "one.csv", seeds=[2], edit=with_detection))
    assert all(bar.lines[2] == () for axes in one.axes for bar in axes.containers)

    edit = lambda frame: with_detection(frame).query("metric != 'false_positives@0.01' or seed != 1")  # noqa: E731
    found = froc.points(Results.read(write_results(tmp_path / "gap.csv", edit=edit))["full"], "dae", "ATLAS")
    assert list(found) == sorted(RATES)
    assert found[0.01].shape == (2, 3)
    assert found[0.02].shape == (2, 4)


def test_froc_of_one_task_wraps_its_note(tmp_path):
    drawn = figure(write_results(tmp_path / "one.csv", tasks={"ATLAS": 0.01}, edit=with_detection))
    assert drawn.get_size_inches()[0] == style.COLUMN
    assert_fits(drawn)


def test_froc_of_many_methods_shows_six_in_colour(tmp_path):
    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        frame = with_detection(frame)
        parts = [frame]
        for number in range(9):  # nine more, less sensitive with each
            part = frame[frame["method"] == "dae"].assign(method=f"more{number}", title=f"More {number}")
            part.loc[part["metric"].str.startswith("sensitivity"), "value"] *= 0.9 - 0.05 * number
            parts.append(part)
        return pd.concat(parts)

    drawn = figure(write_results(tmp_path / "many.csv", edit=edit))
    panel = drawn.axes[0]
    looks = {}
    for bar in panel.containers:
        looks.setdefault(bar.get_label().lstrip("_"), []).append((bar.lines[0].get_color(), bar.lines[0].get_marker()))
    coloured = {label for label, many in looks.items() if style.GREY not in {colour for colour, _ in many}}
    assert coloured == {"DISYRE", "DAE", "My_own & 50%", "More 0", "More 1", "More 2"}
    assert len({looks[label][0] for label in coloured}) == 6
    assert len(looks["other methods"]) == 9 + 4 - 6
    assert all(bar.lines[2] == () for bar in panel.containers)
    (legend,) = drawn.legends
    assert [text.get_text() for text in legend.get_texts()].count("other methods") == 1
    assert "the 6 methods that are the most sensitive" in " ".join(text.get_text() for text in drawn.texts)
    assert_fits(drawn)
