"""The paper's statements that a study can speak to: their verdicts, and its numbers beside the paper's."""

from dataclasses import dataclass

from uadbench.paper.claims.entries import SECTIONS, Claim
from uadbench.paper.claims.evidence import SUBJECT, Measured, Printed
from uadbench.paper.claims.page import beside, said
from uadbench.paper.published import Published
from uadbench.report.study import Study


@dataclass(frozen=True)
class Statement:
    """A claim, the study's verdict in words, and for each number what it is of, the paper's and the study's.

    lines is empty where the study has no number.
    """

    claim: Claim
    verdict: str
    lines: list[list[str]]


def statements(study: Study) -> list[Statement]:
    """Every statement; none for a study without DISYRE, or without a task of the paper."""
    measured, paper = Measured(study.folder.results, study.first.protocol), Printed(Published.read())
    if not measured.tasks or SUBJECT not in {name for name, _, _ in measured.results.methods}:
        return []
    told = [(claim, *said(claim, measured)) for claims in SECTIONS.values() for claim in claims]
    return [
        Statement(claim, words, beside([claim.measure(paper), found]) if found else []) for claim, words, found in told
    ]
