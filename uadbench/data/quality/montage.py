"""Montages of one subject: three slices side by side with the outlines of brain and lesion, as small JPEG files."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from uadbench.data.preprocessing import previews
from uadbench.data.quality.measures import Volumes

#: Okabe and Ito 2008: distinguishable with the common colour-vision deficiencies
BRAIN, LESION = (86, 180, 233), (230, 159, 0)
#: mm per pixel; a brain is then some 120 pixels wide
PIXEL = 1.5
#: JPEG quality, 0 to 95
QUALITY = 60
#: pixels between the slices
GAP = 4


@dataclass(frozen=True)
class Plane:
    """A slice: `grey` uint8 (rows, columns), first row at the bottom; mm from row to row and from column to column.

    outlines: masks of the same shape with the RGB of their outline; later ones lie on top.
    """

    grey: np.ndarray
    size: tuple[float, float]
    outlines: Sequence[tuple[np.ndarray, tuple[int, int, int]]]


def before(path: Path) -> bytes | None:
    """The raw scan with the outline of its brain mask, from `before.npz`; None without this file."""
    if not path.is_file():
        return None
    with np.load(path) as pictures:
        planes = []
        for name in ("axial", "coronal", "sagittal"):
            grey, brain = pictures[name], pictures[f"brain_{name}"]
            box = _content((grey > 24) | brain)
            planes.append(Plane(grey[box], (previews.SPACING, previews.SPACING), [(brain[box], BRAIN)]))
    return strip(planes)


def after(volumes: Volumes, modality: str, voxel: tuple[int, int, int]) -> bytes:
    """The packed image of a modality in the three slices through `voxel`, with the outlines of brain and lesion."""
    image = volumes.images[modality]
    greys = {
        name: (np.clip(plane, 0, 1) * 255).astype(np.uint8) for name, plane in previews.slices(image, voxel).items()
    }
    outlined = [(volumes.brain, BRAIN), *([(volumes.lesion, LESION)] if volumes.lesion is not None else [])]
    masks = [(previews.slices(mask, voxel), colour) for mask, colour in outlined]
    x, y, z = (float(value) for value in volumes.grid.spacing)
    sizes = {"axial": (y, x), "coronal": (z, x), "sagittal": (z, y)}
    return strip([Plane(greys[name], sizes[name], [(cut[name], colour) for cut, colour in masks]) for name in greys])


def all_of(folder: Path, volumes: Volumes) -> Mapping[str, bytes]:
    """Every picture of a subject by its caption, in the order to show them."""
    first = before(folder / "before.npz")
    pictures = {f"{next(iter(volumes.images)).upper()} as it came": first} if first else {}
    centre = previews.middle(volumes.brain)
    for name in volumes.images:
        pictures[f"{name.upper()} packed"] = after(volumes, name, centre)
    if volumes.lesion is not None and volumes.lesion.any():
        largest = previews.largest(volumes.lesion)
        for name in volumes.images:
            pictures[f"{name.upper()} packed, where the lesion is largest"] = after(volumes, name, largest)
    return pictures


def strip(planes: Sequence[Plane]) -> bytes:
    """The planes side by side as JPEG, at PIXEL mm per pixel, the first row at the bottom."""
    from PIL import Image

    drawn = [draw(plane) for plane in planes]
    height = max(picture.shape[0] for picture in drawn)
    width = sum(picture.shape[1] for picture in drawn) + GAP * (len(drawn) - 1)
    canvas = np.zeros((height, width, 3), np.uint8)
    left = 0
    for picture in drawn:
        top = (height - picture.shape[0]) // 2
        canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        left += picture.shape[1] + GAP
    stream = io.BytesIO()
    # Colour at full resolution: the outlines are one pixel wide.
    Image.fromarray(canvas).save(stream, "JPEG", quality=QUALITY, subsampling=0, optimize=True)
    return stream.getvalue()


def draw(plane: Plane) -> np.ndarray:
    """A plane as RGB uint8 (rows, columns, 3) with its outlines, the first row of the plane at the bottom."""
    rgb = np.repeat(_resized(plane.grey, plane.size)[..., None], 3, axis=2)
    for mask, colour in plane.outlines:
        inside = _resized(mask.astype(np.uint8) * 255, plane.size) > 127
        rgb[inside & ~ndimage.binary_erosion(inside, np.ones((3, 3)))] = colour
    return rgb[::-1]


def _resized(values: np.ndarray, size: tuple[float, float]) -> np.ndarray:
    from PIL import Image

    rows, columns = (max(round(n * step / PIXEL), 1) for n, step in zip(values.shape, size, strict=True))
    resized = Image.fromarray(values).resize((columns, rows), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def _content(mask: np.ndarray) -> tuple[slice, slice]:
    """Bounding box of a mask with a margin of two; the whole image for an empty mask."""
    if not mask.any():
        return slice(None), slice(None)
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(max(rows[0] - 2, 0), rows[-1] + 3), slice(max(columns[0] - 2, 0), columns[-1] + 3)
