"""Template MNI152 (ICBM 152 nonlinear symmetric 2009a), read from the files that nilearn bundles.

nilearn 0.10.4 to 0.14.1 bundle the same files. It is not imported, since that takes 2 s in each job that simulates,
preprocesses or scores scans.
"""

from importlib.util import find_spec
from pathlib import Path

import nibabel
import numpy as np

from uadbench.core.errors import HarnessError


def read(name: str) -> nibabel.Nifti1Image:
    """A map of the template: `t1`, or the fraction of grey (`gm`) or white matter (`wm`), in 0…255 on voxels of 1 mm.

    Raises ModuleNotFoundError where nilearn is missing, HarnessError where it lacks the file.
    """
    spec = find_spec("nilearn")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("nilearn bundles the template mni152", name="nilearn")
    folder = Path(spec.submodule_search_locations[0]) / "datasets" / "data"
    path = folder / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz"
    if not path.is_file():
        raise HarnessError(f"{path}: no such file; pip install nilearn==0.13.1, which bundles it")
    return nibabel.Nifti1Image.from_filename(path)


def t1_and_brain() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """T1 (X, Y, Z) float32 in 0…1, brain mask (X, Y, Z) bool, and affine (4, 4).

    Equal to `load_mni152_template` and `load_mni152_brain_mask` of nilearn at 1 mm.
    """
    image = read("t1")
    data = np.asarray(image.dataobj).astype(np.float32)
    data /= data.max()
    assert image.affine is not None
    return data, data > 0.2, image.affine
