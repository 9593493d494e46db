"""Preprocessing: reading, resampling, scaling, finding brains of known place, going on after bad files and kills."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from scipy import ndimage

from harness.data import brain, geometry, intensity, preprocess, register, search, sheet, template
from harness.data.geometry import Grid
from harness.data.layout import Files
from harness.data.locate import follow, locate
from harness.data.placement import Placement, prepare_scan, resample
from harness.data.scan import BadScan, Scan, read_labels, read_scan
from harness.data.settings import Preprocessing, parse
from harness.errors import HarnessError

FAST = Preprocessing(spacing=4.0, intensity="p99_brain")


def posed(pitch: float, yaw: float, shift: tuple[float, float, float], size: float) -> np.ndarray:
    """A matrix from template to scan millimetres."""
    a, c = np.deg2rad((pitch, yaw))
    turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    turn = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]]) @ turn
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn * size, shift
    return matrix


def scanned(image: np.ndarray, affine: np.ndarray, matrix: np.ndarray, grid: Grid) -> np.ndarray:
    """Template-space values as a scan on `grid` shows them."""
    return geometry.sample(image, affine, grid, np.linalg.inv(matrix))


def off(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance (mm) between where two matrices bring the brain of the template."""
    voxels = np.argwhere(mni().at(8.0).mask)
    points = mni().at(8.0).grid.affine @ np.vstack([voxels.T, np.ones(len(voxels))])
    return float(np.linalg.norm(((found - truth) @ points)[:3], axis=0).mean())


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


def mni() -> template.Template:
    return template.load("mni152")


NATIVE = geometry.upright(np.array([-95.0, -115.0, -110.0]), np.array([95.0, 125.0, 105.0]), 3.5)
POSE = posed(12, -6, (4, -14, -9), 0.94)


def head(t2: bool = False) -> np.ndarray:
    """A whole head around the template's brain: fluid, bone, fat and a neck, in template space at 3 mm."""
    source = mni().at(3.0)
    grid = geometry.upright(np.array([-115.0, -150.0, -135.0]), np.array([115.0, 120.0, 105.0]), 3.0)
    image = geometry.sample(source.image, source.grid.affine, grid) * 100
    inside = geometry.sample(source.share, source.grid.affine, grid) > 0.5
    around = brain.distance(inside, grid.spacing)
    x, y, z = (np.indices(grid.shape).reshape(3, -1).T * 3.0 + grid.affine[:3, 3]).T.reshape(3, *grid.shape)
    neck = (np.hypot(x, y + 40) < 50) & (z < -50) & (around > 9)
    image = np.where(inside, (150 - image) if t2 else image, 0)
    image[(around > 0) & (around <= 2.5)] = 160 if t2 else 15
    image[neck] = 70
    image[(around > 9) & (around <= 15)] = 130
    noise = np.random.default_rng(0).normal(0, 1.5, image.shape)
    return np.abs(ndimage.gaussian_filter(image, 0.6) + noise).astype(np.float32)


HEAD_AFFINE = geometry.upright(np.array([-115.0, -150.0, -135.0]), np.array([115.0, 120.0, 105.0]), 3.0).affine


@pytest.fixture(scope="module")
def extracted_scan() -> Scan:
    image = scanned(mni().image, mni().affine, POSE, NATIVE) * 800
    image[scanned(mni().mask, mni().affine, POSE, NATIVE) < 0.5] = 0
    return Scan(Path("extracted.nii.gz"), image, NATIVE.affine)


@pytest.fixture(scope="module")
def head_scan() -> Scan:
    return Scan(Path("head.nii.gz"), scanned(head(), HEAD_AFFINE, POSE, NATIVE), NATIVE.affine)


# settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"spacin": 1}', r"spacin.*spacing"),
        ('{"spacing": "1"}', "spacing"),
        ('{"spacing": 0.01}', "spacing"),
        ('{"intensity": "p50"}', r"p98.*max.*p99_brain"),
        ('{"brain": "robex"}', "brain"),
        ("[1]", "mapping"),
        ("{", "JSON"),
    ],
)
def test_settings_name_what_is_wrong(text, message):
    with pytest.raises(HarnessError, match=message) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_settings_take_whole_numbers():
    assert parse('{"spacing": 2}') == Preprocessing(spacing=2.0)


