"""Numbers of other benchmarks: quoted where a config names them, under their own name, beside real scans alone."""

import re

import pytest
import yaml

from tests.commands import call, fails
from tests.paper import conftest
from tests.paper.conftest import assert_regular, table, write_comparisons, write_results
from uadbench.core.errors import HarnessError
from uadbench.methods import registry
from uadbench.paper.catalogue import REPORTED, references
from uadbench.paper.reported import Reported
from uadbench.paper.writers import html, latex, markdown

RUN = ("disyre", "fae", "dae", "random")


@pytest.fixture
def with_v2(monkeypatch):
    monkeypatch.setattr(conftest, "METHODS", {**conftest.METHODS, "disyre_v2": ("DISYRE v2", "S-S", 0.35)})


def made(tmp_path, simulated=False, methods=("disyre_v2", *RUN), **sources):
    path = write_results(tmp_path / "results.csv", methods, simulated=simulated)
    return table("table2", path, references=("uad_imag",), **sources)


def test_numbers_of_the_figure():
    """Read from its lines by the axis: 0 at 61.318 and 57.419 a tenth for T1, at 64.624 and 38.314 for T2."""
    heights = {
        "disyre_v2": (310.238, 282.746, 173.895, 218.615, 312.131),
        "fae": (166.661, 156.998, 89.476, 312.131, 243.655),
        "rd": (131.231, 135.912, 79.700, 194.267, 173.222),
        "patchcore": (168.220, 155.887, 88.409, 253.036, 207.183),
    }
    found = Reported.of("uad_imag").numbers
    for method, own in heights.items():
        for test, height in zip(("ATLAS-I", "ATLAS-O", "ATLAS-N", "BraTS-T1", "BraTS-T2"), own, strict=True):
            zero, tenth = (64.624, 38.3136) if test == "BraTS-T2" else (61.3178, 57.4186)
            assert found[method][test] == pytest.approx((height - zero) / tenth / 10, abs=0.006), (method, test)
    assert found.keys() == heights.keys()


@pytest.mark.parametrize("name", references())
def test_files_name_our_methods_and_state_their_setting(name):
    own = Reported.of(name)
    assert set(own.numbers) <= set(registry.names())
    assert all(numbers.keys() <= own.tests.keys() for numbers in own.numbers.values())
    assert all((own.title, own.source, own.read, own.setting, own.heading))
    assert set(yaml.safe_load((REPORTED / f"{name}.yaml").read_text())) == set(Reported.__dataclass_fields__)


def test_columns_bear_the_name_of_the_benchmark_and_the_papers_stay(with_v2, tmp_path):
    path = write_results(tmp_path / "results.csv", ("disyre_v2", *RUN), simulated=False)
    write_comparisons(tmp_path, [("disyre", other) for other in ("dae", "disyre_v2", "fae")])
    plain, quoted = table("table2", path), table("table2", path, references=("uad_imag",))
    headings = [column.quoted for column in quoted.columns if column.quoted]
    assert headings == [
        f"{test} in UAD-IMAG, mean Dice ± .01" for test in ("ATLAS-I", "ATLAS-O", "ATLAS-N", "BraTS-T1", "BraTS-T2")
    ]
    kept = [j for j, column in enumerate(quoted.columns) if not column.quoted]
    assert tuple(quoted.columns[j] for j in kept) == plain.columns
    assert {(i, kept.index(j)) for i, j in quoted.best} == plain.best != set()
    for before, after in zip(plain.rows, quoted.rows, strict=True):
        assert tuple(after.ours[j] for j in kept) == before.ours
        assert tuple(after.paper[j] for j in kept) == before.paper
    own = next(row for row in quoted.rows if row.method == "disyre_v2")
    assert [own.paper[j].mean for j, column in enumerate(quoted.columns) if column.quoted] == [
        0.43, 0.39, 0.20, 0.27, 0.65
    ]  # fmt: skip
    for row in quoted.rows:
        if row.method in ("disyre", "dae", "random"):
            assert {row.paper[j] for j, column in enumerate(quoted.columns) if column.quoted} == {None}
    (note,) = [note for note in quoted.notes if note.startswith("UAD-IMAG")]
    assert "arXiv:2512.01534" in note
    assert "± .01" in note


def test_every_format_has_the_columns(with_v2, tmp_path):
    quoted = made(tmp_path)
    text = markdown.render(quoted)
    head, rule, *lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in (head, rule, *lines)} == {head.count("|")}
    assert head.count("UAD-IMAG") == 5
    assert "*0.43*" in next(line for line in lines if "DISYRE v2" in line)
    assert_regular(latex.render(quoted))
    page = html.render(quoted)
    for part in re.findall(r"<table>.*?</table>", page, re.DOTALL):
        body = re.search(r"<tbody>\n(.*?)</tbody>", part, re.DOTALL)[1]
        cells = {line.count("<td") for line in body.splitlines() if "<td" in line}
        assert cells == {part.split("</thead>")[0].split("<tr>")[2].count("<th")}
    found = [row for row in conftest.rows(quoted) if row["note"].startswith("quoted from")]
    assert {row["method"] for row in found} == {
        "disyre_v2",
        "fae",
        "rd",
    }  # rd: not run
    assert {(row["mean"], row["best"], row["seeds"]) for row in found} == {("", "", "")}
    assert {row["paper_mean"] for row in found if row["metric"] == "BraTS-T2"} == {"0.65", "0.47", "0.28"}
    assert all("UAD-IMAG" in row["note"] for row in found)


@pytest.mark.parametrize(("simulated", "methods", "reason"), [(True, RUN, "simulated"), (False, ("disyre",), "no row")])
def test_where_it_does_not_belong_a_note_says_why(tmp_path, simulated, methods, reason):
    quoted = made(tmp_path, simulated, methods)
    assert not any(column.quoted for column in quoted.columns)
    assert any(note.startswith("UAD-IMAG is left out") and reason in note for note in quoted.notes)


def test_real_scans_of_a_study_trained_on_simulated_ones_have_none(tmp_path):
    def released(frame):
        return frame.assign(release=frame["task"].map({"ATLAS": "atlas"}).fillna("brats"))

    path = write_results(tmp_path / "results.csv", RUN, simulated=(True, False), edit=released)
    assert not any(column.quoted for column in table("table2", path, references=("uad_imag",)).columns)


def test_without_a_name_there_is_none_and_another_name_is_an_error(with_v2, tmp_path):
    path = write_results(tmp_path / "results.csv", ("disyre_v2", *RUN), simulated=False)
    assert "UAD-IMAG" not in markdown.render(table("table2", path))
    with pytest.raises(HarnessError, match=r"paper\.references: 'uad' is unknown; .*uad_imag"):
        table("table2", path, references=("uad",))
    options = ["table", "table2", "--results", path, "--out", tmp_path]
    call(*options, "--reference", "uad_imag")
    assert "UAD-IMAG" in (tmp_path / "table2.md").read_text(encoding="utf-8")
    assert "uad_imag" in fails(*options, "--reference", "uad")
