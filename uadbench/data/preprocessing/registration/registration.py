"""Registration: affine from the template to a scan with its brain mask, and rigid from a T1- to a T2-weighted scan."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from uadbench.core.thinning import thinned
from uadbench.data.grid import Grid
from uadbench.data.preprocessing.brain import brain, skull_stripping
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.reading.scan import BadScan, Scan
from uadbench.data.preprocessing.registration import ants_registration, initialisation
from uadbench.data.preprocessing.registration.ants_registration import Volume
from uadbench.data.preprocessing.registration.template import Template
from uadbench.data.preprocessing.settings import Preprocessing

#: mm, voxel size of the first alignment
COARSE = 4.0
#: mm, slice thickness from which on a T2 is registered on finer voxels
THICK = 4.0
#: minimum overlap (Dice) with the template's brain; successful affine registrations reach 0.88 and more
OVERLAP = 0.8
LOOK = "exclude it if it is damaged or shows no whole brain, else try another `brain` (HD-BET, SynthStrip, ROBEX)"


@dataclass(frozen=True)
class Located:
    """A scan and its position in template space.

    `scan` may be cropped to its brain; `inside` (I, J, K) in [0, 1] is the brain mask on the grid of `scan`; `matrix`
    (4, 4) maps template to scan millimetres; `similarity` is the normalised mutual information reached, or None without
    registration.
    """

    scan: Scan
    inside: np.ndarray
    matrix: np.ndarray
    similarity: float | None

    def brain(self, grid: Grid) -> np.ndarray:
        """Brain (I, J, K) bool on the grid of the whole scan, which `scan` may be cropped from."""
        found = np.zeros(grid.shape, bool)
        low = np.rint(np.linalg.inv(grid.affine) @ self.scan.affine[:, 3])[:3].astype(int)
        found[tuple(slice(a, a + n) for a, n in zip(low, self.inside.shape, strict=True))] = self.inside >= 0.5
        return found


def working_spacing(spacing: float) -> float:
    """Voxel size (mm) for the brain mask and the last registration, suited to packed voxels of `spacing` mm.

    At most 3 mm, since coarse packed voxels do not justify a coarse mask.
    """
    return float(np.clip(1.5 * spacing, 2.0, 3.0))


def locate(
    scan: Scan, template: Template, chosen: Preprocessing, modality: str = "t1", given: np.ndarray | None = None
) -> Located:
    """Extract the brain of a scan and register it affinely to the template. Raises BadScan for implausible results.

    given: brain mask (I, J, K) bool, if known.
    """
    known = brain.extracted(scan) if given is None else given
    if known is None and chosen.brain == "none":
        raise BadScan(
            scan.path,
            "still has its skull (or no constant background), but preprocessing.brain is `none`; set it to `template`",
        )
    if known is None and chosen.brain in skull_stripping.STRIPPERS:
        known = skull_stripping.extract(chosen.brain, scan)
    if known is not None:
        scan, inside = _cropped(Scan(scan.path, np.where(known, scan.data, 0), scan.affine), known)
    coarse = _upright(scan, COARSE)
    image = geometry.sample(scan.data, scan.affine, coarse)
    if known is None:
        centre, span = brain.head_centre(image, coarse), initialisation.HEAD
    else:
        centre = (scan.affine @ [*np.argwhere(inside > 0.5).mean(axis=0), 1.0])[:3]
        span = initialisation.BRAIN
    points = template.at(initialisation.STEP)
    similarity = initialisation.Similarity(points.image, points.mask, points.grid, image, coarse, surroundings=False)
    reason = ""
    for guess in initialisation.guesses(similarity, [centre], span):
        try:
            matrix = _align(template, Scan(scan.path, image, coarse.affine), guess, COARSE)
            if known is None:
                found = _in_head(scan, template, matrix, working_spacing(chosen.spacing), modality)
                return _settled(*_cropped(scan, found), template, matrix, chosen)
            return _settled(scan, inside, template, matrix, chosen)
        except BadScan as error:
            reason = reason or error.reason
    raise BadScan(scan.path, reason)


def _settled(scan: Scan, inside: np.ndarray, template: Template, matrix: np.ndarray, chosen: Preprocessing) -> Located:
    """Register the extracted brain, starting from `matrix`. Raises BadScan for an implausible volume or overlap."""
    volume = float(inside.sum()) * scan.grid.voxel_ml
    if not brain.PLAUSIBLE[0] <= volume <= brain.PLAUSIBLE[1]:
        raise BadScan(scan.path, f"the brain found has {volume:.0f} ml; {LOOK}")
    spacing = working_spacing(chosen.spacing)
    matrix = _align(template, Scan(scan.path, scan.data * inside, scan.affine), matrix, spacing)
    target = template.at(COARSE)
    placed = geometry.sample(inside, scan.affine, target.grid, matrix) > 0.5
    overlap = 2 * float((placed & target.mask).sum()) / float(placed.sum() + target.mask.sum())
    if overlap < OVERLAP:
        raise BadScan(
            scan.path, f"registration failed: its brain overlaps the template's by a Dice of {overlap:.2f} only; {LOOK}"
        )
    image = geometry.sample(scan.data, scan.affine, target.grid, matrix)
    return Located(scan, inside, matrix, ants_registration.similarity(target.image, image, target.mask))


def follow(t2: Scan, t1: Located, spacing: float) -> Located:
    """Register a T2-weighted scan rigidly to its T1-weighted one, and transfer the brain mask of the latter.

    The alignment by headers is kept unless registration is clearly better, so that aligned scans are not perturbed.
    Raises BadScan if the two do not overlap.
    """
    known = brain.extracted(t2)
    if known is not None and _same_brain(t2, known, t1):
        rigid: np.ndarray = np.eye(4)
        similarity: float | None = None
    else:
        rigid, similarity = _rigid(t2, t1, spacing)
    native = geometry.sample(t1.inside, t1.scan.affine, t2.grid, np.linalg.inv(rigid))
    if known is not None:
        native = native * known
    if native.max() < 0.5:
        raise BadScan(t2.path, "does not overlap the T1-weighted scan; correct its affine, or leave it out")
    return Located(*_cropped(t2, native), rigid @ t1.matrix, similarity)


def _rigid(t2: Scan, t1: Located, spacing: float) -> tuple[np.ndarray, float]:
    """The rigid matrix from T1 to T2 millimetres, and the similarity reached."""
    # Thick slices carry little information on the pose, and none on coarser voxels.
    fine = working_spacing(spacing) if t2.grid.spacing.max() < THICK else 2.0
    grid, moving_grid = (_upright(scan, fine) for scan in (t1.scan, t2))
    fixed = geometry.sample(t1.scan.data, t1.scan.affine, grid)
    moving = geometry.sample(t2.data, t2.affine, moving_grid)
    inside = geometry.sample(t1.inside, t1.scan.affine, grid) > 0.5

    def similarity(matrix: np.ndarray) -> float:
        return ants_registration.similarity(fixed, geometry.sample(moving, moving_grid.affine, grid, matrix), inside)

    start = _first_rigid(fixed, inside, grid, moving, moving_grid)
    region = ndimage.binary_dilation(inside)
    found = ants_registration.align(Volume(fixed, grid), Volume(moving, moving_grid), start, "Rigid", region)
    headers = np.eye(4)
    reached, best = max(((similarity(matrix), matrix) for matrix in (found, start)), key=lambda pair: pair[0])
    unmoved = similarity(headers)
    return (best, reached) if reached > 1.002 * unmoved else (headers, unmoved)


def _same_brain(t2: Scan, known: np.ndarray, t1: Located) -> bool:
    """Whether an extracted T2 and its T1 are aligned by their headers, as in BraTS, and need no registration."""
    other = geometry.sample(t1.inside, t1.scan.affine, t2.grid) > 0.5
    return 2 * float((other & known).sum()) > 0.98 * float(other.sum() + known.sum())


def _first_rigid(
    fixed: np.ndarray, inside: np.ndarray, grid: Grid, moving: np.ndarray, moving_grid: Grid
) -> np.ndarray:
    """Best rigid initialisation around the alignment of the headers and that of the heads; ties go to the headers."""
    sparse = geometry.upright(*geometry.extent(grid.shape, grid.affine), initialisation.STEP)
    values, share = (geometry.sample(volume, grid.affine, sparse) for volume in (fixed, inside))
    similarity = initialisation.Similarity(values, share > 0.5, sparse, moving, moving_grid, surroundings=True)
    centres = [similarity.middle, brain.head_centre(moving, moving_grid)]
    guess = initialisation.guesses(similarity, centres, initialisation.SAME)[0]
    return guess if similarity(guess) > 1.05 * similarity(np.eye(4)) else np.eye(4)


def _in_head(scan: Scan, template: Template, matrix: np.ndarray, spacing: float, modality: str) -> np.ndarray:
    """Soft brain mask (I, J, K) of a whole head, computed on voxels of `spacing` mm around the template's brain."""
    low, high = geometry.extent(scan.data.shape, scan.affine)
    first, last = (edge + shift for edge, shift in zip(template.box, (-15.0, 15.0), strict=True))
    corners = np.array(np.meshgrid(*zip(first, last, strict=True), [1.0])).reshape(4, -1)
    reach = (matrix @ corners)[:3]
    grid = geometry.upright(np.maximum(low, reach.min(axis=1)), np.minimum(high, reach.max(axis=1)), spacing)
    image = geometry.sample(scan.data, scan.affine, grid)
    source = template.at(spacing)
    prior = geometry.sample(source.share, source.grid.affine, grid, np.linalg.inv(matrix)) > 0.5
    if min(prior.sum(), (~prior).sum()) == 0:
        raise BadScan(scan.path, f"registration failed: the brain of the template lies outside of it; {LOOK}")
    found = brain.inside_head(image, brain.distance(prior, grid.spacing), grid.spacing, modality)
    soft = ndimage.gaussian_filter(found.astype(np.float32), 0.5)
    return geometry.sample(soft, grid.affine, scan.grid)


