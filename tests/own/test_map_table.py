"""Rows of scored scans against hand values and scipy's components; tables that keep the rows of earlier calls."""

import re

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from tests.data.conftest import NATIVE, POSE, mni
from uadbench.core.errors import HarnessError
from uadbench.data.grid import Grid
from uadbench.data.preprocessing.registration.transform import Placement
from uadbench.own import map_table
from uadbench.own.map_table import COLUMNS, FINDING, SCAN, findings, inputs, row, write
from uadbench.own.regions import Atlas
from uadbench.own.scan_places import TABLE

#: the scan has voxels of 2 x 2 x 2.5 mm, 0.01 ml; the template lies 10 mm to its left, 20 behind and 30 below
MOVED = np.array([[1.0, 0, 0, 10], [0, 1, 0, 20], [0, 0, 1, 30], [0, 0, 0, 1]])
SCANNED = Grid((12, 10, 8), np.array([[2.0, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2.5, 0], [0, 0, 0, 1]]))
PACKED = Grid((5, 5, 5), np.array([[4.0, 0, 0, -8], [0, 4, 0, -8], [0, 0, 4, -8], [0, 0, 0, 1]]))
PLACE = Placement(SCANNED, PACKED, MOVED)


def image(scores: np.ndarray, grid: Grid = SCANNED) -> nibabel.Nifti1Image:
    return nibabel.Nifti1Image(scores, grid.affine)


@pytest.fixture
def scan():
    """Two findings, of which one touches itself at a corner alone, and a voxel outside of the brain."""
    scores, brain = np.zeros(SCANNED.shape, np.float32), np.zeros(SCANNED.shape, bool)
    brain[1:11, 1:9, 1:7] = True
    scores[8:10, 2, 2] = scores[10, 3, 3] = 0.5  # x of 16, 18, 20; y of 4, 4, 6; z of 5, 5, 7.5
    scores[9, 2, 2] = 0.9
    scores[2, 7, 5] = 0.6
    scores[0, 0, 0] = 2
    return scores, brain


def test_a_row_by_hand(scan):
    scores, brain = scan
    found = row("sub-a", "scans/sub-a.nii.gz", image(scores), brain, 0.5, PLACE, "own.nii")
    assert list(found) == COLUMNS
    assert {key: found[key] for key in SCAN} == {
        "name": "sub-a",
        "image": "scans/sub-a.nii.gz",
        "threshold": 0.5,
        "volume_ml": 0.04,
        "findings": 2,
        "maximum": 0.9,
        "mean": pytest.approx((0.5 + 0.9 + 0.5 + 0.6) / 480),
        "brain_ml": 4.8,
        "template": "own.nii",
        "atlas": "",
        "inputs": None,
    }
    first, second, third = ([found[f"finding{number}_{key}"] for key in FINDING] for number in (1, 2, 3))
    assert first == [0.03, 8.0, pytest.approx(-15.3), pytest.approx(-24.2), "right", 0.9, ""]
    assert second == [0.01, -6.0, -6.0, -17.5, "left", 0.6, ""]
    assert third == [None] * len(FINDING)


def test_a_finding_on_both_sides_says_so(scan):
    scores, brain = scan
    scores[4:8, 5, 4] = 1  # x of 8, 10, 12 and 14; the midline is at 10
    found = row("a", "a.nii", image(scores), brain, 0.5, PLACE, "own.nii")
    assert [found["finding1_side"], found["finding1_x_mm"]] == ["both", 1.0]


def test_specks_are_no_findings_but_count_in_the_volume(scan):
    scores, brain = scan
    small = Grid(SCANNED.shape, np.diag([2.0, 2, 2.4, 1]))  # 9.6 mm³
    found = row("a", "a.nii", image(scores, small), brain, 0.5, Placement(small, PACKED, MOVED), "own.nii")
    assert (found["findings"], found["volume_ml"], found["finding1_ml"]) == (1, 0.0384, 0.0288)