# reading


def nifti(path: Path, data: np.ndarray, affine: np.ndarray | None = None) -> Path:
    nibabel.save(nibabel.Nifti1Image(data, np.diag([2.0, 2, 2, 1]) if affine is None else affine), path)
    return path


def random_volume(shape: tuple[int, ...] = (12, 13, 14)) -> np.ndarray:
    return np.random.default_rng(0).random(shape).astype(np.float32)


def broken(path: Path, kind: str) -> Path:
    if kind == "missing":
        return path
    if kind == "text":
        path.write_bytes(b"no image")
    elif kind == "cut short":
        nifti(path, random_volume((40, 40, 40)))
        path.write_bytes(path.read_bytes()[:20_000])
    elif kind == "NaN":
        volume = random_volume()
        volume[3, 3, 3] = np.nan
        nifti(path, volume)
    elif kind == "all zero":
        nifti(path, np.zeros((12, 13, 14), np.float32))
    elif kind == "4-D":
        nifti(path, random_volume((12, 13, 14, 2)))
    elif kind == "singular affine":
        image = nibabel.Nifti1Image(random_volume(), None)
        image.header.set_sform(np.array([[2.0, 0, 0, 0], [0, 2, 0, 0], [0, 2, 0, 0], [0, 0, 0, 1]]), code=1)
        nibabel.save(image, path)
    elif kind == "microscopy":
        nifti(path, random_volume(), np.diag([0.01, 0.01, 0.01, 1]))
    return path


REASONS = {
    "missing": "no such file",
    "text": "cannot be read",
    "cut short": "cannot be read",
    "NaN": "1 voxels are not finite",
    "all zero": "every voxel is 0",
    "4-D": "three dimensions",
    "singular affine": "singular",
    "microscopy": "not of a head",
}


@pytest.mark.parametrize("kind", REASONS)
def test_a_broken_file_is_named_with_its_reason(tmp_path, kind):
    path = broken(tmp_path / "scan.nii.gz", kind)
    with pytest.raises(BadScan, match=REASONS[kind]) as caught:
        read_scan(path)
    assert caught.value.file == path
    assert "\n" not in caught.value.reason


def test_one_volume_with_a_fourth_axis_is_read(tmp_path):
    scan = read_scan(nifti(tmp_path / "scan.nii", random_volume((12, 13, 14, 1))))
    assert scan.data.shape == (12, 13, 14)
    np.testing.assert_allclose(scan.spacing, 2)


def test_labels_must_lie_on_the_grid_of_the_scan(tmp_path):
    scan = read_scan(nifti(tmp_path / "scan.nii", random_volume()))
    labels = np.zeros((12, 13, 14), np.uint8)
    labels[4:6, 4:6, 4:6] = 4
    assert set(np.unique(read_labels(nifti(tmp_path / "ok.nii", labels), scan).data)) == {0, 4}
    with pytest.raises(BadScan, match="shape"):
        read_labels(nifti(tmp_path / "shape.nii", labels[1:]), scan)
    with pytest.raises(BadScan, match="off the grid"):
        read_labels(nifti(tmp_path / "shift.nii", labels, np.array(np.diag([2.0, 2, 2, 1])) + np.eye(4, k=3) * 5), scan)
    with pytest.raises(BadScan, match="whole numbers"):
        read_labels(nifti(tmp_path / "half.nii", labels * np.float32(0.3)), scan)


# grids and resampling


def test_upright_covers_what_is_asked():
    grid = geometry.upright(np.array([-10.0, 0, 5]), np.array([11.0, 7, 5]), 2.0)
    low, high = geometry.extent(grid.shape, grid.affine)
    assert (low <= [-10, 0, 5]).all()
    assert (high >= [11, 7, 5]).all()
    np.testing.assert_allclose(grid.spacing, 2)


