"""Quality control of a cohort: table and page of registered folders that the tests write by hand."""

import base64
import csv
import io
import math
import xml.etree.ElementTree as ET
from dataclasses import asdict, replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw
from scipy import ndimage

from tests.commands import call
from uadbench.core.archive import PICTURES
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json, sha256, write_json
from uadbench.data.grid import Grid
from uadbench.data.index import sheet
from uadbench.data.index.layout import Files
from uadbench.data.label_values import LabelValues
from uadbench.data.preprocessing.records import previews
from uadbench.data.preprocessing.records.report import Outcome, write_report
from uadbench.data.preprocessing.registration import template
from uadbench.data.preprocessing.settings import Preprocessing
from uadbench.data.quality import cohort, montage, outlines, page, rules
from uadbench.data.quality.cohort import Subject
from uadbench.study.config import DataSet

VOXEL_ML = 0.064  # of 4 mm


def ball(grid: Grid, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> np.ndarray:
    points = np.indices(grid.shape).reshape(3, -1).T * grid.spacing + grid.affine[:3, 3]
    inside = (((points - np.array(centre)) / np.array(radii)) ** 2).sum(axis=1) < 1
    return np.asarray(inside.reshape(grid.shape))


@pytest.fixture(scope="module")
def brain_template(tmp_path_factory) -> Path:
    """A template whose brain is an ellipsoid."""
    path = tmp_path_factory.mktemp("template") / "template.nii.gz"
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = (-94, -110, -94)
    inside = ball(Grid((48, 56, 48), affine), (0, 0, 0), (70, 85, 65))
    nibabel.save(nibabel.Nifti1Image(inside.astype(np.float32), affine), path)
    return path


def put(folder: Path, name: str, data: np.ndarray, affine: np.ndarray, record: dict) -> None:
    """Write a registered volume, and its checksum in the record."""
    nibabel.save(nibabel.Nifti1Image(data, affine), folder / f"{name}.nii.gz")
    record["volumes"][name] = sha256(folder / f"{name}.nii.gz")
    write_json(folder / "subject.json", record)


def registered(folder: Path, chosen: Preprocessing, seed: int, *, t2: bool, lesion_ml: float) -> None:
    """A registered subject whose brain is the template's, with a lesion of 6 x 5 x 4 voxels off the middle."""
    folder.mkdir(parents=True)
    grid = template.load(chosen.template).packed(chosen)
    rng = np.random.default_rng(seed)
    inside = ball(grid, (0, 0, 0), (70, 85, 65))
    texture = ndimage.gaussian_filter(rng.standard_normal(grid.shape), 1.5)
    texture = np.clip(0.5 + texture, 0.01, 1)
    volumes = {"brain": inside.astype(np.uint8), "t1": np.where(inside, texture, 0).astype(np.float32)}
    if t2:
        volumes["t2"] = np.where(inside, 1.01 - texture, 0).astype(np.float32)
    record = {
        "subject": folder.name,
        "settings": asdict(chosen),
        "brain_ml": round(float(inside.sum()) * VOXEL_ML / 1.25, 1),
        "similarity": {"t1": 1.2 + 0.001 * seed, **({"t2": 1.1} if t2 else {})},
        "template_to_scan": {"t1": np.diag([0.8, 1, 1, 1]).tolist(), **({"t2": np.eye(4).tolist()} if t2 else {})},
        **{"lost": [], "volumes": {}},
        "lesion_ml": lesion_ml,
        "expansion": 1.25,
    }
    volumes["mask"] = np.zeros(grid.shape, np.uint8)
    volumes["mask"][8:14, 28:33, 20:24] = 2
    for name, data in volumes.items():
        put(folder, name, data, grid.affine, record)
    places, grey = previews.middle(inside), (volumes["t1"] * 255).astype(np.uint8)
    planes = {name: grey.take(places[axis], axis).T for name, axis in previews.PLANES.items()}
    outlines = {f"brain_{name}": inside.take(places[axis], axis).T for name, axis in previews.PLANES.items()}
    PICTURES.save(folder / "before.npz", {**planes, **outlines})
    write_json(folder / "subject.json", record)


STATUSES = ("done", "partial", "lost", "done")
LOST = Outcome("c", "lost", "c/t1.nii", "cannot be read (EOFError: ended at 3 < 5 & more)")
OUTCOMES = [
    Outcome("a", "done"),
    Outcome("b", "partial", "b/t2.nii", "every voxel is 0"),
    LOST,
    Outcome("d", "done", "d/mask.nii", "something to know"),
]


def made(folder: Path, names: str, chosen: Preprocessing, **lesions: float) -> tuple[sheet.Sheet, Path]:
    rows = [(Files(name, *(Path(name, f"{kind}.nii") for kind in ("t1", "t2", "mask"))), "test") for name in names]
    (folder / "raw").mkdir()
    written = sheet.write(folder / "subjects.csv", folder / "raw", rows)
    for seed, (name, lesion_ml) in enumerate(lesions.items()):
        registered(folder / "registered" / name, chosen, seed, t2=name != "b", lesion_ml=lesion_ml)
    return written, folder / "registered"


@pytest.fixture
def chosen(brain_template) -> Preprocessing:
    return Preprocessing(template=str(brain_template), spacing=4.0)


@pytest.fixture
def four(tmp_path, chosen) -> tuple[sheet.Sheet, Path]:
    """Subject a whole, b without T2, c lost, d with a lesion that resampling enlarged by a tenth."""
    return made(tmp_path, "abcd", chosen, a=6.0, b=6.0, d=5.5)


def table(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return {row["subject"]: row for row in csv.DictReader(stream)}


def elements(path: Path, name: str) -> list[ET.Element]:
    return list(ET.fromstring(path.read_text(encoding="utf-8")).iter(name))


def closed_lines(path: str) -> list[list[tuple[int, int]]]:
    """Corners of the closed lines of an outline's path data."""
    lines = []
    for part in path.split("z")[:-1]:
        start, *steps = [tuple(map(int, step.split())) for step in part.removeprefix("M").split("l")]
        lines.append([(int(x), int(y)) for x, y in np.cumsum([start, *steps, (0, 0)], axis=0)])
        lines[-1][-1] = lines[-1][0]
    return lines


def text(path: Path) -> str:
    return " ".join("".join(ET.fromstring(path.read_text(encoding="utf-8")).itertext()).split())


def test_the_command_writes_a_table_and_a_page(four, tmp_path):
    written, folder = four
    for number, outcomes in enumerate((OUTCOMES[:2], OUTCOMES[2:])):
        write_report(tmp_path / f"{number}.csv", outcomes)
    options = ["--dataset", "mine", "--sheet", written.path, "--registered", folder, "--threads", "2"]
    reports = [tmp_path / f"{number}.csv" for number in (0, 1)]
    result = call("quality", *options, "--out", tmp_path / "out", "--reports", *reports)
    assert "mine: 2 used, 1 partly lost, 1 lost, 1 flagged" in result.output
    rows = table(tmp_path / "out" / "quality.csv")
    assert {name: row["status"] for name, row in rows.items()} == dict(zip("abcd", STATUSES, strict=True))
    assert (rows["c"]["file"], rows["c"]["reason"]) == (LOST.file, LOST.reason)
    assert (rows["b"]["file"], rows["b"]["reason"]) == ("b/t2.nii", "every voxel is 0")
    assert rows["d"]["reason"] == "something to know"
    assert not any(rows["c"][key] for key in rules.BY_KEY)
    assert rows["b"]["nmi_reference_t2"] == rows["b"]["nmi_t1_t2"] == rows["b"]["histogram_t2"] == ""
    articles = elements(tmp_path / "out" / "quality.html", "article")
    assert [article.get("id") for article in articles] == list("abcd")


def test_label_values_are_on_the_page(four):
    written, folder = four
    found = cohort.build("mine", written, folder, OUTCOMES)
    (count,) = found.label_voxels.values()
    assert page._labels(found) == f"2 ({count} voxels)"
    with pytest.raises(HarnessError, match="mine: no label holds 4, but 2 "):
        page._labels(replace(found, labelled=LabelValues((2, 4))))
    left = replace(found, labelled=LabelValues((1,)), subjects=[replace(found.subjects[0], labels={1: 5, 2: 7})])
    assert page._labels(left) == (
        "1 (5 voxels), 2 (7 voxels); labels also hold 2 (7 voxels): neither lesion nor ignored, they count as healthy"
    )


def test_measures_of_a_subject_by_hand(four):
    written, folder = four
    found = {subject.name: subject for subject in cohort.build("mine", written, folder, OUTCOMES).subjects}
    values = found["a"].values
    assert values["lesion_ml"] == 6.0
    assert values["lesion_packed_ml"] == pytest.approx(120 * VOXEL_ML)
    assert values["lesion_voxels"] == pytest.approx(6.0 * 1.25 / VOXEL_ML)
    assert values["lesion_change"] == pytest.approx(2.4)
    assert values["lesion_outside"] == 0
    assert values["brain_change"] == pytest.approx(0, abs=0.01)
    assert values["overlap"] > 0.99
    assert values["border_cm2"] == 0
    assert values["nmi_reference_t1"] == 1.2
    assert values["nmi_t1_t2"] > 1.8  # one image is the other's negative
    assert values["alignment"] > 10
    assert found["d"].values["lesion_change"] == pytest.approx(100 * (7.68 / 1.25 / 5.5 - 1))
    assert [(flag.key, flag.side) for flag in found["d"].flags] == [("lesion_change", "high")]
    assert not found["a"].flags
    assert not found["c"].values


def test_lesions_outside_of_the_brain_are_counted(tmp_path, chosen):
    written, folder = made(tmp_path, "a", chosen, a=6.0)
    grid = template.load(chosen.template).packed(chosen)
    mask = np.zeros(grid.shape, np.uint8)
    middle = grid.shape[1] // 2, grid.shape[2] // 2
    mask[0, middle[0], middle[1]] = 1  # the margin of the grid, outside of every brain
    mask[10:13, middle[0], middle[1]] = 1
    put(folder / "a", "mask", mask, grid.affine, read_json(folder / "a" / "subject.json"))
    found = cohort.build("mine", written, folder, [Outcome("a", "done")]).subjects[0]
    assert found.values["lesion_outside"] == 25
    assert "lesion_outside" in found.flagged


def test_the_page_stands_alone_and_is_well_formed(four, tmp_path):
    written, folder = four
    page.write(cohort.build("mine", written, folder, OUTCOMES), tmp_path / "quality.html")
    text = (tmp_path / "quality.html").read_text(encoding="utf-8")
    tree = ET.fromstring(text)
    links = [e.get(key) for e in tree.iter() for key in ("src", "href") if e.get(key)]
    assert links
    assert all(link.startswith(("#", "data:image/jpeg;base64,")) for link in links)
    assert "@import" not in text
    assert "url(" not in text
    articles = {article.get("id"): article for article in tree.iter("article")}
    shown = {name: [image.get("alt") for image in article.iter("img")] for name, article in articles.items()}
    lesion = "packed, where the lesion is largest"
    assert shown["a"] == ["T1 as it came", "T1 packed", "T2 packed", f"T1 {lesion}", f"T2 {lesion}"]
    assert shown["b"] == ["T1 as it came", "T1 packed", f"T1 {lesion}"]
    assert shown["c"] == []
    assert all(not image.get("loading") for image in tree.iter("img"))  # a lazy one would be black on paper
    assert all(chart.get("aria-label") for chart in tree.iter("svg") if chart.get("role") == "img")
    assert len(list(tree.iter("main"))) == 1
    assert LOST.reason in "".join(articles["c"].itertext())
    lost = next(element for element in tree.iter("table") if element.get("class") == "lost")
    assert [[cell.text for cell in row] for row in lost[1:]] == [
        ["b", "test", "partly lost", "b/t2.nii", "every voxel is 0"],
        ["c", "test", "lost", LOST.file, LOST.reason],
    ]
    assert ["".join(element.itertext()) for element in tree.iter("details")] == ["1 subject: something to knowd"]
    assert "nan" not in text.lower().split()


def displayed(picture: montage.Picture) -> np.ndarray:
    """The picture as a browser draws it, with its outlines, RGB uint8 (rows, columns, 3)."""
    image = Image.open(io.BytesIO(picture.jpeg)).convert("RGB")
    assert image.size == picture.size
    for name, colour in (("brain", montage.BRAIN), ("lesion", montage.LESION)):
        for line in closed_lines(picture.outlines.get(name, "")):
            ImageDraw.Draw(image).line([(x / outlines.UNITS, y / outlines.UNITS) for x, y in line], fill=colour)
    return np.asarray(image)


def test_pictures_show_brain_and_lesion(four):
    written, folder = four
    pictures = cohort.build("mine", written, folder, OUTCOMES).subjects[0].pictures
    for caption, picture in pictures.items():
        rgb = displayed(picture).astype(int)
        assert min(rgb.shape[:2]) > 50
        blue, orange = (np.abs(rgb - colour).max(axis=2) < 60 for colour in (montage.BRAIN, montage.LESION))
        assert blue.sum() > 300, caption
        assert (orange.sum() > 20) == ("lesion" in caption), caption
        assert len(base64.b64encode(picture.jpeg)) < 16_000


def test_exclusion_is_config_that_leaves_the_flagged_out(four):
    written, folder = four
    lines = yaml.safe_load(page.exclusion(cohort.build("mine", written, folder, OUTCOMES)))
    assert lines == {"datasets": {"mine": {"exclude": ["d"]}}}
    assert DataSet(layout="brats", root="raw", **lines["datasets"]["mine"]).exclude == ["d"]


def test_what_is_flagged_in_most_subjects_excludes_nobody(tmp_path):
    """Voxels too coarse for the lesions are no fault of the subjects."""
    usual = {"lesion_voxels": 500.0, "lesion_change": -9.0, "lesion_outside": 0.0}
    subjects = [Subject(name, "test", "done", values=usual) for name in "abc"]
    subjects.append(Subject("d", "test", "done", values={**usual, "lesion_outside": 40.0}))
    found = cohort.compared("mine", False, {}, subjects)
    assert found.common == ["lesion_change"]
    assert cohort.compared("mine", False, {}, subjects[2:]).common == []  # two tell nothing of the settings
    assert yaml.safe_load(page.exclusion(found))["datasets"]["mine"]["exclude"] == ["d"]
    page.write(found, tmp_path / "some.html")
    assert "Flagged in more than half of the subjects: Lesion volume change." in text(tmp_path / "some.html")
    page.write(cohort.compared("mine", False, {}, subjects[:3]), tmp_path / "none.html")
    assert "exclude: [" not in text(tmp_path / "none.html")


def test_names_that_yaml_takes_for_something_else_are_quoted():
    odd = Subject("1e3", "test", "done", values={"brain_ml": 3000.0})
    found = cohort.compared("mine", False, {}, [odd, Subject("no", "test", "done", values={"brain_ml": 100.0})])
    assert yaml.safe_load(page.exclusion(found))["datasets"]["mine"]["exclude"] == ["1e3", "no"]


def test_two_subjects_make_a_page(tmp_path, chosen):
    written, folder = made(tmp_path, "ab", chosen, a=6.0, b=6.1)
    found = cohort.build("two", written, folder, [Outcome("a", "done"), Outcome("b", "done")])
    assert [subject.flags for subject in found.subjects] == [[], []]
    assert all(math.isfinite(value) for subject in found.subjects for value in subject.values.values())
    mean = (found.subjects[0].histograms["t1"] + found.subjects[1].histograms["t1"]) / 2
    np.testing.assert_allclose(found.means["t1"], mean)
    assert page.exclusion(found) == ""
    page.write(found, tmp_path / "quality.html")
    assert len(elements(tmp_path / "quality.html", "article")) == 2


def test_a_cohort_that_is_lost_makes_a_page(tmp_path, chosen):
    written, folder = made(tmp_path, "c", chosen)
    found = cohort.build("gone", written, folder, [LOST])
    page.write(found, tmp_path / "quality.html")
    cohort.write(found, tmp_path / "quality.csv")
    assert table(tmp_path / "quality.csv")["c"]["reason"] == LOST.reason
    assert len(elements(tmp_path / "quality.html", "article")) == 1


def test_a_simulated_cohort_says_so(four, tmp_path):
    written, folder = four
    page.write(cohort.build("mine", written, folder, OUTCOMES), tmp_path / "real.html")
    (tmp_path / "raw" / "SIMULATED").touch()
    page.write(cohort.build("mine", written, folder, OUTCOMES), tmp_path / "simulated.html")
    assert "are simulated" in (tmp_path / "simulated.html").read_text()
    assert "are simulated" not in (tmp_path / "real.html").read_text()


@pytest.mark.parametrize("mistake", ["unreported", "missing", "settings", "old settings", "grid"])
def test_what_does_not_fit_together_is_told_in_one_line(four, mistake):
    written, folder = four
    outcomes = list(OUTCOMES)
    if mistake == "unreported":
        outcomes.pop(0)
    elif mistake == "missing":
        (folder / "a" / "subject.json").unlink()
    elif mistake == "settings":
        record = folder / "a" / "subject.json"
        record.write_text(record.read_text().replace('"p98"', '"max"'))
    elif mistake == "old settings":
        for record in folder.glob("*/subject.json"):
            record.write_text(record.read_text().replace('"labels"', '"label_rule"'))
    else:
        record = read_json(folder / "a" / "subject.json")
        put(folder / "a", "brain", np.ones((3, 3, 3), np.uint8), np.eye(4), record)
    with pytest.raises(HarnessError, match="preprocess") as caught:
        cohort.build("mine", written, folder, outcomes)
    assert "\n" not in str(caught.value)
