"""Table of lesions: sensitivity at one rate for all methods, and at numbers of false positives a scan (FROC)."""

from uadbench.paper.inputs import Sources
from uadbench.paper.table import Table
from uadbench.paper.tables.detection import MATCHING, findings, lesions_note

METRICS = {
    "sensitivity@0.01": "Sens.@1%",
    "sensitivity_equal@0.01": "Sens.=1%",
    "froc@1": "1 FP",
    "froc@8": "8 FP",
    "froc": "FROC",
}
CAPTION = (
    "Sensitivity to lesions at the threshold that 1 % of healthy subjects' brain voxels reach (Sens.@1%); at the one "
    "that 1 % of the test set's own normal voxels reach, an equal rate for all methods (Sens.=1%); at 1 and at 8 false "
    "positives (FP) a scan; and the mean at 1/8, 1/4, 1/2, 1, 2, 4 and 8 of them (FROC)."
)


def make(sources: Sources) -> Table:
    """Build the table: metrics of `uadbench.evaluation.detection.froc` beside that at a healthy threshold."""
    return findings(
        sources,
        "lesions",
        CAPTION,
        METRICS,
        lesions_note(sources),
        f"{MATCHING} False positives are unmatched findings. At a number of them a scan: the greatest sensitivity of "
        "all thresholds above the first one that has more.",
    )