def test_sampling_a_ramp_is_exact():
    """Linear interpolation, and its smoothing, keep a linear function as it is."""
    affine = np.array([[0, 0, 1.5, -8], [-1.0, 0, 0, 20], [0, 2, 0, -6], [0, 0, 0, 1]])
    shape = (24, 18, 20)
    points = (affine @ np.vstack([np.indices(shape).reshape(3, -1), np.ones((1, np.prod(shape)))]))[:3]
    ramp = (2 * points[0] - points[1] + 3 * points[2]).reshape(shape)
    for spacing in (1.0, 3.0):
        grid = geometry.upright(np.array([0.0, 6, 6]), np.array([9.0, 12, 15]), spacing)
        wanted = grid.affine @ np.vstack([np.indices(grid.shape).reshape(3, -1), np.ones((1, np.prod(grid.shape)))])
        found = geometry.sample(ramp, affine, grid)
        np.testing.assert_allclose(found.ravel(), 2 * wanted[0] - wanted[1] + 3 * wanted[2], atol=1e-3)


def test_sampling_outside_is_zero():
    grid = Grid((3, 3, 3), np.diag([2.0, 2, 2, 1]) + np.eye(4, k=3) * 500)
    assert not geometry.sample(np.ones((5, 5, 5)), np.eye(4), grid).any()


@budget(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1.0, 2.0, 4.0]))
def test_labels_neither_gain_nor_lose_classes(seed, spacing):
    rng = np.random.default_rng(seed)
    labels = np.zeros((30, 32, 28), np.uint8)
    for value in rng.choice([1, 2, 4, 200], size=3, replace=False):
        corner, size = rng.integers(8, 18, 3), rng.integers(1, 7, 3)
        labels[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] = value
    grid = geometry.upright(np.zeros(3), np.array([30.0, 32, 28]), spacing)
    tilt = posed(*rng.uniform(-10, 10, 2), (1.0, -1.0, 0.5), 1.0)
    assert set(np.unique(geometry.sample_labels(labels, np.eye(4), grid, tilt))) == set(np.unique(labels))


@pytest.mark.parametrize("spacing", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("size", [0.9, 1.15])
def test_labels_keep_their_volume(spacing, size):
    distance = np.linalg.norm((np.indices((64, 64, 64)).T - (31.3, 32.2, 30.8)) * (1, 1, 1.25), axis=-1).T
    labels = np.where(distance < 12, 4, np.where(distance < 18, 2, 0)).astype(np.uint8)
    affine = np.diag([1.0, 1.0, 1.25, 1])
    matrix = posed(9, 14, (2, 1, -3), size)
    grid = geometry.upright(np.zeros(3) - 10, np.full(3, 95.0), spacing)
    found = geometry.sample_labels(labels, affine, grid, matrix)
    for value in (2, 4):
        volume = (labels == value).sum() * 1.25 / size**3
        assert (found == value).sum() * spacing**3 == pytest.approx(volume, rel=0.03)


# grey values


def test_scaling_rules_by_hand():
    image = np.array([-5.0, 0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100])
    inside = image > 5
    values = image[inside]
    tops = {
        "max": 100.0,
        "p99_brain": np.quantile(values, 0.995),
        "p98": np.quantile(np.concatenate([values, np.zeros(40)]), 0.98),
    }
    assert set(tops) == set(intensity.RULES)
    for rule, top in tops.items():
        scaled = intensity.scale(image, inside, rule, voxels=50)
        np.testing.assert_allclose(scaled[inside], np.minimum(values / top, 1), rtol=1e-6)
        assert not scaled[~inside].any()


def test_brain_stays_above_zero_in_half_precision():
    image = np.array([-3.0, 0.0, 1e-6, 1000.0, 7.0])
    inside = np.array([True, True, True, True, False])
    scaled = intensity.scale(image, inside, "max", voxels=5).astype(np.float16)
    assert ((scaled > 0) == inside).all()
    with pytest.raises(ValueError, match="no grey value"):
        intensity.scale(image - 2000, inside, "max", voxels=5)


# templates


def test_template_grid_holds_the_brain_at_every_spacing():
    for spacing in (1.5, 4.0):
        grid = mni().grid(spacing)
        np.testing.assert_allclose(grid.spacing, spacing)
        low, high = geometry.extent(grid.shape, grid.affine)
        assert (low <= mni().box[0] - 3.9).all()
        assert (high >= mni().box[1] + 3.9).all()
        # No more than a few voxels of margin: every voxel of background costs memory and time.
        assert (np.array(grid.shape) * spacing < mni().box[1] - mni().box[0] + 4 * spacing + 8).all()


def test_template_from_a_file(tmp_path):
    source = mni().at(4.0)
    path = nifti(tmp_path / "brain.nii.gz", source.image[::-1], source.grid.affine @ np.diag([-1.0, 1, 1, 1]))
    own = template.load(str(path))
    assert dice(own.mask, ndimage.binary_fill_holes(own.image > 0)) == 1
    assert np.linalg.det(own.affine) > 0
    with pytest.raises(HarnessError, match="mni152"):
        template.load("mni153")
    with pytest.raises(HarnessError, match="skull-stripped"):
        template.load(str(nifti(tmp_path / "head.nii.gz", random_volume())))


# brains


def test_otsu_parts_three_classes():
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(m, 2, 4000) for m in (10, 40, 80)])
    low, high = brain.otsu(values, classes=3)
    assert 16 < low < 34
    assert 46 < high < 74
    assert 16 < brain.otsu(values[:8000])[0] < 34


