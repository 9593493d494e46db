"""Where training patches lie: anywhere in a slice, or in the bounding box of its brain as in DISYRE's public code."""

from dataclasses import replace

import nibabel
import numpy as np
import pytest
import torch

from tests.methods.test_waits import Reads
from tests.trainings import generator
from uadbench.methods.anomalies.augment import boxed, cropped, warped, window
from uadbench.methods.anomalies.corruption import synthesise
from uadbench.methods.base import WHOLE, Batch
from uadbench.methods.seeds import Streams
from uadbench.methods.settings import resolve
from uadbench.training.sampler import SliceSampler

#: rows and columns of filled rectangles in slices of 60 x 44: larger and smaller than a patch of 24 along either axis
BOXES = [(3, 58, 5, 39), (10, 40, 20, 31), (0, 11, 2, 44), (20, 31, 33, 44), (7, 31, 9, 33), (30, 31, 40, 41)]


def rectangles(boxes: list[tuple[int, int, int, int]], shape: tuple[int, int]) -> np.ndarray:
    """Slices (N, 1, *shape), 0 outside of each box (top, bottom, left, right); inside, values tell slice and place."""
    slices = np.zeros((len(boxes), 1, *shape), np.float32)
    for number, (top, bottom, left, right) in enumerate(boxes):
        places = 1 + number * np.prod(shape) + np.arange(np.prod(shape)).reshape(shape)
        slices[number, 0, top:bottom, left:right] = places[top:bottom, left:right]
    return slices


