"""The published numbers: complete, as printed, and read with clear errors."""

from __future__ import annotations

import pytest

from uadbench.core.errors import HarnessError
from uadbench.paper.published import COLUMNS, Published

TASKS = ("ATLAS", "BraTS-T1", "BraTS-T2")


@pytest.fixture(scope="module")
def published() -> Published:
    return Published.read()


def test_columns_and_size(published):
    assert list(published.rows.columns) == COLUMNS
    assert len(published.rows) == 9 * 3 + 10 * 3 * 2
    assert not published.rows.duplicated(["table", "method", "task", "score", "metric"]).any()
    assert published.rows["mean"].between(0, 1).all()


def test_table1_is_complete_and_in_printed_order(published):
    scores = [f"single/t={t}" for t in (25, 50, 75, 100)] + [f"multi/step={s}" for s in (10, 20, 25, 33, 50)]
    assert published.scores("table1", "disyre") == scores
    for score in scores:
        for task in TASKS:
            value = published.get("table1", "disyre", task, score, "ap")
            assert value is not None
            assert value.std is not None


def test_table2_is_complete_and_in_printed_order(published):
    assert published.methods("table2") == [
        ("vae", "VAE", "IR"),
        ("r_vae", "r-VAE", "IR"),
        ("f_anogan", "f-AnoGAN", "IR"),
        ("fae", "FAE", "FM"),
        ("rd", "RD", "FM"),
        ("am_cons", "AMCons", "AB"),
        ("pii", "PII", "S-S"),
        ("dae", "DAE", "S-S"),
        ("mood22", "MOOD22", "S-S"),
        ("disyre", "DISYRE", "S-S"),
    ]
    for method, _, _ in published.methods("table2"):
        for task in TASKS:
            for metric in ("ap", "dice"):
                value = published.get("table2", method, task, "final", metric)
                assert value is not None
                assert value.std is None  # the paper prints none in Table 2


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