def test_extracted_scans_are_told_from_heads(extracted_scan, head_scan):
    known = brain.extracted(extracted_scan)
    assert known is not None
    assert dice(known, extracted_scan.data != 0) == 1
    assert brain.extracted(head_scan) is None
    defaced = np.where(head_scan.data < 10, 0, head_scan.data)
    assert brain.extracted(Scan(head_scan.path, defaced, head_scan.affine)) is None


def test_extracted_brain_is_found_where_it_is(extracted_scan):
    found = locate(extracted_scan, mni(), FAST)
    assert off(found.matrix, POSE) < 1.0
    image, inside = resample(found, mni(), FAST)
    assert dice(inside, mni().at(4.0).mask) > 0.97
    assert ((image > 0) == inside).all()
    assert image.max() <= 1


def test_the_brain_in_a_head_is_found_without_its_skull(head_scan):
    found = locate(head_scan, mni(), FAST)
    assert off(found.matrix, POSE) < 2.5
    truth = scanned(mni().mask, mni().affine, POSE, NATIVE) > 0.5
    box = geometry.sample(truth, NATIVE.affine, Grid(found.scan.data.shape, found.scan.affine), order=0) > 0.5
    assert dice(found.inside > 0.5, box) > 0.94
    # Bone is a ring of 6.5 mm: brain must not reach the fat behind it.
    assert (brain.distance(box, found.scan.spacing)[found.inside > 0.5] < 9).all()


