"""BraTS 2021 and 2023 (adult glioma): brain extracted, four scans on one grid, mask of tumour classes."""

from uadbench.data.index import layout

SUBJECT = r"(BraTS2021_\d+|BraTS-[A-Z]+-\d+-\d+)"
SCANS = {"t1": "t1n?", "t2": "t2w?", "flair": "flair|t2f", "t1c": "t1ce|t1c", "mask": "seg"}


class Layout(layout.Layout):
    """`BraTS2021_#####_{t1,t2,flair,t1ce,seg}.nii.gz` and `BraTS-GLI-#####-###-{t1n,t2w,t2f,t1c,seg}.nii.gz`, in
    folders by subject.

    Other cohorts of BraTS 2023 (`BraTS-MEN-`, `BraTS-MET-`, …) are named likewise.
    """

    expected = "BraTS2021_*/BraTS2021_*_t1.nii.gz or BraTS-GLI-*/BraTS-GLI-*-t1n.nii.gz"
    names = {kind: rf"{SUBJECT}[_-](?:{scan})" for kind, scan in SCANS.items()}
    has_mask = True
