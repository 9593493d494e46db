"""Pictures of one subject: three slices side by side as small JPEG files, with outlines that the page draws."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from uadbench.core import checksums
from uadbench.core.archive import PICTURES
from uadbench.core.study_folder import BEFORE
from uadbench.data.preprocessing.reading.scan import read_scan
from uadbench.data.preprocessing.reading.volume import BadScan
from uadbench.data.preprocessing.records import previews
from uadbench.data.preprocessing.registration.template import Template
from uadbench.data.quality import outlines, scenes
from uadbench.data.quality.measures import Volumes
from uadbench.data.quality.scenes import PIXEL, Scene

#: Okabe and Ito 2008: distinguishable with the common colour-vision deficiencies
BRAIN, LESION, TEMPLATE = (86, 180, 233), (230, 159, 0), (204, 121, 167)
#: JPEG quality, 0 to 95
QUALITY = 70
#: scenes: the scan's own space, the middle of the template's brain, the largest part of a lesion
OWN, MIDDLE, LARGEST = "own", "middle", "lesion"


@dataclass(frozen=True)
class Picture:
    """A JPEG, its width and height in pixels, and outlines (SVG path data, see `outlines.path`) by name.

    Pictures of the same scene show the same places at the same scale; those of the scene OWN contain their outlines.
    """

    jpeg: bytes
    size: tuple[int, int]
    scene: str
    outlines: Mapping[str, str] = field(default_factory=dict)


def middle(template: Template) -> Scene:
    """The slices through the middle of the template's brain, the same for all subjects."""
    voxel = previews.middle(template.mask)
    return scenes.through(MIDDLE, template, (template.affine @ (*voxel, 1.0))[:3])


def of_template(template: Template, scene: Scene) -> Picture:
    """The template in a scene, with the outline of its brain."""
    top = max(float(np.quantile(template.image[template.mask], 0.995)), 1e-9)
    mask = [plane > 0.5 for plane in scene.cut(template.mask, template.affine)]
    drawn = {"template": outlines.path(scenes.beside(mask))}
    return _picture([plane / top for plane in scene.cut(template.image, template.affine)], scene, drawn)


def all_of(
    folder: Path, volumes: Volumes, record: Mapping[str, Any], source: Path | None, template: Template, scene: Scene
) -> Mapping[str, Picture]:
    """Every picture of a subject by its caption, in the order of the page.

    folder: written by `preprocess`; source: the scan that was registered to the template; scene: see `middle`. Where
    the scan can no longer be read, its preview in its own space takes the place of its picture in the scene.
    """
    first = next(iter(volumes.images))
    came = before(volumes, first, record, source, scene) or own_space(folder / BEFORE)
    pictures = {f"{first.upper()} as it came": came} if came else {}
    for name in volumes.images:
        pictures[f"{name.upper()} packed"] = after(volumes, name, scene)
    if volumes.lesion is not None and volumes.lesion.any():
        voxel = previews.largest(volumes.lesion)
        largest = scenes.through(LARGEST, template, (volumes.grid.affine @ (*voxel, 1.0))[:3])
        for name in volumes.images:
            pictures[f"{name.upper()} packed, where the lesion is largest"] = after(volumes, name, largest)
    return pictures


def before(
    volumes: Volumes, modality: str, record: Mapping[str, Any], source: Path | None, scene: Scene
) -> Picture | None:
    """The scan as it came, on the slices of a scene by its registration; None if it cannot be read."""
    if source is None or modality not in record["template_to_scan"]:
        return None
    try:
        scan = read_scan(source)
    except BadScan:
        return None
    planes = scene.cut(scan.data, scan.affine, np.array(record["template_to_scan"][modality]))
    packed = scene.cut(volumes.images[modality], volumes.grid.affine)
    brain = scene.cut_mask(volumes.brain, volumes.grid)
    return _picture(_alike(planes, packed, brain), scene, _outlined(volumes, scene))


