"""HD95 and surface Dice: hand values, distance transforms, and numbers of MONAI 1.6.1."""

import numpy as np
import pytest
from scipy import ndimage

from uadbench.evaluation.detection.findings import TOLERANCE, tolerance
from uadbench.evaluation.detection.lesions import diagonal, surface_agreement

SIDES = (3.0, 1.0, 1.5)


def blobs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two masks (14, 30, 26) that overlap in part, each of several components."""
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((14, 30, 26))
    fields = (ndimage.gaussian_filter(common + 0.8 * rng.standard_normal(common.shape), 2) for _ in range(2))
    first, second = (field > np.quantile(field, 0.95) for field in fields)
    return first, second


def by_transform(first: np.ndarray, second: np.ndarray, sides) -> tuple[float, float]:
    """The same from distance transforms of whole volumes, surfaces by their six neighbours."""

    def surface(mask):
        padded = np.pad(mask, 1)
        shifted = [np.roll(padded, step, axis) for axis in range(3) for step in (-1, 1)]
        return mask & ~np.logical_and.reduce(shifted)[1:-1, 1:-1, 1:-1]

    one, two = surface(first), surface(second)
    there = ndimage.distance_transform_edt(~two, sampling=sides)[one]
    back = ndimage.distance_transform_edt(~one, sampling=sides)[two]
    near = (there <= tolerance(sides)).sum() + (back <= tolerance(sides)).sum()
    return max(np.percentile(there, 95), np.percentile(back, 95)), near / (one.sum() + two.sum())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("sides", [SIDES, (1.0, 1.0, 1.0), (2.0, 4.0, 0.5)])
def test_as_by_distance_transforms(seed, sides):
    first, second = blobs(seed)
    found = surface_agreement(first, second, sides, 1e3, tolerance(sides))
    assert found == pytest.approx(by_transform(first, second, sides), rel=1e-9)


@pytest.mark.parametrize(
    ("seed", "hd95", "dice"), [(0, 8.544004, 0.7003929), (1, 8.111661, 0.4892748), (2, 10.514253, 0.5650794)]
)
def test_as_by_monai(seed, hd95, dice):
    """compute_hausdorff_distance(percentile=95) and compute_surface_dice(class_thresholds=[2.0]) of MONAI 1.6.1."""
    assert surface_agreement(*blobs(seed), SIDES, 1e3, TOLERANCE) == pytest.approx((hd95, dice), rel=1e-6)


def test_moved_cube_by_hand():
    """A cube of 5 voxels of 1 mm moved by 3 mm along a side: the face that is left behind lies 3 mm off."""
    drawn = np.zeros((9, 9, 15), bool)
    drawn[2:7, 2:7, 2:7] = True
    called = np.roll(drawn, 3, axis=2)
    hd95, dice = surface_agreement(called, drawn, (1.0, 1.0, 1.0), 99.0, TOLERANCE)
    # 98 surface voxels each; the 25 of the outer face are 3 mm off, and the ring of 16 one voxel before it 2 mm.
    assert hd95 == 3.0
    assert dice == pytest.approx(1 - 25 / 98)
    assert surface_agreement(drawn, drawn, SIDES, 99.0, TOLERANCE) == (0.0, 1.0)
    assert surface_agreement(np.zeros_like(drawn), drawn, SIDES, 99.0, TOLERANCE) == (99.0, 0.0)


def test_order_of_the_axes_counts():
    """The same move along another axis is another distance where voxels are not cubes."""
    drawn = np.zeros((9, 9, 9), bool)
    drawn[3:6, 3:6, 3:6] = True
    moved = [surface_agreement(np.roll(drawn, 2, axis), drawn, SIDES, 99.0, TOLERANCE)[0] for axis in range(3)]
    assert moved == [6.0, 2.0, 3.0]
    assert diagonal(drawn, SIDES) == pytest.approx(np.sqrt(9**2 + 3**2 + 4.5**2))


@pytest.mark.parametrize(("sides", "limit"), [((1.0, 1.0, 1.0), 2.0), ((4.0, 4.0, 4.0), 4.0), ((1.0, 1.0, 3.5), 3.5)])
def test_tolerance_is_at_least_a_voxel(sides, limit):
    assert tolerance(sides) == limit


def test_a_surface_one_coarse_voxel_off_is_the_same():
    """A cube of voxels of 4.1 mm moved by one: within the tolerance, as with 1 mm; at 2 mm its faces would differ."""
    drawn = np.zeros((9, 9, 9), bool)
    drawn[3:6, 3:6, 3:6] = True
    sides = (4.1, 4.1, 4.1)
    called = np.roll(drawn, 1, axis=0)
    assert surface_agreement(called, drawn, sides, 99.0, tolerance(sides)) == (pytest.approx(4.1), 1.0)
    assert surface_agreement(called, drawn, sides, 99.0, TOLERANCE)[1] < 1