def test_registration_is_the_same_every_time(extracted_scan):
    first, second = (locate(extracted_scan, mni(), FAST).matrix for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_a_head_is_refused_where_extracted_scans_are_promised(head_scan):
    with pytest.raises(BadScan, match="skull"):
        locate(head_scan, mni(), Preprocessing(spacing=4.0, brain="none"))


def test_noise_is_no_brain():
    noise = np.random.default_rng(0).normal(100, 10, (50, 50, 50)).astype(np.float32)
    tiny = Scan(Path("noise.nii"), noise, np.diag([1.0, 1, 1, 1]))
    with pytest.raises(BadScan):
        locate(tiny, mni(), FAST)


def test_t2_finds_its_t1_though_its_header_is_off(extracted_scan):
    """The T2 has thick slices, another contrast, and a header that is 2 cm and 8° off."""
    move = posed(8, 2, (3, 18, -9), 1.0)
    grid = Grid((60, 70, 36), np.array([[3.2, 0, 0, -94], [0, 3.2, 0, -100], [0, 0, 5.0, -95], [0, 0, 0, 1]]))
    image = scanned(head(t2=True), HEAD_AFFINE, move @ POSE, grid)
    t1 = Scan(Path("t1.nii"), scanned(head(), HEAD_AFFINE, POSE, NATIVE), NATIVE.affine)
    inside = scanned(mni().mask, mni().affine, POSE, NATIVE)
    place = type(locate(extracted_scan, mni(), FAST))(t1, inside, POSE, 1.0)
    found = follow(Scan(Path("t2.nii"), image, grid.affine), place, 4.0)
    assert off(found.matrix, move @ POSE) < 2.0


def test_t2_that_is_aligned_is_not_shaken(extracted_scan):
    place = locate(extracted_scan, mni(), FAST)
    inverted = np.where(extracted_scan.data > 0, 900 - extracted_scan.data, 0)
    found = follow(Scan(Path("t2.nii"), inverted, extracted_scan.affine), place, 4.0)
    assert off(found.matrix, place.matrix) < 0.5


def test_search_tells_where_a_brain_is(head_scan):
    points = mni().at(search.STEP)
    likeness = search.Likeness(points.image, points.mask, points.grid, head_scan.data, NATIVE, surroundings=False)
    best = search.guesses(likeness, [brain.head_centre(head_scan.data, NATIVE)], search.HEAD)[0]
    assert off(best, POSE) < 8
    assert likeness(best) > likeness(np.eye(4))


def test_similarity_of_an_image_with_itself_is_two():
    image = random_volume((20, 20, 20))
    everywhere = np.ones(image.shape, bool)
    assert register.similarity(image, 3 - 2 * image, everywhere) == pytest.approx(2, abs=0.02)
    assert register.similarity(image, random_volume((20, 20, 20))[::-1], everywhere) < 1.05


# way back


@pytest.mark.parametrize("spacing", [2.0, 4.0])
def test_a_map_goes_back_to_where_it_came_from(spacing):
    """A blob marked in the scan, taken to the template and back, lies where it was; shape and affine are the scan's."""
    affine = np.array([[0, 0, -3.0, 90], [2.5, 0.1, 0, -110], [0, 2.5, 0.2, -100], [0, 0, 0, 1]])
    native = Grid((90, 85, 62), affine)
    grid = mni().grid(spacing)
    centre = POSE @ [10.0, -20, 15, 1]
    voxels = affine @ np.vstack([np.indices(native.shape).reshape(3, -1), np.ones((1, np.prod(native.shape)))])
    blob = np.exp(-((voxels[:3] - centre[:3, None]) ** 2).sum(axis=0) / 200).reshape(native.shape)
    packed = geometry.sample(blob, affine, grid, POSE).transpose(2, 1, 0)
    back = Placement(native, grid, POSE).to_native(packed)
    assert back.shape == native.shape
    np.testing.assert_array_equal(back.affine, affine)
    data = np.asarray(back.dataobj)
    weight = data / data.sum()
    mean = (voxels[:3].reshape(3, *native.shape) * weight).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(mean, centre[:3], atol=0.3)
    assert data.max() == pytest.approx(1, abs=0.1 if spacing == 4 else 0.04)


def test_prepare_scan_gives_what_is_packed_and_the_way_back(tmp_path, extracted_scan):
    path = nifti(tmp_path / "scan.nii.gz", extracted_scan.data, extracted_scan.affine)
    volume, placement = prepare_scan(path, FAST, "t1")
    assert volume.dtype == np.float32
    assert volume.shape == mni().grid(4.0).shape[::-1]
    back = np.asarray(placement.to_native(volume).dataobj)
    both = (back > 0) & (extracted_scan.data > 0)
    assert dice(back > 0, extracted_scan.data > 0) > 0.9
    assert np.corrcoef(back[both], extracted_scan.data[both])[0, 1] > 0.85
    with pytest.raises(HarnessError, match=r"gone\.nii"):
        prepare_scan(tmp_path / "gone.nii", FAST, "t1")


# a sheet of subjects


@pytest.fixture(scope="module")
def cohort(tmp_path_factory, extracted_scan):
    """Five subjects: whole, T2 cut short, T1 of NaN, mask of another shape, no mask at all; registered once."""
    folder = tmp_path_factory.mktemp("cohort")
    labels = np.zeros(extracted_scan.data.shape, np.uint8)
    labels[24:30, 30:36, 30:36] = 4
    labels[30:32, 30:36, 30:36] = 1
    rows = []
    for name in ("whole", "t2", "t1", "shape", "unlabelled"):
        root = folder / "raw" / name
        root.mkdir(parents=True)
        nifti(root / "t1.nii.gz", extracted_scan.data.astype(np.int16), extracted_scan.affine)
        nifti(root / "t2.nii.gz", (900 - extracted_scan.data).astype(np.int16), extracted_scan.affine)
        nifti(root / "mask.nii.gz", labels[2:] if name == "shape" else labels, extracted_scan.affine)
        mask = None if name == "unlabelled" else Path(name, "mask.nii.gz")
        rows.append((Files(name, Path(name, "t1.nii.gz"), Path(name, "t2.nii.gz"), mask), "test"))
    broken(folder / "raw" / "t1" / "t1.nii.gz", "NaN")
    t2 = folder / "raw" / "t2" / "t2.nii.gz"
    t2.write_bytes(t2.read_bytes()[:3000])
    written = sheet.write(folder / "subjects.csv", folder / "raw", rows)
    outcomes = list(preprocess.preprocess(written, written.rows, folder / "registered", FAST))
    return written, outcomes, folder


def test_a_bad_file_costs_its_subject_alone(cohort):
    _, outcomes, folder = cohort
    assert [(o.subject, o.status, o.file) for o in outcomes] == [
        ("whole", "done", ""),
        ("t2", "partial", "t2/t2.nii.gz"),
        ("t1", "lost", "t1/t1.nii.gz"),
        ("shape", "lost", "shape/mask.nii.gz"),
        ("unlabelled", "lost", "unlabelled/t1.nii.gz"),
    ]
    assert all(o.reason for o in outcomes[1:])
    names = {path.relative_to(folder / "registered").as_posix() for path in (folder / "registered").rglob("*.nii.gz")}
    assert names == {f"whole/{n}.nii.gz" for n in ("t1", "t2", "mask", "brain")} | {
        f"t2/{n}.nii.gz" for n in ("t1", "mask", "brain")
    }


def test_registered_volumes(cohort, extracted_scan):
    folder = cohort[2] / "registered" / "whole"
    volumes = {path.name.split(".")[0]: nibabel.load(path) for path in folder.glob("*.nii.gz")}
    grid = mni().grid(4.0)
    for volume in volumes.values():
        assert volume.shape == grid.shape
        np.testing.assert_allclose(volume.affine, grid.affine, atol=1e-4)
    data = {name: np.asarray(volume.dataobj) for name, volume in volumes.items()}
    assert ((data["t1"] > 0) == (data["brain"] > 0)).all()
    assert not data["t2"][data["brain"] == 0].any()
    assert set(np.unique(data["mask"])) == {0, 1, 4}
    scale = np.linalg.det(np.array(json.loads((folder / "subject.json").read_text())["template_to_scan"]["t1"])[:3, :3])
    ratio = (data["mask"] > 0).sum() * 4.0**3 / (8 * 6 * 6 * NATIVE.spacing.prod() / scale)
    assert ratio == pytest.approx(1, rel=0.05)


def test_a_second_run_does_nothing(cohort, monkeypatch):
    written, outcomes, folder = cohort
    monkeypatch.setattr(preprocess, "locate", lambda *_: pytest.fail("registered again"))
    stamp = (folder / "registered" / "whole" / "t1.nii.gz").stat().st_mtime_ns
    again = list(preprocess.preprocess(written, written.rows[:2], folder / "registered", FAST))
    assert again == outcomes[:2]
    assert (folder / "registered" / "whole" / "t1.nii.gz").stat().st_mtime_ns == stamp


@pytest.mark.parametrize("change", ["settings", "time", "half"])
def test_what_changed_is_done_again(cohort, monkeypatch, change):
    written, _, folder = cohort
    done: list[str] = []

    def seen(_sheet, row, *_):
        done.append(row.subject)
        return {"lost": []}

    monkeypatch.setattr(preprocess, "_subject", seen)
    chosen, source = FAST, folder / "raw" / "whole" / "t1.nii.gz"
    stat = source.stat()
    record = folder / "registered" / "whole" / "subject.json"
    text = record.read_text()
    if change == "settings":
        chosen = Preprocessing(spacing=4.0, intensity="max")
    elif change == "time":
        import os

        os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    else:
        record.unlink()
    list(preprocess.preprocess(written, written.rows[:1], folder / "registered", chosen))
    record.write_text(text)
    if change == "time":
        os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert done == ["whole"]


def test_the_same_input_gives_the_same_bytes(cohort, tmp_path):
    written, _, folder = cohort
    list(preprocess.preprocess(written, written.rows[:1], tmp_path, FAST))
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert names == ["brain.nii.gz", "mask.nii.gz", "subject.json", "t1.nii.gz", "t2.nii.gz"]
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (folder / "registered" / "whole" / name).read_bytes(), name


def test_reports_come_back_as_written(cohort, tmp_path):
    preprocess.write_report(tmp_path / "1-of-1.csv", cohort[1])
    assert preprocess.read_report(tmp_path / "1-of-1.csv") == cohort[1]
    with pytest.raises(HarnessError, match="no such report"):
        preprocess.read_report(tmp_path / "2-of-2.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(HarnessError, match="subject, status, file, reason"):
        preprocess.read_report(tmp_path / "other.csv")


def test_a_template_that_is_missing_is_no_bad_subject(cohort, tmp_path):
    written = cohort[0]
    with pytest.raises(HarnessError, match="template"):
        list(
            preprocess.preprocess(written, written.rows, tmp_path, Preprocessing(template=str(tmp_path / "sri24.nii")))
        )


@budget(deadline=None)
@given(st.integers(0, 30), st.integers(1, 9))
def test_chunks_hold_every_row_once(count, chunks):
    rows = [sheet.Row(f"s{n}", "test", "/", "", "", "") for n in range(count)]
    parts = [preprocess.chunk(rows, f"{i}/{chunks}") for i in range(1, chunks + 1)]
    assert sorted(row.subject for part in parts for row in part) == sorted(row.subject for row in rows)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("name", ["0/3", "4/3", "1", "a/b", "-1/3", "1/0"])
def test_a_chunk_has_two_numbers(name):
    with pytest.raises(HarnessError, match="2/8"):
        preprocess.chunk([], name)
    assert preprocess.chunk([], "2-of-8") == []


# real scans


def test_real_head_with_its_t2(mri_mini):
    """A whole head whose T2 lies on another grid, tilted by 13° and 1.5 cm off: both end up aligned."""
    folder = mri_mini / "camcan/cc700/mri/pipeline/release004/BIDS_20190411/anat/sub-CC900001/anat"
    t1 = locate(read_scan(folder / "sub-CC900001_T1w.nii.gz"), mni(), FAST)
    t2 = follow(read_scan(folder / "sub-CC900001_T2w.nii.gz"), t1, FAST.spacing)
    first, inside = resample(t1, mni(), FAST)
    second, covered = resample(t2, mni(), FAST)
    assert dice(inside, mni().at(4.0).mask) > 0.95
    assert (covered & inside).sum() > 0.9 * inside.sum()
    both = inside & covered
    aligned = register.similarity(first, second, both)
    for axis in range(3):
        for step in (-2, 2):
            assert aligned > register.similarity(first, np.roll(second, step, axis), both)


def test_real_lesion_keeps_its_volume(mri_mini):
    folder = mri_mini / "atlas/ATLAS_2/Training/R001/sub-r001s002/ses-1/anat"
    name = folder / "sub-r001s002_ses-1_space-MNI152NLin2009aSym"
    scan = read_scan(Path(f"{name}_T1w.nii.gz"))
    labels = read_labels(Path(f"{name}_label-L_desc-T1lesion_mask.nii.gz"), scan)
    place = locate(scan, mni(), FAST)
    assert dice(resample(place, mni(), FAST)[1], mni().at(4.0).mask) > 0.93
    for spacing in (2.0, 3.0):
        found = geometry.sample_labels(labels.data, labels.affine, mni().grid(spacing), place.matrix)
        volume = (labels.data > 0).sum() * scan.spacing.prod() / np.linalg.det(place.matrix[:3, :3])
        assert found.sum() * spacing**3 == pytest.approx(volume, rel=0.03)
