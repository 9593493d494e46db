"""CamCAN, release 004 (BIDS): healthy adults, T1-weighted and mostly T2-weighted scans, whole head."""

from __future__ import annotations

from pathlib import Path

from uadbench.data.index import layout


class Layout(layout.Layout):
    """`sub-CC######_T1w.nii.gz` and `sub-CC######_T2w.nii.gz` anywhere below the root (Shafto et al. 2014)."""

    expected = "cc700/mri/pipeline/release004/BIDS_20190411/anat/sub-CC*/anat/sub-CC*_T1w.nii.gz"

    def subjects(self, root: Path) -> list[layout.Files]:
        return layout.group(root, {"t1": r"(sub-CC\d+)_T1w\.nii(?:\.gz)?", "t2": r"(sub-CC\d+)_T2w\.nii(?:\.gz)?"})
