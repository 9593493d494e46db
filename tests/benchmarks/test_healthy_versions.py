"""Healthy versions of simulated subjects: the same scans but for the lesion."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from benchmarks.healthy_versions import healthy_version
from uadbench.simulation.subjects import MAKERS, SubjectStreams

SPACING = 8.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layout", "subject", "scan", "mask"),
    [
        ("atlas", "sub-r001s012", "T1w", "label-L_desc-T1lesion_mask"),
        ("brats", "BraTS20_Training_001", "t2", "seg"),
    ],
)
def test_scans_differ_in_the_lesion_alone(layout, subject, scan, mask):
    ill = MAKERS[layout](SubjectStreams(2026, layout, subject), SPACING)
    well = healthy_version(layout, 2026, SPACING, subject)
    lesion = ill.scans[mask].voxels > 0
    assert lesion.sum() > 50
    assert not well.scans[mask].voxels.any()
    changed = ill.scans[scan].voxels != well.scans[scan].voxels
    assert changed[lesion].mean() > 0.95
    assert changed[~binary_dilation(lesion, iterations=3)].mean() < 0.01
    assert np.array_equal(ill.scans[scan].grid.affine, well.scans[scan].grid.affine)
    assert (
        MAKERS[layout](SubjectStreams(2026, layout, subject), SPACING).scans[mask].voxels.any()
    )  # nothing stays replaced
