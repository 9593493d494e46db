"""Cohort of the conformance suite: smooth random volumes in the shape of a brain."""

from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from uadbench.core.files import sha256, write_json
from uadbench.core.study_folder import INDEX, array_file

SPLITS = ["train"] * 4 + ["validation"] * 2 + ["test"] * 3
SHAPE = (10, 36, 28)
SPACING = 4.0  # mm


def write(folder: Path) -> Path:
    """Write a packed cohort (see `data.packing.store`) in T1 and T2; every test subject has a bright blob as lesion.

    Four training, two validation and three test subjects of SHAPE; a seed of its own, so always the same bytes.
    """
    folder.mkdir(parents=True)
    generator = np.random.default_rng(7)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in SHAPE), indexing="ij")
    brain = (z**2 + y**2 + x**2) < 0.9
    images = np.zeros((2, len(SPLITS), *SHAPE), np.float16)
    masks = np.zeros((len(SPLITS), *SHAPE), np.uint8)
    for row, split in enumerate(SPLITS):
        for modality in range(2):
            texture = gaussian_filter(generator.standard_normal(SHAPE), 1.5)
            images[modality, row] = np.clip(0.5 + texture, 0.01, 1) * brain
        if split == "test":
            masks[row] = ((z**2 + (y - 0.3) ** 2 + (x + 0.2) ** 2) < 0.06) & brain
            images[:, row][:, masks[row] > 0] = 1.0
    arrays = {"t1": images[0], "t2": images[1], "mask": masks}
    for name, array in arrays.items():
        np.save(folder / array_file(name), array)
    subjects = [
        {"subject": f"tiny-{row}", "split": split, "modalities": ["t1", "t2"]} for row, split in enumerate(SPLITS)
    ]
    index = {
        "dataset": "tiny",
        "simulated": True,
        "modalities": ["t1", "t2"],
        "has_mask": True,
        "spacing": SPACING,
        "affine": np.diag([SPACING] * 3 + [1.0]).tolist(),
        "preprocessing": {},
        "arrays": {name: sha256(folder / array_file(name)) for name in arrays},
        "subjects": subjects,
        "left_out": [],
    }
    write_json(folder / INDEX, index)
    return folder