def starts(low: int, high: int, side: int, loose: bool) -> list[int]:
    """Where a crop of a box may start in the public code, which crops by batchgenerators 0.25.5."""
    missing = side - (high - low)
    if missing < 0:
        return list(range(low, high - side))
    return list(range(low - missing, low)) if loose and missing else [low - (missing + 1) // 2]


@pytest.mark.parametrize("loose", [False, True])
def test_crops_lie_in_the_box_of_their_own_slice_or_around_it(loose):
    slices = rectangles(BOXES, (60, 44))
    many = torch.from_numpy(slices).repeat(4000, 1, 1, 1)
    crops = boxed(many, 24, generator(), torch.full((len(many),), loose))[:, 0].numpy()
    around = np.pad(slices[:, 0], ((0, 0), (24, 24), (24, 24)))
    for number, (top, bottom, left, right) in enumerate(BOXES):
        allowed = {
            around[number, row + 24 : row + 48, column + 24 : column + 48].tobytes()
            for row in starts(top, bottom, 24, loose)
            for column in starts(left, right, 24, loose)
        }
        assert {crop.tobytes() for crop in crops[number :: len(BOXES)]} == allowed


def test_a_slice_without_brain_is_cropped_as_a_whole():
    assert torch.equal(
        boxed(torch.zeros(3, 1, 30, 20), 24, generator(), torch.zeros(3, dtype=torch.bool)), torch.zeros(3, 1, 24, 24)
    )


def test_windows_beyond_a_border_are_0():
    images = torch.arange(1.0, 13).reshape(1, 1, 3, 4)
    seen = window(images, torch.tensor([-1]), torch.tensor([2]), (3, 4))
    assert seen[0, 0].tolist() == [[0, 0, 0, 0], [3, 4, 0, 0], [7, 8, 0, 0]]


def empty_sides(patches: torch.Tensor, width: int) -> float:
    """Fraction of patches (N, 1, h, w) with at least one of their sides empty to a depth of `width` voxels."""
    filled = (patches[:, 0] > 0).numpy()
    sides = [filled[:, :width], filled[:, -width:], filled[:, :, :width], filled[:, :, -width:]]
    return float(np.mean(~np.all([side.any((1, 2)) for side in sides], axis=0)))


def test_the_share_of_patches_with_an_empty_side_has_its_exact_value():
    """Four boxes in slices of 192 x 160; of the field by every place that a patch of 128 x 128 can have."""
    sizes = [(150, 130), (105, 140), (140, 106), (60, 40)]
    boxes = [(20, 20 + height, 10, 10 + width) for height, width in sizes]
    slices = torch.from_numpy(rectangles(boxes, (192, 160)) > 0).float()
    expected = np.mean(
        [
            [
                row + 12 <= top or row + 116 >= bottom or column + 12 <= left or column + 116 >= right
                for row in range(192 - 127)
                for column in range(160 - 127)
            ]
            for top, bottom, left, right in boxes
        ]
    )
    crops = cropped(slices.repeat(1000, 1, 1, 1), (128, 128), generator())
    assert empty_sides(crops, 12) == pytest.approx(expected, abs=0.025)
    still = replace(resolve("disyre-public", "t1").params, mirror=0.0, geometry=0.0, p_intensity=0.0)
    draw = Batch(slices, torch.arange(len(slices)), Streams(4), lambda: slices)
    found = {place: synthesise(draw, replace(still, place=place), 1.0).healthy for place in ("slice", "field")}
    assert empty_sides(found["slice"], 12) == 0.5  # of 105 voxels, centred, 12 are missing on one side; of 106, 11
    assert (found["slice"][3, 0, 34:94, 44:84] > 0).all()
    assert not (found["field"][3, 0, 34:94, 44:84] > 0).all()


def test_patches_of_real_brains_have_as_many_empty_sides_as_those_of_the_public_code(mri_mini):
    """By the public code's transforms, 6,400 patches of 40 brains at 1 mm: .37, each by its own size; .35 unwarped."""
    folder = mri_mini.parent / "mri-more"
    if not folder.is_dir():
        pytest.skip(f"no real MRI at {folder}")
    scans = [nibabel.as_closest_canonical(nibabel.load(path)) for path in sorted(folder.glob("*_T1w.nii.gz"))[::4]]
    brains = [np.asarray(scan.dataobj, np.float32).T for scan in scans]
    shape = np.max([brain.shape for brain in brains], axis=0)
    packed = np.zeros((len(brains), *shape), np.float16)
    for row, brain in zip(packed, brains, strict=True):
        low = (shape - brain.shape) // 2
        row[tuple(slice(a, a + n) for a, n in zip(low, brain.shape, strict=True))] = brain / brain.max()
    spacing = float(scans[0].header.get_zooms()[0])
    side, width = round(128 / spacing), round(12 / spacing)
    whole = SliceSampler(packed, np.arange(len(packed))).batch(1500, Streams(2), WHOLE).images
    images, bent = warped(whole, generator(), spacing)
    assert bent.float().mean().item() == pytest.approx(1 - 0.9**3, abs=0.035)
    assert empty_sides(boxed(images, side, generator(1), bent), width) == pytest.approx(0.37, abs=0.05)
    assert empty_sides(boxed(whole, side, generator(1), bent & False), width) == pytest.approx(0.35, abs=0.05)
    assert 0.6 < empty_sides(cropped(images, (side, side), generator(1)), width) < 0.75


def test_nothing_is_read_on_the_host():
    images = torch.from_numpy(rectangles(BOXES, (60, 44)))
    with Reads() as reads:
        boxed(images, 24, generator(), torch.ones(len(images), dtype=torch.bool))
    assert reads.count == 0


@pytest.mark.parametrize("name", ["disyre-public", "disyre_v2-public"])
def test_the_variants_of_the_public_code_have_its_places(name):
    chosen, plain = resolve(name, "t1"), resolve(name.partition("-")[0], "t1")
    assert (chosen.params.place, chosen.params.windows) == ("slice", "fixed")
    assert (plain.params.place, plain.params.windows) == ("field", "even")
    assert not {'"place"', '"windows"'} & set(plain.scoring.replace(":", " ").split())
    assert "place" in chosen.other_weights(plain)
    assert "windows" not in chosen.other_weights(plain)
