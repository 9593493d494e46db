"""Quality control of single values: rules on known outliers, measures and pictures against hand values."""

import io
import xml.etree.ElementTree as ET
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage, stats

from uadbench.data.grid import Grid
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.reading.scan import Scan
from uadbench.data.preprocessing.records import previews
from uadbench.data.preprocessing.registration.registration import Located
from uadbench.data.preprocessing.registration.template import Template
from uadbench.data.quality import charts, measures, montage, outlines, rules, scenes

VOXEL_ML = 0.064  # of 4 mm


# rules


def named(key: str) -> rules.Measure:
    return rules.BY_KEY[key]


def test_the_cohorts_limits_are_four_robust_deviations():
    values = np.random.default_rng(0).normal(1400, 120, 41)
    found = rules.limits(named("brain_ml"), list(values))
    reach = 4 * stats.median_abs_deviation(values, scale="normal")
    assert found.median == pytest.approx(np.median(values))
    assert found.low == pytest.approx(max(np.median(values) - reach, 900), rel=1e-4)
    assert found.high == pytest.approx(min(np.median(values) + reach, 2300), rel=1e-4)


@pytest.mark.parametrize(
    ("key", "usual", "odd", "side"),
    [
        ("brain_ml", (1400, 60), 1900, "high"),
        ("brain_ml", (1400, 60), 950, "low"),
        ("brain_ml", (2150, 60), 2310, "high"),  # by its absolute limit
        ("overlap", (0.95, 0.005), 0.90, "low"),
        ("overlap", (0.95, 0.005), 0.99, None),
        ("nmi_reference_t1", (1.2, 0.01), 1.1, "low"),
        ("nmi_reference_t1", (1.2, 0.01), 1.4, None),
        ("nmi_reference_t2", (1.15, 0.01), 1.02, "low"),
        ("nmi_t1_t2", (1.15, 0.01), 1.02, "low"),
        ("alignment", (4.0, 0.5), 1.4, "low"),
        ("alignment", (4.0, 0.5), 40.0, None),
        ("border_cm2", (1.0, 0.5), 12.0, "high"),
        ("brain_change", (0.0, 0.2), -3.5, "low"),
        ("brain_change", (0.0, 0.2), 2.5, None),
        ("lesion_outside", (1.0, 0.2), 6.0, "high"),
        ("histogram_t1", (0.03, 0.005), 0.2, "high"),
        ("histogram_t2", (0.03, 0.005), 0.0, None),
    ],
)
def test_an_outlier_is_flagged_and_only_on_the_side_that_is_bad(key, usual, odd, side):
    cohort_values = [*np.random.default_rng(1).normal(*usual, 30), odd]
    allowed = {m.key: rules.limits(m, cohort_values if m.key == key else []) for m in rules.MEASURES}
    found = rules.flags({key: odd}, allowed)
    assert [(flag.key, flag.side) for flag in found] == ([] if side is None else [(key, side)])
    assert not rules.flags({key: usual[0]}, allowed)


def test_one_outlier_does_not_hide_another():
    """A mean and a standard deviation would let neither stand out."""
    values = [*np.random.default_rng(2).normal(1400, 50, 20), 2250.0, 2280.0, 2290.0]
    allowed = {m.key: rules.limits(m, values if m.key == "brain_ml" else []) for m in rules.MEASURES}
    assert [bool(rules.flags({"brain_ml": value}, allowed)) for value in values] == [False] * 20 + [True] * 3


def test_trifles_are_no_outliers():
    values = [1400.0] * 9 + [1401.0]
    found = rules.limits(named("brain_ml"), values)
    assert found.low < 1400 < 1401 < found.high


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_a_few_subjects_only_meet_absolute_limits(count):
    for measure in rules.MEASURES:
        found = rules.limits(measure, [1.0, 5.0, 5.0, 90.0][:count])
        assert (found.low, found.high) == (measure.low, measure.high)


