"""The paper's numbers of DISYRE and MOOD22 beside ours under the protocol closest to theirs, in Tables 1 and 2."""

import pytest

from tests.paper.conftest import assert_regular, rows, table, write_results
from tests.paper.test_protocols_table import SHARE, SHIFT, three_protocols
from uadbench.paper.table import Table
from uadbench.paper.writers import html, latex, markdown

CELL = {"table1": ("multi/step=25", "0.32"), "table2": ("final", "0.32")}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("closest") / "results.csv", edit=three_protocols, simulated=False)


def only(*protocols: str):
    return lambda frame: three_protocols(frame)[lambda rows: rows["protocol"].isin(protocols)]


def cells(made: Table, score: str) -> list[dict[str, str]]:
    """The lines of DISYRE's AP on ATLAS."""
    wanted = {"method": "disyre", "task": "ATLAS", "metric": "ap", "score": score}
    return [row for row in rows(made) if wanted.items() <= row.items()]


@pytest.mark.parametrize("name", CELL)
def test_the_authors_numbers_stand_beside_ours_under_their_protocol(name, path):
    score, printed = CELL[name]
    made = table(name, path)
    own, closest = cells(made, score)
    assert (own["paper_mean"], closest["paper_mean"]) == ("", printed)
    assert closest["section"] == f"{own['section']} (official)"
    assert float(closest["mean"]) - float(own["mean"]) == pytest.approx(SHIFT["official"], abs=1e-5)
    assert float(closest["chance"]) == pytest.approx(float(own["chance"]) * SHARE["official"], rel=1e-3)
    assert any(
        "closest to the protocol official and stand beside ours under it, in sections with (official)." in note
        for note in made.notes
    )
    assert not made.best


def test_table2_copies_rows_with_numbers_of_both_alone(path):
    made = table("table2", path)
    assert [row.method for row in made.rows if "(official)" in row.section] == ["disyre"]  # MOOD22 was not run
    assert {row.method for row in made.rows if any(row.paper) and not any(row.ours)} >= {"mood22", "vae"}
    (quoted,) = (note for note in made.notes if "closest to the protocol upd" in note)
    assert "of FAE, DAE are" in quoted
    assert quoted.endswith("the table protocols has ours under it.")


@pytest.mark.parametrize("name", CELL)
def test_formats_have_the_section(name, path):
    made = table(name, path)
    text = markdown.render(made)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    below = next(k for k, line in enumerate(lines) if "(official)**" in line)
    assert "*0.32" in "".join(lines[below:])
    chance = [k for k, line in enumerate(lines) if "| Chance AP " in line]
    assert chance[0] < below
    assert chance[-1] == len(lines) - 1
    tex = latex.render(made)
    assert_regular(tex)
    assert tex.index("(official)") < tex.index("\\paper{0.32", tex.index("(official)"))
    page = html.render(made)
    assert page.index("(official)") < page.index('data-value="0.32"', page.index("(official)"))


@pytest.mark.parametrize("name", CELL)
def test_without_that_protocol_a_note_says_so(name, tmp_path):
    score, printed = CELL[name]
    made = table(name, write_results(tmp_path / "results.csv", edit=only("full"), simulated=False))
    (cell,) = cells(made, score)
    assert cell["paper_mean"] == printed
    (note,) = (note for note in made.notes if "closest to the protocol official" in note)
    assert "of DISYRE are" in note
    assert note.endswith("was not run: evaluation: {protocols: [full, official]} adds it.")


@pytest.mark.parametrize("name", CELL)
def test_under_that_protocol_nothing_is_to_be_said(name, tmp_path):
    score, printed = CELL[name]
    made = table(name, write_results(tmp_path / "r.csv", edit=only("official"), simulated=False), protocol="official")
    assert [cell["paper_mean"] for cell in cells(made, score)] == [printed]
    assert not any("closest to the protocol official" in note for note in made.notes)


def test_beside_simulated_scans_there_is_no_such_section_or_note(tmp_path):
    for name in CELL:
        made = table(name, write_results(tmp_path / "results.csv", edit=three_protocols))
        assert not any("(official)" in row.section for row in made.rows)
        assert not any("closest to the protocol" in note for note in made.notes)