def _align(template: Template, scan: Scan, start: np.ndarray, spacing: float) -> np.ndarray:
    """The affine matrix from template to scan, by registration from `start` on voxels of `spacing` mm."""
    target, grid = template.at(spacing), _upright(scan, spacing)
    moving = Volume(geometry.sample(scan.data, scan.affine, grid), grid)
    where = ndimage.binary_dilation(target.mask)
    return ants_registration.align(Volume(target.image, target.grid), moving, start, "Affine", where)


def _upright(scan: Scan, spacing: float) -> Grid:
    """The upright grid of a scan. Raises BadScan where less than a voxel of it would lie within the scan."""
    low, high = geometry.extent(scan.data.shape, scan.affine)
    if (high - low).min() < 2 * spacing:
        raise BadScan(
            scan.path,
            f"cannot be registered: its {'×'.join(map(str, scan.data.shape))} voxels span only "
            f"{(high - low).min():.3g} mm in one direction; leave it out, or give a scan of the whole brain",
        )
    return geometry.upright(low, high, spacing)


def _cropped(scan: Scan, inside: np.ndarray, margin: int = 3) -> tuple[Scan, np.ndarray]:
    """The scan cropped to its brain, and the brain mask as float32 on the same grid."""
    voxels = np.argwhere(inside > 0)
    if not len(voxels):
        raise BadScan(scan.path, f"no brain was found in it; {LOOK}")
    low = np.maximum(voxels.min(axis=0) - margin, 0)
    box = tuple(slice(a, b) for a, b in zip(low, voxels.max(axis=0) + 1 + margin, strict=True))
    return Scan(scan.path, scan.data[box], thinned(scan.affine, low, 1)), inside[box].astype(np.float32)
