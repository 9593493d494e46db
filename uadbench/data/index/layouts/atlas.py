"""ATLAS R2.0: T1-weighted scans of stroke patients, in MNI space, with lesion masks."""

from uadbench.data.index import layout

SUBJECT = r"(sub-r\d+s\d+)_(ses-\d+)_space-MNI152NLin2009aSym"


class Layout(layout.Layout):
    """`sub-r###s###_ses-1_space-MNI152NLin2009aSym_T1w.nii.gz` and its `…_label-L_desc-T1lesion_mask.nii.gz`.

    Several sessions of a patient are a subject each, `sub-r###s###_ses-#`.

    The encrypted archive of Liew et al. (2022) also has a folder `Testing` without masks, which is skipped.
    """

    expected = "ATLAS_2/Training/R*/sub-*/ses-1/anat/sub-*_space-MNI152NLin2009aSym_T1w.nii.gz"
    names = {"t1": SUBJECT + "_T1w", "mask": SUBJECT + "_label-L_desc-T1lesion_mask"}
    skip = ("Testing",)
    has_mask = True
