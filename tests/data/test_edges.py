"""Edges of the brain after resampling, on a block of which every other packed voxel has a known share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from uadbench.data.preprocessing.reading.scan import Scan
from uadbench.data.preprocessing.registration.registration import Located
from uadbench.data.preprocessing.registration.template import Template
from uadbench.data.preprocessing.registration.transform import resample
from uadbench.data.preprocessing.settings import Preprocessing


def packed(edges: str) -> tuple[np.ndarray, np.ndarray]:
    """A line through a brain of 10 voxels (grey 2, in the middle 4), shifted by .7 voxels: ends have shares .3, .7."""
    data = np.zeros((20, 12, 12), np.float32)
    data[5:15, 3:9, 3:9] = 2
    data[9:11, 3:9, 3:9] = 4
    shift = np.eye(4)
    shift[0, 3] = 0.7
    brain = data > 0
    template = Template("block", np.ones_like(data), np.ones_like(brain), np.eye(4))
    scan = Scan(Path("block.nii"), data, np.eye(4))
    fields = Located.__dataclass_fields__
    place = Located(**{**dict.fromkeys(fields), "scan": scan, "inside": brain, "matrix": shift})
    chosen = replace(Preprocessing(spacing=1.0, normalisation="max"), edges=edges)
    image, inside = resample(place, template, chosen)
    middle = tuple(side // 2 for side in image.shape[1:])
    return image[:, middle[0], middle[1]], inside[:, middle[0], middle[1]]


def test_shared_edges_hold_the_brains_own_values():
    image, inside = packed("shared")
    assert inside.sum() == 10  # ten voxels, the one with a share of .7 in place of that with .3
    np.testing.assert_allclose(image[inside][[0, -1]], 2 / 4, atol=1e-5)


def test_plain_edges_have_a_rim_of_partial_volume():
    image, inside = packed("plain")
    assert inside.sum() == 11
    ends = sorted(image[inside][[0, -1]].tolist())
    np.testing.assert_allclose(ends, [0.3 * 2 / 4, 0.7 * 2 / 4], atol=1e-5)
    assert (image[~inside] == 0).all()
