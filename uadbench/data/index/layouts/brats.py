"""BraTS 2020 training set: gliomas, brain extracted, four scans on one grid, mask of tumour classes 1, 2 and 4."""

from dataclasses import replace
from pathlib import Path

from uadbench.core.volume_names import stem
from uadbench.data.index import layout

SCANS = {"t1": "t1", "t2": "t2", "flair": "flair", "t1c": "t1ce", "mask": "seg"}


class Layout(layout.Layout):
    """`BraTS20_Training_###/BraTS20_Training_###_{t1,t2,flair,t1ce,seg}.nii` or `.nii.gz` (Bakas et al. 2018).

    The mask of subject 355 is shipped as `W39_1998.09.19_Segm.nii`; any `*_Segm.nii` in a subject's folder is accepted.
    """

    expected = "MICCAI_BraTS2020_TrainingData/BraTS20_Training_*/BraTS20_Training_*_t1.nii.gz (or .nii)"
    names = {kind: rf"(BraTS20_Training_\d+)_{scan}" for kind, scan in SCANS.items()}
    has_mask = True

    def complete(self) -> list[str]:
        return [f"BraTS20_Training_{number:03d}" for number in range(1, 370)]

    def subjects(self, root: Path) -> list[layout.Files]:
        odd = {path.parent.name: path for path in layout.walk(root) if (stem(path.name) or "").endswith("_Segm")}
        found = super().subjects(root)
        return [files if files.mask else replace(files, mask=odd.get(files.subject)) for files in found]