@pytest.mark.parametrize(("voxels", "flagged"), [(99, False), (100, True)])
def test_the_change_of_tiny_lesions_is_not_flagged(voxels, flagged):
    allowed = {measure.key: rules.limits(measure, []) for measure in rules.MEASURES}
    found = rules.flags({"lesion_voxels": voxels, "lesion_change": 8.0}, allowed)
    assert [flag.key for flag in found] == ["lesion_change"] * flagged


def test_every_rule_is_told_in_words():
    assert "below 900 ml, or above 2300 ml" in named("brain_ml").rule()
    assert "4 robust standard deviations" in named("nmi_reference_t1").rule()
    assert "only where lesion size ≥ 100 voxels" in named("lesion_change").rule()
    assert named("lesion_ml").rule() == ""


# measures


def test_volume_change_by_hand():
    # 120 voxels of 0.064 ml are 7.68 ml, where the template is 1.25 times as large: 6.144 ml, against 6 ml.
    assert measures.change(120 * VOXEL_ML, 6.0, 1.25) == pytest.approx(2.4)
    assert measures.change(0.0, 6.0, 1.25) == -100


def test_border_by_hand():
    mask = np.zeros((5, 6, 7), bool)
    mask[0, 2:4, 3] = True  # two faces of 2 x 4 mm² at the first x
    mask[4, 5, 6] = True  # a corner: three faces, 2 x 4 + 3 x 4 + 3 x 2 mm²
    mask[2, 2, 2] = True
    assert measures.border(mask, np.array([3.0, 2.0, 4.0])) == pytest.approx((16 + 8 + 12 + 6) / 100)


def test_histogram_counts_the_brain_alone():
    image = np.zeros((4, 4, 4), np.float32)
    image[0] = 1.0
    image[1] = 0.01
    shares = measures.histogram(image)
    assert shares[0] == shares[-1] == 0.5
    assert shares.sum() == 1


def test_distance_is_the_earth_movers():
    rng = np.random.default_rng(3)
    one, other = (rng.dirichlet(np.ones(measures.BINS)) for _ in range(2))
    centres = (np.arange(measures.BINS) + 0.5) / measures.BINS
    wanted = stats.wasserstein_distance(centres, centres, one, other)
    assert measures.distance(one, other) == pytest.approx(wanted)


def textured(seed: int) -> np.ndarray:
    """A ball of smooth noise, 40 voxels wide."""
    grid = Grid((48, 48, 48), np.diag([2.0, 2, 2, 1]))
    texture = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(grid.shape), 1.5)
    ball = np.linalg.norm(2.0 * np.indices(grid.shape) - 47, axis=0) < 40  # mm
    return np.where(ball, np.clip(0.5 + 2 * texture, 0.01, 1), 0)


def test_alignment_tells_aligned_from_moved_and_turned_images():
    t1, spacing = textured(0), np.full(3, 2.0)
    noise = np.random.default_rng(1).normal(0, 0.1, t1.shape)
    t2 = np.where(t1 > 0, np.clip(1.01 - t1 + noise, 0.01, 1), 0)
    nmi, aligned = measures.alignment(t1, t2, spacing)
    assert nmi == measures.similarity(t1, t2)
    assert aligned > 10
    turned = ndimage.rotate(t2, 15, (0, 1), reshape=False, order=1)
    assert measures.alignment(t1, turned, spacing)[1] < 0.5 * aligned
    for other in (np.roll(t2, 4, axis=2), textured(2)):
        assert 0 < measures.alignment(t1, other, spacing)[1] < 2
    assert measures.similarity(t1, np.zeros_like(t1)) == 1


# pictures


def test_slices_go_through_the_largest_part_of_a_lesion():
    mask = np.zeros((9, 9, 9), bool)
    mask[1:5, 2, 7] = True
    mask[6, 2:6, 1:3] = True
    assert previews.largest(mask) == (6, 2, 1)


