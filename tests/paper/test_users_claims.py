"""The page of claims of any study: names, missing values and files, and what a verdict takes."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.paper.conftest import write_comparisons, write_results, write_synthesis
from uadbench.core.errors import HarnessError
from uadbench.core.study_folder import RESULTS, SUBSETS, SYNTHESIS
from uadbench.evaluation.summary import subsets
from uadbench.evaluation.summary.comparisons import OTHER
from uadbench.evaluation.summary.runs import SCORE
from uadbench.evaluation.voxels.columns import SIMULATED
from uadbench.paper.claims import methods, page, steps
from uadbench.paper.claims.cells import grids, spanless
from uadbench.paper.claims.difference import of_row
from uadbench.paper.claims.entries import SECTIONS
from uadbench.paper.claims.evidence import TASKS, Measured, Printed
from uadbench.paper.claims.finding import signed, verdict
from uadbench.paper.published import Published

ATLAS, T1, T2 = TASKS
OUT = Path("claims.md")
CLAIMS = {claim.title: claim for section in SECTIONS.values() for claim in section}


def without(chosen):
    """An edit that empties the AP of DISYRE where `chosen` of the rows says so."""
    return lambda rows: rows.assign(
        value=rows["value"].mask((rows["method"] == "disyre") & (rows["metric"] == "ap") & chosen(rows))
    )


def written(folder, methods=("disyre", "dae"), **changes) -> Measured:
    folder.mkdir(exist_ok=True)
    return Measured(write_results(folder / RESULTS, methods, **changes))


def test_studies_of_one_name_are_told_apart_and_one_study_is_given_once(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    written(one, seeds=(1,)), written(other, ("disyre",), seeds=(1,))
    text = page.write([one, other], OUT)
    for place in (one, other):
        assert f"* **demo, {place}**: simulated scans" in text.replace("\\", "")
    line = next(line for line in text.split("### T1 against T2")[1].splitlines() if line.startswith("| BraTS-T2"))
    assert line.count("|") == 5  # what it is of, the paper, and both
    with pytest.raises(HarnessError, match="one experiment is given twice"):
        page.write([one, one / RESULTS], OUT)


@pytest.mark.parametrize("seeds", [(0, 1, 2, 3), (3,)])
def test_empty_values_are_not_measured(tmp_path, seeds):
    """Of the maps of ATLAS, all or those of the last seed."""

    def chosen(rows):
        maps = rows["score"].str.startswith("multi/") | rows["score"].isin(["single/t=75", "single/t=80"])
        return (rows["task"] == ATLAS) & maps & rows["seed"].isin(seeds)

    study = written(tmp_path, edit=without(chosen))
    row = write_comparisons(tmp_path, [("disyre", "disyre")], score="multi/step=50", **{OTHER: SCORE})
    assert len(pd.read_csv(row)) == 1
    assert steps.step_sizes(study) == []
    found = {one.of: one for one in steps.peaks(study)}
    assert 60 <= found[ATLAS].value <= 90
    assert found[ATLAS].value not in (75, 80)
    assert not any("nan" in one.text() for claim in CLAIMS.values() for one in claim.measure(study))
    assert study.scores(ATLAS, "multi/step") == []
    assert len(study.scores(T1, "multi/step")) == 5
    line = page._studies([study])[0]
    assert "DISYRE on ATLAS (single/t=75, single/t=80, multi/step=10" in line
    assert "AP is empty" not in page._studies([written(tmp_path / "whole")])[0]


def test_a_seed_without_the_final_map_is_left_out_alone(tmp_path):
    study = written(tmp_path, edit=without(lambda rows: (rows["score"] == SCORE) & (rows["seed"] == 0)))
    assert len(study.scores(ATLAS, "single/t")) == 20
    assert verdict(steps.peaks(study)) is True


@pytest.mark.parametrize(("times", "tasks"), [((50,), []), ((50, 75), [*TASKS]), ((), [])])
def test_a_maximum_takes_two_t(tmp_path, times, tasks):
    kept = [f"single/t={t}" for t in times]
    study = written(tmp_path, edit=without(lambda rows: (rows["score"] != SCORE) & ~rows["score"].isin(kept)))
    assert [one.of for one in steps.peaks(study)] == tasks


def test_a_ratio_of_zero_has_an_infinite_inverse(tmp_path):
    path = write_comparisons(tmp_path, [("dae", "disyre")], ratio=2.0, ratio_low=0.0, ratio_high=4.0)
    assert of_row(pd.read_csv(path).iloc[0], turned=True).ratio == (0.5, 0.25, np.inf)
    write_comparisons(tmp_path, [("disyre", "fae")], ratio=2.0, ratio_low=0.0, ratio_high=4.0)
    study = written(tmp_path, ("disyre", "fae"))
    own = next(one for one in methods.gain(ATLAS)(study) if "DISYRE's own" in one.of)
    assert own.text() == "+50 % (< −1000 % to +75 %)"


@pytest.mark.parametrize(
    ("drawn", "bias", "expected"), [(4, -0.1, None), (29, 0.0, None), (30, 0.0, True), (30, -0.1, False)]
)
def test_a_small_subset_decides_nothing(tmp_path, drawn, bias, expected):
    facts = {"experiment": "demo", **dict.fromkeys(SIMULATED, True), "task": ATLAS, "protocol": "full", "share": 0.34}
    numbers = {"value": 0.3, "bias": bias, "error": 0.001, "low": -0.2, "high": 0.2}
    row = {
        **facts,
        "score": SCORE,
        "metric": "ap",
        "method": "disyre",
        "patients": 3 * drawn,
        "drawn": drawn,
        **numbers,
    }
    pd.DataFrame([row], columns=subsets.COLUMNS).to_csv(tmp_path / SUBSETS, index=False)
    assert verdict(methods.fewer_scans(written(tmp_path))) is expected


@pytest.mark.parametrize(
    ("given", "changes", "reason"),
    [
        (("dae", "fae"), {}, "AP of DISYRE (`disyre`) on a task of the paper"),
        (("disyre", "dae"), {"tasks": {"mine": 0.01}}, "a task of the paper: ATLAS, BraTS-T1, BraTS-T2"),
        (("disyre",), {}, ""),
    ],
)
def test_what_is_not_tested_has_a_reason(tmp_path, given, changes, reason):
    """Without DISYRE, without a task of the paper, and of one method without any other file."""
    write_synthesis(tmp_path / SYNTHESIS)
    study = written(tmp_path, given, **changes)
    facts = {"experiment": "demo", **dict.fromkeys(SIMULATED, True), "task": ATLAS, "protocol": "full", "share": 0.34}
    row = {**facts, "metric": "ap", "method": given[-1], "patients": 90, "drawn": 30, "bias": 0.0, "error": 0.0}
    pd.DataFrame([row], columns=subsets.COLUMNS).to_csv(tmp_path / SUBSETS, index=False)
    text = page.write([tmp_path], OUT)
    told = {title: page.said(claim, study)[0] for title, claim in CLAIMS.items()}
    assert told["Schedule"] == "holds"  # of the code
    absent = [title for title, words in told.items() if words == page.ABSENT_WORDS]
    assert (len(absent) == len(CLAIMS) - 2) is bool(reason)
    for title in absent:
        part = text.split(f"### {title}\n")[1].split("###")[0]
        assert f"not tested, needs {reason or CLAIMS[title].needs}." in part
    assert all(claim.needs for claim in CLAIMS.values())
    assert "; ;" not in text
    assert ("no task of the paper (ATLAS, BraTS-T1, BraTS-T2)" in text) is ("tasks" in changes)


def test_the_page_says_where_it_stands(tmp_path):
    """Its own command, what it was made of, and a link to the guide only beside it."""
    study, out = tmp_path / "study", tmp_path / "claims.md"
    written(study, seeds=(1,), simulated=False, edit=lambda rows: rows.assign(subjects=8))
    text = page.write([study], out)
    assert "](evaluation.md)" not in text
    assert f"uadbench claims {study} results/paper --out {out}" in text
    assert "* No study here is on the paper's test sets." in text
    assert not re.search("GPU|compares with this page|is stored", text)
    (tmp_path / "evaluation.md").touch()
    assert "([evaluation](evaluation.md))" in page.write([study], out)
    written(study, seeds=(1,), simulated=False)
    text = page.write([study], out)
    assert "results/paper --out" not in text.split("```text\n")[1].split("```")[0]
    assert "No study here" not in text


def test_small_numbers_keep_a_digit():
    told = [signed(value) for value in (0.0, 0.25, -0.00994, 0.002, -0.0003)]
    assert told == ["+0.00", "+0.25", "−0.010", "+0.002", "−0.0003"]
    assert signed(0.0046, "") == "0.005"


def test_a_number_without_an_interval_is_named(tmp_path):
    def edit(rows):
        empty = (rows["method"] == "dae") & (rows["task"] == T2)
        return rows.assign(low=rows["low"].mask(empty), high=rows["high"].mask(empty))

    _, second, _ = grids(Printed(Published.read()))
    study = written(tmp_path, edit=edit)
    assert spanless(second, study).startswith("demo: no interval of DAE on BraTS-T2. The scores")
    assert spanless(second, written(tmp_path)) == ""