def test_ten_voxels_of_a_millimetre_are_a_finding_though_headers_are_rounded(scan):
    scores, brain = scan
    scores[1:11, 5, 5] = 0.7
    rounded = Grid(SCANNED.shape, np.diag([1, 1, 1 - 1e-8, 1]))
    found = row("a", "a.nii", image(scores, rounded), brain, 0.5, Placement(rounded, PACKED, np.eye(4)), "own.nii")
    assert (found["findings"], found["finding1_ml"]) == (1, 0.01)


def test_only_three_are_described_and_all_are_counted(scan):
    scores, brain = scan
    scores[brain] = 0
    scores[1:10:2, 1, 1] = 1
    scores[6, 7, 5:7] = 1  # the largest
    found = row("a", "a.nii", image(scores), brain, 0.5, PLACE, "own.nii")
    assert (found["findings"], [found[f"finding{n}_ml"] for n in (1, 2, 3)]) == (6, [0.02, 0.01, 0.01])


def test_without_a_threshold_or_findings_the_columns_are_empty(scan):
    scores, brain = scan
    unknown = row("a", "a.nii", image(scores), brain, None, PLACE, "own.nii")
    given = ["name", "image", "maximum", "mean", "brain_ml", "template", "atlas"]
    assert [key for key, value in unknown.items() if value is not None] == given
    high = row("a", "a.nii", image(scores), brain, 1.5, PLACE, "own.nii")  # the voxel of 2 is not brain
    assert (high["volume_ml"], high["findings"], high["finding1_ml"]) == (0, 0, None)


def test_scores_equal_to_a_threshold_as_it_is_written_count(scan):
    scores, brain = scan
    scores[brain] = np.float32(0.271575928)  # the nine digits of results.csv
    written = row("a", "a.nii", image(scores), brain, np.float64(0.271575928), PLACE, "own.nii")
    assert written["volume_ml"] == 4.8
    assert np.float32(written["threshold"]) == np.float32(0.271575928)


def test_findings_are_those_of_scipy():
    rng = np.random.default_rng(1)
    scores = ndimage.gaussian_filter(rng.random(NATIVE.shape), 1.2).astype(np.float32)
    place = Placement(NATIVE, mni().grid(4.0), POSE)
    reached = scores >= np.quantile(scores, 0.97)
    labels, count = ndimage.label(reached, np.ones((3, 3, 3)))
    index = np.arange(1, count + 1)
    sizes = ndimage.sum_labels(reached, labels, index) * NATIVE.voxel_ml
    order = np.argsort(-sizes, kind="stable")  # all voxels have 43 mm³
    centres = np.array(ndimage.center_of_mass(reached, labels, index))[order] @ NATIVE.affine[:3, :3].T
    inverse = np.linalg.inv(POSE)
    centres = (centres + NATIVE.affine[:3, 3]) @ inverse[:3, :3].T + inverse[:3, 3]
    found = findings(reached, scores, place)
    assert len(found) == count > 100
    assert [one["ml"] for one in found] == pytest.approx(sizes[order].tolist(), rel=1e-5)
    assert np.allclose([[one[f"{axis}_mm"] for axis in "xyz"] for one in found], centres, atol=0.0501)
    assert [one["maximum"] for one in found] == pytest.approx(ndimage.maximum(scores, labels, index)[order].tolist())
    far = np.abs(centres[:, 0]) > 25
    assert far.sum() > 20
    assert [one["side"] for one, off in zip(found, far, strict=True) if off] == [
        "left" if x < 0 else "right" for x in centres[far, 0]
    ]


