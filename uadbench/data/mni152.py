"""Template MNI152 (ICBM 152 nonlinear symmetric 2009a), read from uadbench/resources/mni152."""

import nibabel
import numpy as np

from uadbench.core.packaged import RESOURCES


def read(name: str) -> nibabel.Nifti1Image:
    """A map of the template, 0…255 on voxels of 1 mm: `t1`, or the fraction of grey (`gm`) or white matter (`wm`)."""
    return nibabel.Nifti1Image.from_filename(RESOURCES / "mni152" / f"{name}.nii.gz")


def t1_and_brain() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """T1 (X, Y, Z) float32 in 0…1, brain mask (X, Y, Z) bool, and affine (4, 4).

    Equal to `load_mni152_template` and `load_mni152_brain_mask` of nilearn at 1 mm.
    """
    image = read("t1")
    data = np.asarray(image.dataobj).astype(np.float32)
    data /= data.max()
    assert image.affine is not None
    return data, data > 0.2, image.affine
