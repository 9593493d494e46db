"""The paper's statements in a report: those and the verdicts of `uadbench claims`, and a sentence where none is."""

import re

import pandas as pd
import pytest
from markupsafe import escape

from uadbench.core.templates import template
from uadbench.paper.claims.entries import SECTIONS
from uadbench.paper.claims.evidence import Measured
from uadbench.paper.claims.page import said
from uadbench.report.claims import statements
from uadbench.report.page import TEMPLATE
from uadbench.report.study import Study

CLAIMS = [claim for claims in SECTIONS.values() for claim in claims]


def section(study, found) -> str:
    return template(TEMPLATE.with_name("claims.html.j2")).render(statements=found, study=study)


def test_verdicts_are_those_of_the_page_of_claims(study, tmp_path):
    measured, found = Measured(tmp_path), statements(study)
    assert [one.claim for one in found] == CLAIMS
    assert [one.verdict for one in found[::3]] == [said(claim, measured)[0] for claim in CLAIMS[::3]]
    text = section(study, found)
    for one in found:
        assert escape(one.claim.says) in text
        assert not one.lines or f"<b>{one.verdict}</b>" in text
    told = {one.claim.title: one for one in found}
    ours = measured.value("disyre", "BraTS-T2").mean - measured.value("disyre", "BraTS-T1").mean
    row = told["T1 against T2"].lines[0]
    assert row[1].startswith("+0.41")
    assert row[2].startswith(f"{ours:+.2f}")
    assert told["Synthetic anomalies against noise"].verdict == "not tested"
    assert "Needs comparisons.csv with DISYRE and ddpm or anoddpm." in text
    assert "supports a statement about brains" in text
    assert not re.search(r"<b>(not )?supported</b>", text)


@pytest.mark.parametrize(("column", "old", "new"), [("method", "disyre", "mine"), ("task", None, "own")])
def test_a_study_without_disyre_or_the_papers_tasks_says_so(study, tmp_path, column, old, new):
    path = tmp_path / "evaluation" / "results.csv"
    rows = pd.read_csv(path, keep_default_na=False)
    rows.assign(**{column: rows[column].replace(old, new) if old else new + rows[column]}).to_csv(path, index=False)
    other = Study(tmp_path, study.plan)
    assert statements(other) == []
    text = section(other, [])
    assert "None is tested: that takes DISYRE and a task of the paper" in text
    assert "<table" not in text
