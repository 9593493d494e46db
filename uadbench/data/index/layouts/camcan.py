"""CamCAN, release 004 (BIDS): healthy adults, T1-weighted and mostly T2-weighted scans, whole head."""

from uadbench.data.index import layout


class Layout(layout.Layout):
    """`sub-CC######_T1w.nii.gz` and `sub-CC######_T2w.nii.gz` anywhere below the root (Shafto et al. 2014)."""

    expected = "cc700/mri/pipeline/release004/BIDS_20190411/anat/sub-CC*/anat/sub-CC*_T1w.nii.gz"
    names = {"t1": r"(sub-CC\d+)_T1w", "t2": r"(sub-CC\d+)_T2w"}
