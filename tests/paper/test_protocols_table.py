"""The table of protocols: sections, where the paper's numbers stand, chance levels, notes, and when it is rendered."""

import re
from pathlib import Path

import pandas as pd
import pytest

from tests.commands import call
from tests.paper.conftest import assert_regular, rows, table, write_comparisons, write_results
from uadbench.core.errors import HarnessError
from uadbench.paper import catalogue
from uadbench.paper.results import Results
from uadbench.paper.table import Table
from uadbench.paper.writers import latex, markdown
from uadbench.study.checks import experiment as checked
from uadbench.study.config_files import read

SHIFT = {"official": 0.05, "full": 0.0, "upd": -0.05}  # alphabetical order of results.csv is not that of the table
SHARE = {"official": 0.5, "full": 1.0, "upd": 0.25}


def three_protocols(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows three times: values moved, fewer anomalous voxels of as many."""
    parts = []
    for protocol, shift in SHIFT.items():
        part = frame.assign(protocol=protocol, value=frame["value"] + shift)
        parts.append(part.assign(positives=(part["positives"] * SHARE[protocol]).astype(int)))
    return pd.concat(parts)


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return write_results(tmp_path_factory.mktemp("protocols") / "results.csv", edit=three_protocols, simulated=False)


def made(path: Path) -> Table:
    return table("protocols", path)


def test_one_section_per_protocol_with_its_own_numbers(path):
    found = rows(made(path))
    assert list(dict.fromkeys(row["section"] for row in found)) == ["full", "upd", "official"]
    means = {
        row["section"]: float(row["mean"])
        for row in found
        if (row["method"], row["task"], row["metric"]) == ("fae", "ATLAS", "ap")
    }
    assert means["official"] - means["full"] == pytest.approx(0.05, abs=1e-5)
    assert means["upd"] - means["full"] == pytest.approx(-0.05, abs=1e-5)
    frame = pd.read_csv(path).query("method == 'fae' and task == 'ATLAS' and metric == 'ap' and score == 'final'")
    assert means["upd"] == pytest.approx(frame.query("protocol == 'upd'")["value"].mean(), abs=1e-5)


def test_the_papers_numbers_stand_once_beside_the_protocol_that_made_them(path):
    printed = {(row["section"], row["method"]) for row in rows(made(path)) if row["paper_mean"]}
    own = {("official", "disyre"), ("official", "mood22")}
    quoted = {"vae", "r_vae", "f_anogan", "fae", "rd", "am_cons", "pii", "dae"}
    assert printed == own | {("upd", method) for method in quoted}
    cell = {"section": "official", "method": "disyre", "task": "BraTS-T2", "metric": "ap", "paper_mean": "0.76"}
    assert any(cell.items() <= row.items() for row in rows(made(path)))
    assert {row["method"] for row in rows(made(path)) if row["section"] == "full"} == {
        *("disyre", "dae", "fae", "my_own", "intensity", "random")
    }


def test_chance_is_that_of_each_protocol(path):
    table = made(path)
    chance = {row["section"]: row["chance"] for row in rows(table) if (row["task"], row["metric"]) == ("ATLAS", "ap")}
    assert chance == {"full": "0.011", "upd": "0.00275", "official": "0.0055"}
    lines = [line for line in markdown.render(table).splitlines() if "| Chance AP " in line]
    assert [line.split("|")[3].strip() for line in lines] == ["0.011", "0.0027", "0.0055"]
    tex = latex.render(table)
    assert tex.count("Chance AP &") == 3 * tex.count(r"\begin{tabular}")


def test_bold_is_tested_under_each_protocol(path, tmp_path):
    copy = tmp_path / "results.csv"
    copy.write_text(path.read_text())
    write_comparisons(tmp_path, [("disyre", other) for other in ("dae", "fae", "my_own")], protocol="upd")
    (best,) = [row for row in rows(made(copy)) if row["best"] == "true"]
    assert (best["section"], best["method"], best["task"], best["metric"]) == ("upd", "disyre", "ATLAS", "ap")


def test_notes_say_what_is_counted_and_whose_numbers_they_are(path):
    text = markdown.render(made(path))
    for words in ("UPD\\_study", "every voxel of the brain", "10,000 random voxels", "128 × 128", "how is not printed"):
        assert words in text
    assert "Evaluation protocol:" not in text
    assert "every other method of this run but controls" in text


def test_a_simulated_cohort_is_marked_and_stands_without_the_paper(tmp_path):
    table = made(write_results(tmp_path / "results.csv", edit=three_protocols, simulated=True))
    text = markdown.render(table)
    assert "tested on simulated scans" in text
    assert "paper's numbers stand under" not in text
    assert not any(number for row in table.rows for number in row.paper)


def test_only_protocols_that_were_run_are_shown(tmp_path):
    edit = lambda frame: three_protocols(frame).query("protocol != 'official'")  # noqa: E731
    table = made(write_results(tmp_path / "results.csv", edit=edit))
    assert list(dict.fromkeys(row.section for row in table.rows)) == ["full", "upd"]
    assert not any("authors evaluated DISYRE" in note for note in table.notes)
    single = made(write_results(tmp_path / "single.csv"))
    assert not any(column.paper for column in single.columns)
    assert "*paper*" not in markdown.render(single)


def test_formats_are_regular(path):
    table = made(path)
    lines = [line for line in markdown.render(table).splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    tex = latex.render(table)
    # below the head, and between sections
    assert tex.count("\\midrule") == 3 * tex.count(r"\begin{tabular}")
    assert_regular(tex)


def test_rendered_by_default_only_where_protocols_can_be_compared():
    assert "protocols" in catalogue.names("tables")
    assert "protocols" not in catalogue.names("tables", ["disyre"], ["full"])
    assert catalogue.names("tables", ["disyre"], ["full", "upd"]) == catalogue.names("tables")
    assert "protocols" in catalogue.names("tables", ["dae"], ["full", "upd"])


@pytest.mark.parametrize("protocol", ["full", "official"])
def test_verb_writes_it_whatever_protocol_other_tables_show(path, tmp_path, protocol):
    call("table", "protocols", "--results", path, "--protocol", protocol, "--out", tmp_path)
    assert {file.suffix for file in tmp_path.iterdir()} == {".csv", ".html", ".md", ".tex"}


def test_results_of_all_protocols_are_read_once_and_checked(path, tmp_path):
    found = Results.read(path)
    assert list(found) == ["official", "full", "upd"]
    assert {name: results.protocol for name, results in found.items()} == {name: name for name in found}
    empty = write_results(tmp_path / "empty.csv", edit=lambda frame: frame.head(0))
    with pytest.raises(HarnessError, match="holds no result"):
        Results.read(empty)


def test_an_experiment_that_lists_several_protocols_makes_it(root):
    config = read(root / "config.yaml")
    assert "protocols" not in checked(config).tables
    assert "protocols" in checked({**config, "evaluation": {"protocols": ["upd", "full"]}}).tables