def test_a_finding_of_a_turned_scan_has_the_name_of_its_region():
    centre = (POSE @ [-12, -18, 8, 1])[:3]
    apart = NATIVE.points() - np.float32(centre).reshape(3, 1, 1, 1)
    scores = np.exp(-(apart**2).sum(axis=0) / 50).astype(np.float32)
    place = Placement(NATIVE, mni().grid(4.0), POSE)
    numbers = np.zeros((3, 3, 3), int)  # voxels of 20 mm, the middle one around that point
    numbers[1, 1, 1], numbers[2, 1, 1] = 7, 8
    to_voxels = np.linalg.inv([[20, 0, 0, -32], [0, 20, 0, -38], [0, 0, 20, -12], [0, 0, 0, 1]])
    atlas = Atlas("own.nii", numbers, to_voxels, {7: "thalamus", 8: "other"})
    found = row("a", "a.nii", image(scores, NATIVE), scores > 0.01, 0.5, place, "mni152", atlas)
    assert (found["findings"], found["finding1_region"], found["finding1_side"]) == (1, "thalamus", "left")
    assert [found[f"finding1_{axis}_mm"] for axis in "xyz"] == pytest.approx([-12, -18, 8], abs=1)
    assert found["finding1_ml"] == pytest.approx(4 / 3 * np.pi * (50 * np.log(2)) ** 1.5 / 1000, rel=0.15)
    assert found["atlas"] == "own.nii"


@pytest.mark.parametrize("spacing", [1.0, 3.0, 4.0])
def test_the_midline_of_the_template_is_that_of_its_grid(spacing):
    grid = mni().grid(spacing)
    ends = grid.affine[0, 3], grid.affine[0, 3] + (grid.shape[0] - 1) * spacing
    assert abs(sum(ends) / 2) <= 0.5


def line(name: str, **values) -> dict:
    return dict.fromkeys(COLUMNS) | {"name": name} | values


def test_rows_of_earlier_calls_stay(tmp_path):
    path = tmp_path / TABLE
    write(path, [line("b-2", threshold=0.5, findings=3), line("b-10", threshold=0.5)])
    write(path, [line("a", finding1_x_mm=-12.5), line("b-2", threshold=0.4, findings=1)])
    text = path.read_text().splitlines()
    assert text[0] == ",".join(COLUMNS)
    assert [each.split(",")[0] for each in text[1:]] == ["a", "b-2", "b-10"]
    assert text[1] == "a" + "," * 12 + "-12.5" + "," * (len(COLUMNS) - 13)
    assert text[2].startswith("b-2,,0.4,,1,")
    assert [set(inputs(path, threshold)) for threshold in (0.5, 0.4, None)] == [{"b-10"}, {"b-2"}, {"a"}]
    write(path, [line("c")], kept={"b-10", "gone"})
    assert inputs(path, 0.5).keys() | inputs(path, None).keys() == {"b-10", "c"}
    assert [file.name for file in tmp_path.iterdir()] == [TABLE]


def test_a_name_that_begins_like_a_formula_stays_the_same(tmp_path):
    path = tmp_path / TABLE
    for _ in range(2):
        write(path, [line("=b", image="-1.nii", finding1_x_mm=-3.0)])
        write(path, [line("a")])
    assert inputs(path, None).keys() == {"a", "=b"}
    assert f"\n'=b,'-1.nii{',' * 11}-3.0," in path.read_text()


def test_another_file_of_this_name_is_not_replaced(tmp_path):
    path = tmp_path / TABLE
    path.write_text("subject,ap\nanna,0.5\n")
    for call in (lambda: write(path, [line("a")]), lambda: inputs(path, None)):
        with pytest.raises(HarnessError, match=r"maps\.csv: no column 'name'.*; remove it, and score its scans again"):
            call()
    assert path.read_text() == "subject,ap\nanna,0.5\n"


def test_the_page_describes_every_column(root):
    page = (root / "docs" / "own-scans.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", page.split("## The table of scans\n")[1], flags=re.M)[0]
    described = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.M))
    assert described == SCAN | {f"finding1_{key}": text for key, text in FINDING.items()}


@pytest.mark.parametrize(
    ("volume", "said"),
    [(0.0123, "0.012 ml"), (0.0, "0.0 ml"), (0.97, "0.97 ml"), (1.25, "1.2 ml"), (123.4, "123.4 ml")],
)
def test_small_volumes_are_said_with_two_digits(volume, said):
    assert (
        map_table.found({"threshold": 0.511, "findings": 1, "volume_ml": volume})
        == f"1 finding, {said} at or above 0.511"
    )
