"""The published numbers: complete, as printed, and read with clear errors."""

import pytest

from tests.paper import conftest
from uadbench.core.errors import HarnessError
from uadbench.paper.published import COLUMNS, Published, made_by, quoted
from uadbench.paper.tables.table2 import order

TASKS = ("ATLAS", "BraTS-T1", "BraTS-T2")


@pytest.fixture(scope="module")
def published() -> Published:
    return Published.read()


def test_columns_and_size(published):
    assert list(published.rows.columns) == COLUMNS
    assert len(published.rows) == 9 * 3 + 10 * 3 * 2
    assert not published.rows.duplicated(["table", "method", "task", "score", "metric"]).any()
    assert published.rows["mean"].between(0, 1).all()


SCORES = [f"single/t={t}" for t in (25, 50, 75, 100)] + [f"multi/step={s}" for s in (10, 20, 25, 33, 50)]


def test_tables_are_complete_and_in_printed_order(published):
    """Order of the methods of Table 2: test_tables.py. The paper prints deviations in Table 1 alone."""
    assert published.scores("table1", "disyre") == SCORES
    for task in TASKS:
        assert all(published.get("table1", "disyre", task, score, "ap").std is not None for score in SCORES)
        for method, _, _ in published.methods("table2"):
            assert [published.get("table2", method, task, "final", metric).std for metric in ("ap", "dice")] == [
                None
            ] * 2


@pytest.mark.parametrize(
    ("score", "task", "mean", "std"),
    [
        ("single/t=25", "ATLAS", 0.04, 0.01),
        ("single/t=50", "BraTS-T1", 0.45, 0.02),
        ("single/t=75", "BraTS-T2", 0.58, 0.03),
        ("single/t=100", "BraTS-T2", 0.69, 0.01),
        ("multi/step=10", "BraTS-T2", 0.75, 0.01),
        ("multi/step=33", "BraTS-T1", 0.37, 0.02),
        ("multi/step=50", "ATLAS", 0.33, 0.01),
    ],
)
def test_numbers_of_table1(published, score, task, mean, std):
    value = published.get("table1", "disyre", task, score, "ap")
    assert value is not None
    assert (value.mean, value.std) == (mean, std)


@pytest.mark.parametrize(
    ("method", "printed"),
    [
        ("vae", (0.11, 0.20, 0.13, 0.19, 0.28, 0.33)),
        ("fae", (0.08, 0.18, 0.42, 0.45, 0.51, 0.52)),
        ("am_cons", (0.01, 0.03, 0.05, 0.12, 0.35, 0.40)),
        ("pii", (0.03, 0.07, 0.13, 0.22, 0.13, 0.22)),
        ("mood22", (0.18, 0.31, 0.32, 0.41, 0.51, 0.53)),
        ("disyre", (0.32, 0.42, 0.35, 0.44, 0.76, 0.72)),
    ],
)
def test_rows_of_table2(published, method, printed):
    values = [published.get("table2", method, task, "final", metric) for task in TASKS for metric in ("ap", "dice")]
    assert tuple(value.mean for value in values if value is not None) == printed


def test_what_the_paper_does_not_print_is_none(published):
    assert published.get("table2", "intensity", "ATLAS", "final", "ap") is None
    assert published.get("table2", "disyre", "MSLUB", "final", "ap") is None
    assert published.get("table1", "disyre", "ATLAS", "single/t=30", "ap") is None


def test_absent_file_and_column(tmp_path):
    with pytest.raises(HarnessError, match="no such file"):
        Published.read(tmp_path / "none.csv")
    (tmp_path / "short.csv").write_text("table,method\n")
    with pytest.raises(HarnessError, match="no column 'title'"):
        Published.read(tmp_path / "short.csv")


@pytest.fixture
def with_variants(monkeypatch):
    more = {"dae-upd": ("DAE (UPD)", "S-S", 0.1), "fae-upd": ("FAE (UPD)", "FM", 0.2)}
    monkeypatch.setattr(conftest, "METHODS", {**conftest.METHODS, **more})


def rows(tmp_path, methods):
    path = conftest.write_results(tmp_path / "results.csv", methods, simulated=False)
    return {row.method: row for row in conftest.table("table2", path).rows}


def test_numbers_stand_on_the_line_of_the_variant(with_variants, tmp_path):
    found = rows(tmp_path, ("disyre", "dae", "dae-upd", "fae-upd", "random"))
    printed = Published.read()

    def paper(method):
        return found[method].paper

    expected = printed.get("table2", "dae", "ATLAS", "final", "ap")
    assert expected is not None
    assert paper("dae-upd")[0] == expected
    assert set(paper("dae")) == {None}  # both were run: the number is the variant's
    assert paper("fae-upd")[0] == printed.get("table2", "fae", "ATLAS", "final", "ap")
    assert "fae" not in found  # its line would hold the same numbers again
    assert paper("disyre")[0] == printed.get("table2", "disyre", "ATLAS", "final", "ap")
    assert paper("vae")[0] == printed.get("table2", "vae", "ATLAS", "final", "ap")  # not run at all
    names = list(found)
    assert names.index("dae-upd") == names.index("dae") + 1


def test_without_the_variant_they_stand_on_the_line_of_the_method(tmp_path):
    found = rows(tmp_path, ("disyre", "dae"))
    assert found["dae"].paper[0] == Published.read().get("table2", "dae", "ATLAS", "final", "ap")


@pytest.mark.parametrize(
    ("method", "ran", "name"),
    [
        ("dae", {"dae"}, "dae"),
        ("dae", {"dae", "dae-upd"}, ""),
        ("dae-upd", {"dae", "dae-upd"}, "dae"),
        ("disyre", {"disyre", "disyre-public"}, "disyre"),
        ("disyre-public", {"disyre", "disyre-public"}, "disyre-public"),
    ],
)
def test_whose_printed_row(method, ran, name):
    assert quoted(method, ran) == name


def test_protocols_of_printed_rows():
    assert [made_by(name) for name in ("disyre", "mood22", "dae", "dae-upd")] == ["official", "official", "upd", "upd"]


def test_no_row_is_lost_or_doubled():
    paper = [("vae", "VAE", "IR"), ("dae", "DAE", "S-S")]
    ours = [("dae-upd", "DAE (UPD)", "S-S"), ("vae", "VAE", "IR"), ("own", "Own", "IR")]
    assert [entry[0] for entry in order(paper, ours)] == ["vae", "own", "dae-upd"]
