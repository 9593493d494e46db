"""Ljubljana: multiple sclerosis, four scans on one grid, whole head, consensus lesion masks of three raters."""

from uadbench.data.index import layout

SCANS = {"t1": "T1W", "t2": "T2W", "flair": "FLAIR", "t1c": "T1WKS", "mask": "consensus_gt"}


class Layout(layout.Layout):
    """`patient##/patient##_{T1W,T2W,FLAIR,T1WKS}.nii.gz` and `patient##_consensus_gt.nii.gz` (Lesjak et al. 2017).

    Each patient's folder `raw` holds the scans on their own grids under the same names; it is skipped.
    """

    expected = "patient*/patient*_T1W.nii.gz, _T2W.nii.gz and _consensus_gt.nii.gz"
    names = {kind: rf"(patient\d+)_{scan}" for kind, scan in SCANS.items()}
    skip = ("raw",)
    has_mask = True
