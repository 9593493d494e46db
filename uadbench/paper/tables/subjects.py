"""Table of subject-level metrics: means over subjects (Table 2 pools voxels), surface distances, region overlap."""

from uadbench.evaluation.detection.findings import TOLERANCE
from uadbench.evaluation.detection.regions import LIMIT
from uadbench.paper import table
from uadbench.paper.inputs import Sources
from uadbench.paper.table import Table
from uadbench.paper.tables.detection import PROTOCOL, findings

METRICS = {
    "subject_ap": "AP",
    "subject_dice_healthy1": "Dice@1%",
    "subject_surface_dice_healthy1": "sDice@1%",
    "subject_hd95_healthy1": "HD95, mm",
    "aupro": "AUPRO",
}
CAPTION = (
    "Means over subjects with an anomaly: AP within a subject; and at the threshold that 1 % of healthy subjects' "
    "brain voxels reach, Dice, surface Dice (sDice) and the 95th percentile of the Hausdorff distance (HD95; lower is "
    "better). AUPRO: area under the per-region overlap of all lesions."
)


def make(sources: Sources) -> Table:
    """Build the table: subject-level metrics of `uadbench.evaluation.detection.detection_metrics`."""
    return findings(
        sources,
        "subjects",
        CAPTION,
        METRICS,
        table.subjects_note(sources.under(PROTOCOL)),
        f"Surfaces count as the same up to {TOLERANCE:g} mm apart, or up to a voxel's longest side where that is more. "
        "Where nothing reaches the threshold, HD95 is the diagonal of the box around the brain.",
        f"AUPRO: up to a share of {LIMIT:g} of normal voxels, divided by it; a random score reaches {LIMIT / 2:g}.",
    )
