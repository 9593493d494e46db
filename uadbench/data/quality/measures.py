"""Quality measures of one registered subject, from its packed volumes and the record of its registration."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from uadbench.core.modalities import NAMES
from uadbench.data.grid import Grid
from uadbench.data.label_values import voxels_by_value
from uadbench.data.preprocessing.records.record import read_volume
from uadbench.data.preprocessing.registration import ants_registration

#: bins of the histogram of grey values 0…1 in the brain mask
BINS = 32
#: mm by which an image is shifted for the reference of the alignment measure, and mm between compared voxels
AWAY, STEP = 10.0, 2.0


@dataclass(frozen=True)
class Volumes:
    """Packed volumes of a subject, arrays (X, Y, Z).

    images: by modality, in [0, 1], above 0 in the brain; brain: bool; lesion: bool, or None without labels.
    """

    images: dict[str, np.ndarray]
    brain: np.ndarray
    lesion: np.ndarray | None
    grid: Grid
    labels: dict[int, int] = field(default_factory=dict)  # voxels by label value


def read(folder: Path, record: dict[str, Any]) -> Volumes:
    """Read a folder written by `preprocess`, with its record. Raises HarnessError for a damaged volume."""
    found = {name: read_volume(folder, name, record) for name in record["volumes"]}
    brain, affine = found["brain"][0] > 0, found["brain"][1]
    images = {name: found[name][0] for name in NAMES if name in found}
    lesion = found["mask"][0] if "mask" in found else None
    labels = {} if lesion is None else voxels_by_value([lesion])
    return Volumes(images, brain, None if lesion is None else lesion > 0, Grid(brain.shape, affine), labels)


def measure(volumes: Volumes, record: dict[str, Any], target: np.ndarray) -> dict[str, float]:
    """The measures of uadbench/data/quality/rules.py of one subject, except the distances between histograms.

    record: its subject.json; target: the template's brain (X, Y, Z), bool. Undefined measures have no entry.
    """
    values = {f"nmi_reference_{name}": float(value) for name, value in record.get("similarity", {}).items()}
    brain_ml, packed_ml = float(record["brain_ml"]), float(volumes.brain.sum()) * volumes.grid.voxel_ml
    values["brain_ml"] = brain_ml
    values["overlap"] = 2 * float((volumes.brain & target).sum()) / max(float(volumes.brain.sum() + target.sum()), 1)
    values["border_cm2"] = border(volumes.brain, volumes.grid.spacing)
    matrix = np.array(next(iter(record["template_to_scan"].values())))
    values["brain_change"] = change(packed_ml, brain_ml, 1 / abs(float(np.linalg.det(matrix[:3, :3]))))
    if {"t1", "t2"} <= volumes.images.keys():
        t1, t2 = volumes.images["t1"], volumes.images["t2"]
        values["nmi_t1_t2"], values["alignment"] = alignment(t1, t2, volumes.grid.spacing)
    if volumes.lesion is not None and "lesion_ml" in record:
        before, expansion = float(record["lesion_ml"]), float(record["expansion"])
        count = float(volumes.lesion.sum())
        values["lesion_ml"], values["lesion_packed_ml"] = before, count * volumes.grid.voxel_ml
        values["lesion_voxels"] = before * expansion / volumes.grid.voxel_ml
        if before > 0:
            values["lesion_change"] = change(values["lesion_packed_ml"], before, expansion)
        if count > 0:
            values["lesion_outside"] = 100 * float((volumes.lesion & ~volumes.brain).sum()) / count
    return values


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Normalised mutual information (1…2) of two images where both are above 0; 1 without such voxels."""
    both = (one > 0) & (other > 0)
    return ants_registration.similarity(one, other, both) if both.any() else 1.0


def alignment(one: np.ndarray, other: np.ndarray, spacing: np.ndarray) -> tuple[float, float]:
    """The NMI of two images, and the ratio of its excess over 1 to that after shifting one by AWAY mm.

    The excess after shifting is a mean over six directions; a ratio of about 1 means no better alignment than by
    chance. The attainable NMI depends on noise, contrast and slice thickness of the images; the ratio hardly does.
    spacing (3,) in mm; voxels STEP mm apart are compared.
    """
    sparse = tuple(slice(None, None, max(round(STEP / float(side)), 1)) for side in spacing)
    fixed = one[sparse]
    here = similarity(fixed, other[sparse])
    moved = [
        similarity(fixed, np.roll(other, sign * round(AWAY / float(side)), axis)[sparse])
        for axis, side in enumerate(spacing)
        for sign in (-1, 1)
    ]
    return here, (here - 1) / max(float(np.mean(moved)) - 1, 1e-6)


def change(packed: float, before: float, expansion: float) -> float:
    """Change in % of a volume from `before` to `packed`, corrected for the registration's `expansion` factor."""
    return 100 * (packed / expansion / before - 1)


def border(mask: np.ndarray, spacing: np.ndarray) -> float:
    """Area (cm²) of a mask on the six outer faces of its grid; spacing (3,) in mm."""
    area = 0.0
    for axis in range(3):
        face = float(np.prod(np.delete(spacing, axis)))
        area += sum(float(np.take(mask, end, axis=axis).sum()) for end in (0, -1)) * face
    return area / 100


def histogram(image: np.ndarray) -> np.ndarray:
    """Fractions (BINS,) of the brain's voxels by grey value, 0…1; the image is above 0 in the brain."""
    counts = np.histogram(image[image > 0], BINS, range=(0.0, 1.0))[0]
    return counts / max(counts.sum(), 1)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Earth mover's distance of two histograms over 0…1, in units of grey values."""
    return float(np.abs(np.cumsum(one) - np.cumsum(other)).sum() / len(one))
