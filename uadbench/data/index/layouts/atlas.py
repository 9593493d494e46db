"""ATLAS R2.0: T1-weighted scans of stroke patients, in MNI space, with lesion masks."""

from __future__ import annotations

from pathlib import Path

from uadbench.data.index import layout


class Layout(layout.Layout):
    """`sub-r###s###_ses-1_space-MNI152NLin2009aSym_T1w.nii.gz` and its `…_label-L_desc-T1lesion_mask.nii.gz`.

    The encrypted archive of Liew et al. (2022) also has a folder `Testing` without masks, which is skipped.
    """

    expected = "ATLAS_2/Training/R*/sub-*/ses-1/anat/sub-*_space-MNI152NLin2009aSym_T1w.nii.gz"
    has_mask = True

    def subjects(self, root: Path) -> list[layout.Files]:
        name = r"(sub-r\d+s\d+)_ses-\d+_space-MNI152NLin2009aSym"
        return layout.group(
            root,
            {"t1": name + r"_T1w\.nii(?:\.gz)?", "mask": name + r"_label-L_desc-T1lesion_mask\.nii(?:\.gz)?"},
            skip=("Testing",),
        )
