"""Tissue maps in MNI152 space, from the template of the package (ICBM 152 nonlinear symmetric 2009a)."""

import functools

import numpy as np
from scipy import ndimage

from uadbench.data import mni152
from uadbench.simulation.fields import LOWER, Array, Maps, grid

# Order of the maps of `tissues`.
WHITE, GREY, BRAIN, DETAIL, VENTRICLE = range(5)
# Order of the maps of `surfaces`.
CAVITY, HEAD = range(2)


@functools.cache
def _load() -> tuple[dict[str, Array], np.ndarray]:
    """The template's T1, grey and white matter maps (0 to 1) and the origin (mm) of their 1 mm RAS grid."""
    maps: dict[str, Array] = {}
    for name in ("t1", "gm", "wm"):
        image = mni152.read(name)
        maps[name] = np.asarray(image.dataobj).astype(np.float32) / np.float32(255)
    assert image.affine is not None
    # The empty margin is cropped, except below, where the brain stem is cut off by the border.
    low, high = zip(*((used.min() - 6, used.max() + 7) for used in np.nonzero(maps["t1"] > 0.05)), strict=True)
    box = tuple(slice(max(a, 0), b) for a, b in zip((*low[:2], 0), high, strict=True))
    corner = image.affine[:3, 3] + [part.start for part in box]
    return {name: np.ascontiguousarray(values[box]) for name, values in maps.items()}, corner


@functools.cache
def _prepared() -> tuple[Array, np.ndarray]:
    """The maps of `tissues` (5, X, Y, Z) at 1 mm and the origin of their grid."""
    maps, origin = _load()
    white, grey, t1 = maps["wm"], maps["gm"], maps["t1"]
    brain = ndimage.binary_fill_holes(ndimage.binary_opening(t1 > 0.08))
    assert brain is not None
    # Outside the brain the maps have ringing artefacts of some grey values.
    white, grey = white * brain, grey * brain
    fluid = np.clip(brain - white - grey, 0, 1).astype(np.float32)
    inner = ndimage.gaussian_filter(brain.astype(np.float32), 2.0) > 0.85
    sample = np.flatnonzero(inner)[::50]
    design = np.stack([m.ravel()[sample] for m in (white, grey, fluid)], axis=1)
    weights = np.linalg.lstsq(design, t1.ravel()[sample], rcond=None)[0]
    detail = (t1 - (weights[0] * white + weights[1] * grey + weights[2] * fluid)) / weights[0]
    detail = np.clip(detail, -0.12, 0.12) * ndimage.gaussian_filter(inner.astype(np.float32), 1.0)
    # The ventricles are the large fluid spaces deep in the brain.
    half = (slice(None, None, 2),) * 3
    deep = ndimage.distance_transform_edt(brain[half]) > 11
    parts, count = ndimage.label((fluid[half] > 0.6) & deep)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    ventricle = ((parts > 0) & (sizes[parts] > 40)).repeat(2, 0).repeat(2, 1).repeat(2, 2)
    ventricle = ventricle[tuple(slice(n) for n in brain.shape)]
    return np.stack([white, grey, brain, detail, ventricle]).astype(np.float32), origin


@functools.cache
def tissues(spacing: float) -> Maps:
    """White and grey matter fractions, brain mask, T1 detail and ventricles (5, X, Y, Z) for voxels of `spacing` mm.

    Fractions and masks lie in [0, 1]. Detail is the relative difference between the template's T1 and the best mixture
    of its three tissues: structures missing in the maps (nuclei, tracts, cortical layers), clipped to ±0.12.
    """
    stack, origin = _prepared()
    if spacing > 1:
        # A Gaussian with the variance of a box of that width, minus that of the maps' own 1 mm voxels.
        stack = np.stack([ndimage.gaussian_filter(m, np.sqrt((spacing**2 - 1) / 12)) for m in stack])
    step = max(1, int(spacing / 1.5))  # every second, third, … millimetre where this is lossless
    return Maps(np.ascontiguousarray(stack[:, ::step, ::step, ::step]), origin, float(step))


def ventricle() -> Maps:
    """The ventricles (1, X, Y, Z), 0 or 1, on a grid of 2 mm."""
    values, origin = _prepared()
    return Maps(values[VENTRICLE, ::2, ::2, ::2][None], origin, 2.0)


@functools.cache
def surfaces(spacing: float = 2.5) -> Maps:
    """Signed distances (2, X, Y, Z) in mm to the inner skull and to the outer surface of the head, positive inside."""
    maps, origin = _load()
    points = grid(spacing)
    brain = Maps(maps["t1"][None], origin, 1.0)(points)[0] > 0.12
    x, y, z = points
    brain &= z < 100  # below the template its last slice, the medulla, is extended as a spinal cord
    # The inner skull: a closing of the brain by 9 mm, which spans the sulci.
    closed = _inward(_inward(~brain, spacing) <= 9, spacing) > 9
    cavity = _signed_distance(closed | brain, spacing)
    # A simplified face and neck: an ellipsoid in front of and below the brain, and a cylinder around the spine.
    face = 1 - np.sqrt((x / 62) ** 2 + ((y - 32) / 68) ** 2 + ((z + 62) / 82) ** 2)
    neck = 1 - np.sqrt((x / 58) ** 2 + ((y + 38) / 62) ** 2)
    body = (face > 0) | ((neck > 0) & (z < -40)) | (cavity > -13)
    # Rounded where the parts meet: a closing by 12 mm.
    rounded = _inward(_inward(~body, spacing) <= 12, spacing) > 12
    head = _signed_distance(rounded, spacing)
    return Maps(np.stack([ndimage.gaussian_filter(m, 1.0) for m in (cavity, head)]), LOWER, spacing)


def _inward(inside: np.ndarray, spacing: float) -> Array:
    """Distance in mm of inside points to the outside, 0 outside. The lowest slice is extended downwards."""
    padded = np.pad(inside, ((0, 0), (0, 0), (8, 0)), mode="edge")
    distance: Array = (ndimage.distance_transform_edt(padded)[:, :, 8:] * spacing).astype(np.float32)
    return distance


def _signed_distance(inside: np.ndarray, spacing: float) -> Array:
    """Distance in mm to the border of `inside`, positive inside."""
    return _inward(inside, spacing) - _inward(~inside, spacing)
