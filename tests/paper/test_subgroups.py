"""Table and figure of subgroups: what each shows, and what they say where there are none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from tests.paper.conftest import METHODS, assert_fits, assert_regular, rows, table, write_results
from uadbench.core.study_folder import SUBGROUPS
from uadbench.evaluation.summary.subgroups import COLUMNS, HEALTHY, THIRDS
from uadbench.paper import catalogue
from uadbench.paper.figures.subgroups import COLOURS
from uadbench.paper.inputs import Sources
from uadbench.paper.writers import html, latex, markdown

TASKS = ("ATLAS", "BraTS-T1", "BraTS-T2")
VARIABLES = {"age": THIRDS, "scanner": ("A", "B", "few")}


def write_subgroups(folder: Path, levels: int = 0) -> Path:
    """Write subgroup_means.csv beside a results.csv: DAE's AP differs with age, nothing else.

    One scanner has two subjects. levels: of a further variable, `site`.
    """
    variables = VARIABLES | ({"site": [f"S{k:02d}" for k in range(levels)]} if levels else {})
    found = []
    for method, (_, family, level) in METHODS.items():
        for task in TASKS:
            for metric in ("subject_ap", "false_positive_ml@0.01", HEALTHY):
                for variable, named in variables.items():
                    differs = (method, metric, variable) == ("dae", "subject_ap", "age")
                    for k, name in enumerate(named):
                        row = {"experiment": "demo", "task": task, "metric": metric, "method": method, "seeds": 4}
                        row |= {"trained_on_simulated": True, "tested_on_simulated": True, "variable": variable}
                        row |= {"level": name, "patients": 2 if name == "few" else 10 + k, "unknown": k, "lesion_ml": 7}
                        row |= {"from": 20 + 20 * k, "to": 39 + 20 * k} if variable == "age" else {}
                        value = level + 0.1 - 0.04 * k * differs
                        shown = {"value": value, "std": 0.01, "low": value - 0.05, "high": value + 0.05}
                        p = np.nan if family == "control" else 0.0002 if differs else 0.6
                        found.append(row | (shown if name != "few" else {}) | {"p": p / 9, "p_holm": p})
    pd.DataFrame(found, columns=COLUMNS).to_csv(folder / SUBGROUPS, index=False)
    return write_results(folder / "results.csv")


def test_a_section_for_each_level_and_for_the_tests(tmp_path):
    made = table("subgroups", write_subgroups(tmp_path))
    sections = list(dict.fromkeys(row.section for row in made.rows))
    assert sections == [*(f"age: {third}" for third in THIRDS), "age: p", "scanner: A", "scanner: B", "scanner: p"]
    cells = {(row["section"], row["method"], row["task"], row["metric"]): row for row in rows(made)}
    young = cells["age: youngest third", "dae", "ATLAS", "subject_ap"]
    assert [float(young[name]) for name in ("mean", "std", "low_one_seed", "high_one_seed")] == pytest.approx(
        [0.3, 0.01, 0.25, 0.35]
    )
    bold = {key[:2] + key[3:] for key, row in cells.items() if row["best"] == "true"}
    assert bold == {("age: p", "dae", "subject_ap")}
    assert float(cells["age: p", "dae", "ATLAS", "subject_ap"]["mean"]) == 0.001  # the least that is printed
    assert not any(row.section.endswith(": p") and row.family == "control" for row in made.rows)
    assert ("age: p", "dae", "BraTS-T1", HEALTHY) not in cells  # the same runs as of ATLAS
    assert ("age: p", "dae", "BraTS-T2", HEALTHY) in cells
    text = markdown.render(made)
    assert "0.30 (0.25–0.35)" in text
    assert "age: youngest third 20–39 (10, 7 ml), middle third 40–59 (11, 7 ml)" in text
    assert "scanner: A (10, 7 ml), B (11, 7 ml), few (2, 7 ml), unknown (2)" in text
    assert html.render(made).count("<table>") == 3
    assert_regular(latex.render(made))


def test_the_figure_shows_levels_with_intervals_and_tests(tmp_path):
    figure = catalogue.load("figures", "subgroups").make(Sources(write_subgroups(tmp_path)))
    assert_fits(figure)
    assert len(figure.axes) == 2 * len(TASKS)
    first = figure.axes[0]
    points = {line.get_label(): line.get_xdata() for line in first.lines}
    assert list(points) == list(THIRDS)
    titles = [tick.get_text() for tick in first.get_yticklabels()]
    assert titles[-2:] == ["Intensity", "Random"]
    dae = titles.index("DAE")
    assert [points[third][dae] for third in THIRDS] == pytest.approx([0.3, 0.26, 0.22])
    p = [text for text in first.findobj(Text) if text.get_text().startswith((".", "<"))]
    assert [text.get_text() for text in p if text.get_weight() == "bold"] == ["< .001"]
    assert ".600" in {text.get_text() for text in p}
    assert [text.get_text() for text in figure.axes[3].get_legend().get_texts()] == ["A", "B"]


def test_of_many_levels_the_figure_shows_the_largest(tmp_path):
    figure = catalogue.load("figures", "subgroups").make(Sources(write_subgroups(tmp_path, levels=12)))
    shown = [text.get_text() for text in figure.axes[6].get_legend().get_texts()]
    assert shown == [f"S{k:02d}" for k in range(12)][-len(COLOURS) :]


def test_without_subgroups_both_say_so(tmp_path):
    path = write_results(tmp_path / "results.csv")
    for _ in range(2):
        made = table("subgroups", path)
        assert not made.rows
        for writer in (markdown, html, latex):
            assert "No subgroups: no test set states age, sex, site or scanner" in writer.render(made)
        assert_regular(latex.render(made))
        figure = catalogue.load("figures", "subgroups").make(Sources(path))
        assert_fits(figure)
        assert "no subgroups" in figure.axes[0].texts[0].get_text()
        pd.DataFrame(columns=COLUMNS).to_csv(tmp_path / SUBGROUPS, index=False)
