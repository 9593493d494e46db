"""The paper's quoted numbers stand beside UPD_study's variant of a method, if that was run."""

from __future__ import annotations

import pytest

from tests.paper import conftest
from uadbench.paper.published import Published, made_by, quoted
from uadbench.paper.tables.table2 import order


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
