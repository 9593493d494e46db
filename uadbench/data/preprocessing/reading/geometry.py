"""Geometry of grids in millimetres and resampling: linear for grey values, class by class for labels."""

import numpy as np
from scipy import ndimage

from uadbench.data.grid import Grid

#: grey value below which UPD_study cuts what interpolation leaves around a brain, in the scan's own numbers
CUT = 1e-4


def upright(low: np.ndarray, high: np.ndarray, spacing: float) -> Grid:
    """RAS grid of isotropic voxels of `spacing` mm whose centres span `low` to `high` (mm)."""
    shape = np.maximum(np.ceil((np.asarray(high) - low) / spacing - 1e-6).astype(int) + 1, 2)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    # The surplus length is split between both ends.
    affine[:3, 3] = low - ((shape - 1) * spacing - (np.asarray(high) - low)) / 2
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine)


def extent(shape: tuple[int, ...], affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest coordinate (mm) of the voxel centres of a volume, each (3,)."""
    corners = np.array(np.meshgrid(*[[0, n - 1] for n in shape], [1.0])).reshape(4, -1)
    points = (affine @ corners)[:3]
    return points.min(axis=1), points.max(axis=1)


def plane(grid: Grid, axis: int, at: float) -> Grid:
    """The slice of an upright grid across an axis, at a coordinate in mm: a grid of one voxel along that axis."""
    shape, affine = list(grid.shape), grid.affine.copy()
    shape[axis], affine[axis, 3] = 1, at
    return Grid(tuple(shape), affine)


def sample(
    data: np.ndarray,
    affine: np.ndarray,
    grid: Grid,
    matrix: np.ndarray | None = None,
    order: int = 1,
    truncate: float = 3.0,
) -> np.ndarray:
    """Values of a volume at the voxels of `grid`, float32, 0 outside of the volume.

    `matrix` (4, 4) leads from millimetres of the grid to millimetres of the volume (default: the same space).
    Where the grid is coarser than the volume, the volume is first smoothed with a Gaussian of (ratio - 1) / 2 voxels
    against aliasing (the rule of scikit-image's `resize`), cut off at `truncate` standard deviations; 0: no smoothing.
    order 1 is linear, 0 nearest-neighbour without smoothing.
    """
    through = np.linalg.inv(affine) @ (np.eye(4) if matrix is None else matrix) @ grid.affine
    data, through = _cropped(np.asarray(data, dtype=np.float32), through, grid.shape, truncate)
    if order:
        # Step of one grid voxel along each axis of the volume, in voxels of the volume.
        step = np.sqrt((through[:3, :3] ** 2).sum(axis=1))
        sigma = np.maximum((step - 1) / 2, 0)
        if sigma.max() > 0:
            data = ndimage.gaussian_filter(data, sigma, mode="nearest", truncate=truncate)
    return ndimage.affine_transform(
        data, through[:3, :3], through[:3, 3], output_shape=grid.shape, order=order, mode="constant", prefilter=False
    )


def sample_twice(
    data: np.ndarray, affine: np.ndarray, grid: Grid, matrix: np.ndarray | None, between: Grid
) -> np.ndarray:
    """Values of a volume at the voxels of `grid` by way of those of `between`, in the same space, as UPD_study.

    First linear without smoothing, then 0 below CUT, then as scikit-image's `resize`. Arguments as of `sample`.
    """
    first = sample(data, affine, between, matrix, truncate=0)
    return sample(np.where(first < CUT, 0, first), between.affine, grid, truncate=4.0)


def sample_labels(
    data: np.ndarray,
    affine: np.ndarray,
    grid: Grid,
    matrix: np.ndarray | None = None,
    rule: str = "classes",
    between: Grid | None = None,
) -> np.ndarray:
    """Labels (uint8) at the voxels of `grid`.

    rule `above_0.4` resamples the label as a number, by way of `between` if given, and returns 1 where it is above 0.4
    (UPD_study). With `classes`,
    each class is resampled linearly to its fraction of every voxel. The voxels with the largest total fraction, as many
    as make up the volume of all classes, get the class with the largest fraction: this preserves the volume even of
    small or ragged lesions. No class appears or vanishes: one too small to win a voxel gets the voxel with its largest
    fraction, if any of it lies on the grid.
    """
    if rule == "above_0.4":
        given = (data, affine, grid, matrix)
        values = sample(*given) if between is None else sample_twice(*given, between)
        return (values > 0.4).astype(np.uint8)
    classes = [int(c) for c in np.unique(data) if c]
    result = np.zeros(grid.shape, dtype=np.uint8)
    shares = {c: sample(data == c, affine, grid, matrix) for c in classes}
    labelled = np.sum(list(shares.values()), axis=0, dtype=np.float64) if shares else np.zeros(grid.shape)
    chosen = np.zeros(grid.shape, dtype=bool)
    count = min(round(_volume_on(grid, data, affine, matrix)), int(np.count_nonzero(labelled)))
    chosen.flat[np.argsort(-labelled, axis=None, kind="stable")[:count]] = True
    best = np.zeros(grid.shape, dtype=np.float32)
    for c, share in shares.items():
        wins = chosen & (share > best)
        result[wins] = c
        best = np.where(wins, share, best)
    for c, share in shares.items():
        if not (result == c).any():
            # Not at the cost of another class with only one voxel.
            alone = [other for other in classes if (result == other).sum() == 1]
            share = np.where(np.isin(result, alone), 0, share)
            if share.max() > 0:
                result[np.unravel_index(int(share.argmax()), grid.shape)] = c
    return result


def _volume_on(grid: Grid, labels: np.ndarray, affine: np.ndarray, matrix: np.ndarray | None) -> float:
    """The volume of all labels whose voxel centres lie on `grid`, in voxels of the grid."""
    back = np.linalg.inv(np.linalg.inv(affine) @ (np.eye(4) if matrix is None else matrix) @ grid.affine)
    places = back[:3, :3] @ np.array(np.nonzero(labels)) + back[:3, 3:]
    inside = ((places > -0.5) & (places < np.array(grid.shape)[:, None] - 0.5)).all(axis=0)
    return float(np.count_nonzero(inside)) * abs(float(np.linalg.det(back[:3, :3])))


def _cropped(
    data: np.ndarray, through: np.ndarray, shape: tuple[int, ...], truncate: float
) -> tuple[np.ndarray, np.ndarray]:
    """The part of the volume that the grid covers, with margins for smoothing, and `through` adapted to it."""
    low, high = extent(shape, through)
    step = np.sqrt((through[:3, :3] ** 2).sum(axis=1))
    margin = np.ceil(truncate / 2 * step).astype(int) + 2
    start = np.clip(np.floor(low).astype(int) - margin, 0, np.array(data.shape) - 1)
    stop = np.clip(np.ceil(high).astype(int) + margin + 1, start + 1, data.shape)
    moved = through.copy()
    moved[:3, 3] -= start
    return data[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))], moved