def after(volumes: Volumes, modality: str, scene: Scene) -> Picture:
    """The packed image of a modality in a scene, with the outlines of brain and lesion."""
    return _picture(scene.cut(volumes.images[modality], volumes.grid.affine), scene, _outlined(volumes, scene))


def own_space(path: Path) -> Picture | None:
    """The raw scan with the outline of its brain mask, from `before.npz`; None without this file."""
    if not checksums.there(path):
        return None
    planes = []
    with PICTURES.opened(path) as (_, pictures):
        for name in ("axial", "coronal", "sagittal"):
            grey, brain = pictures[name], pictures[f"brain_{name}"]
            box = _content((grey > 24) | brain)
            planes.append(draw(grey[box], brain[box])[::-1])
    canvas = scenes.beside(planes)
    return Picture(_jpeg(canvas), (canvas.shape[1], canvas.shape[0]), OWN)


def _outlined(volumes: Volumes, scene: Scene) -> dict[str, str]:
    masks = {"brain": volumes.brain, "lesion": volumes.lesion}
    drawn = {
        name: outlines.path(scenes.beside(scene.cut_mask(mask, volumes.grid)))
        for name, mask in masks.items()
        if mask is not None
    }
    return {name: path for name, path in drawn.items() if path}


def _alike(planes: Sequence[np.ndarray], packed: Sequence[np.ndarray], brain: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The raw slices, scaled to the grey values that the packed ones have in the brain."""
    inside = np.concatenate([plane.ravel() for plane in brain])
    values, wanted = (np.concatenate([plane.ravel() for plane in part]) for part in (planes, packed))
    low = wanted_low = 0.0
    high, wanted_high = float(values.max()), 1.0
    if inside.any():
        high, wanted_high = (float(np.quantile(part[inside], 0.9)) for part in (values, wanted))
        if (lowest := float(np.quantile(values[inside], 0.1))) < 0:  # not a scan's scale, such as z-scores
            low, wanted_low = lowest, float(np.quantile(wanted[inside], 0.1))
    factor = (wanted_high - wanted_low) / (high - low) if high > low else 0.0
    return [(plane - low) * factor + wanted_low for plane in planes]


def _picture(planes: Sequence[np.ndarray], scene: Scene, drawn: Mapping[str, str]) -> Picture:
    """The slices, grey values 0…1, as a picture."""
    canvas = scenes.beside([(np.clip(plane, 0, 1) * 255).astype(np.uint8) for plane in planes])
    return Picture(_jpeg(canvas), (canvas.shape[1], canvas.shape[0]), scene.name, drawn)


def _jpeg(canvas: np.ndarray) -> bytes:
    stream = io.BytesIO()
    # Colour at full resolution: drawn outlines are one pixel wide.
    Image.fromarray(canvas).save(stream, "JPEG", quality=QUALITY, subsampling=0, optimize=True)
    return stream.getvalue()


def draw(grey: np.ndarray, brain: np.ndarray, spacing: float = previews.SPACING) -> np.ndarray:
    """A slice as RGB uint8 (rows, columns, 3) with the outline of its brain, the first row of the slice at the bottom.

    grey: uint8 (rows, columns), brain: bool, pixels of `spacing` mm.
    """
    rows, columns = (max(round(n * spacing / PIXEL), 1) for n in grey.shape)

    def resized(values: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(values).resize((columns, rows), Image.Resampling.BILINEAR))

    rgb = np.repeat(resized(grey)[..., None], 3, axis=2)
    inside = resized(brain.astype(np.uint8) * 255) > 127
    rgb[inside & ~ndimage.binary_erosion(inside, np.ones((3, 3)))] = BRAIN
    return rgb[::-1]


def _content(mask: np.ndarray) -> tuple[slice, slice]:
    """Bounding box of a mask with a margin of two; the whole image for an empty mask."""
    if not mask.any():
        return slice(None), slice(None)
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(max(rows[0] - 2, 0), rows[-1] + 3), slice(max(columns[0] - 2, 0), columns[-1] + 3)