def test_slices_of_a_raw_scan_go_through_the_middle_of_its_brain():
    """The scan is stored from right to left; the brain is a box, found in a crop of the scan."""
    affine = np.diag([-1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = 30, -25, 40
    data = np.zeros((60, 50, 40), np.float32)
    data[20:44, 10:26, 12:20] = 100
    data[20:44, :, 30:] = 300  # the top of the head
    crop = affine.copy()
    crop[:3, 3] = (affine @ (16, 6, 8, 1))[:3]
    inside = (data[16:48, 6:30, 8:24] > 50).astype(np.float32)
    inside[:, :4] = inside[:, 20:] = inside[..., :4] = inside[..., 12:] = inside[:4] = inside[28:] = 0
    place = Located(Scan(Path("t1"), data[16:48, 6:30, 8:24], crop), inside, np.eye(4), None)
    pictures = previews.before(Scan(Path("t1"), data, affine), place)
    areas = {name: pictures[f"brain_{name}"].sum() * previews.SPACING**2 for name in previews.PLANES}
    assert areas == pytest.approx({"axial": 24 * 16, "coronal": 24 * 8, "sagittal": 16 * 8}, rel=0.35)
    low, high = np.argwhere(pictures["brain_coronal"])[[0, -1]]  # rows from inferior to superior, left to right
    assert abs((low + high)[0] / 2 * 2 - 15.5) < 2
    assert abs((low + high)[1] / 2 * 2 - 27.5) < 2
    assert pictures["coronal"][15:].max() == 255
    assert pictures["coronal"][:5].max() == 0


def test_a_picture_has_the_top_of_the_head_above_and_the_left_on_the_left():
    grey = np.zeros((40, 60), np.uint8)  # rows: inferior to superior; columns: left to right
    grey[30:, :20] = 200  # superior left
    drawn = montage.draw(grey, np.zeros(grey.shape, bool), montage.PIXEL)
    assert drawn.shape == (40, 60, 3)
    assert drawn[:9, :19].mean() > 190
    assert drawn[12:].max() == 0
    assert drawn[:, 22:].max() == 0


def test_pictures_have_the_size_of_their_slices():
    drawn = montage.draw(np.zeros((40, 60), np.uint8), np.zeros((40, 60), bool), 2.5)
    assert drawn.shape[:2] == (round(40 * 2.5 / montage.PIXEL), round(60 * 2.5 / montage.PIXEL))


def test_outlines_lie_on_the_border_of_the_mask():
    mask = np.zeros((30, 30), bool)
    mask[10:20, 5:15] = True
    drawn = montage.draw(np.zeros((30, 30), np.uint8), mask, montage.PIXEL)
    coloured = (drawn == montage.BRAIN).all(axis=2)[::-1]
    np.testing.assert_array_equal(coloured, mask & ~ndimage.binary_erosion(mask))


def test_an_outline_runs_around_parts_and_holes():
    assert outlines.path(np.zeros((4, 4), bool)) == ""
    one = np.zeros((4, 4), bool)
    one[1, 2] = True
    assert outlines.path(one) == "M5 2l1 1l-1 1l-1 -1z"  # around the pixel's centre (2.5, 1.5), two units per pixel
    mask = np.ones((5, 6), bool)  # up to the border of the picture
    mask[2, 2:4] = False
    mask[0, 0] = False
    assert outlines.path(mask).count("M") == outlines.path(mask).count("z") == 2
    corners = np.zeros((4, 4), bool)
    corners[0, 0] = corners[1, 1] = True  # touch in a corner alone
    ends = [part.count("l") for part in outlines.path(corners).split("z")[:-1]]
    assert ends == [3, 3]


def smooth_template() -> Template:
    """A template of 2 mm voxels with a smooth pattern in a ball."""
    image = textured(5).astype(np.float32)
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = -47
    return Template("test", image, image > 0, affine)


def test_a_scene_shows_a_scan_where_its_registration_carries_it(tmp_path):
    """The raw scan, turned, stretched and moved, lies on its packed image; without its matrix it does not."""
    template = smooth_template()
    grid = template.grid(2.0)
    matrix = np.array([[0.9, -0.3, 0, 8.0], [0.3, 0.9, 0, -5], [0, 0, 1.1, 3], [0, 0, 0, 1]])
    packed = geometry.sample(template.image, template.affine, grid)
    scan_grid = Grid((70, 72, 74), np.array([[2.0, 0, 0, -70], [0, 2, 0, -72], [0, 0, 2, -74], [0, 0, 0, 1]]))
    scan = 500 * geometry.sample(template.image, template.affine, scan_grid, np.linalg.inv(matrix))
    nibabel.save(nibabel.Nifti1Image(scan, scan_grid.affine), tmp_path / "t1.nii.gz")
    volumes = measures.Volumes({"t1": packed}, packed > 0, None, grid)
    scene = montage.middle(template)

    def difference(transform: np.ndarray) -> float:
        record = {"template_to_scan": {"t1": transform.tolist()}}
        came = montage.before(volumes, "t1", record, tmp_path / "t1.nii.gz", scene)
        assert came is not None
        one, other = (
            np.asarray(Image.open(io.BytesIO(picture.jpeg))).astype(float)
            for picture in (came, montage.after(volumes, "t1", scene))
        )
        return float(np.abs(one - other).mean())

    assert difference(matrix) < 8
    assert difference(np.eye(4)) > 20
    assert montage.before(volumes, "t1", {"template_to_scan": {"t1": matrix}}, tmp_path / "gone.nii", scene) is None


def test_slices_lie_beside_one_another_with_the_top_of_the_head_above():
    low, high = np.zeros((2, 3), np.uint8), np.ones((4, 2), np.uint8)
    low[1, 0] = 7
    canvas = scenes.beside([low, high])
    assert canvas.shape == (4, 3 + scenes.GAP + 2)
    assert canvas[1, 0] == 7
    assert (canvas[:, -2:] == 1).all()


def test_a_distribution_shows_every_value_and_the_limits_near_them():
    drawing = ET.fromstring(charts.distribution([1.0, 2.0, 2.1, 5.0], 0.5, np.inf, "a < b"))
    assert drawing.get("aria-label") == "a < b: 4 subjects, from 1 to 5"
    assert len(drawing.findall("line")) == 1
    assert 2 <= len(drawing.findall("rect")) <= 4
    assert len(ET.fromstring(charts.distribution([3.0, 3.0], -np.inf, np.inf, "")).findall("rect")) == 1


def test_measures_of_a_subject_have_hand_values():
    brain, lesion = np.zeros((10, 10, 10), bool), np.zeros((10, 10, 10), bool)
    brain[0:5, 2:6, 2:7] = True  # 100 voxels, 20 of them on a face of the grid
    lesion[4:6, 2:7, 3] = True  # 10 voxels: 4 in the brain, 1 beside it in y, 5 in x
    record = {
        "similarity": {"t1": 1.2},
        "brain_ml": 8.0,
        "template_to_scan": {"t1": np.diag([2.0, 1.0, 1.0, 1.0]).tolist()},  # which halves volumes
        "lesion_ml": 1.0,
        "expansion": 0.5,
    }
    volumes = measures.Volumes({}, brain, lesion, Grid(brain.shape, np.diag([4.0, 4.0, 4.0, 1.0])))
    assert measures.measure(volumes, record, np.roll(brain, 1, 0)) == pytest.approx(
        {
            "nmi_reference_t1": 1.2,
            "brain_ml": 8.0,
            "overlap": 0.8,
            "border_cm2": 20 * 0.16,
            "brain_change": 100 * (100 * VOXEL_ML / 0.5 / 8 - 1),
            "lesion_ml": 1.0,
            "lesion_packed_ml": 10 * VOXEL_ML,
            "lesion_voxels": 0.5 / VOXEL_ML,
            "lesion_change": 100 * (10 * VOXEL_ML / 0.5 - 1),
            "lesion_outside": 60,
        }
    )
