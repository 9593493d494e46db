"""The report's section of example subjects: all methods that kept volumes, small, and linked in a browser."""

import base64
import gzip
import json
import re
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.viewer.browser import NAMELESS, needed, visit
from uadbench.core.errors import HarnessError
from uadbench.core.study_folder import VOLUMES
from uadbench.evaluation.detection.findings import Calibration
from uadbench.evaluation.inference.collecting import ScoredSubject
from uadbench.evaluation.inference.examples import VolumeCollector
from uadbench.evaluation.protocols.protocols import Truth
from uadbench.report import examples, page

AFFINE = np.diag([4.0, 4, 4, 1])
SIDES = (14, 18, 16)  # D, H, W
RATES = np.array([0.05, 0.01])
THRESHOLDS = {"disyre": [0.2, 0.5], "dae": [20.0, 50.0]}


def keep(folder: Path, method: str, subject: str = "atlas-3") -> None:
    """Write the volumes of a brain with a cube of score 0.8 times the method's unit; 0.1 elsewhere."""
    brain = np.zeros(SIDES, bool)
    brain[2:-2, 2:-2, 2:-2] = True
    cube = np.zeros(SIDES, bool)
    cube[5:9, 6:10, 4:8] = True
    unit = THRESHOLDS[method][1] * 2
    image, score = np.where(cube, 1.0, 0.4) * brain, np.where(cube, 0.8, 0.1) * brain * unit
    calibration = Calibration(RATES, np.array(THRESHOLDS[method]), (), np.zeros(0))
    collector = VolumeCollector(subject, AFFINE, True, calibration)
    collector.add(ScoredSubject(Truth(subject, cube, brain, (4, 4, 4)), {"final": score}, image))
    collector.save(path(folder, method).parent, {})


def path(folder: Path, method: str, task: str = "ATLAS") -> Path:
    return folder / "evaluation" / method / task / "seed-1" / VOLUMES


@pytest.fixture
def kept(study):
    """The study, with volumes of two methods on one task; the third has results without volumes."""
    for method in THRESHOLDS:
        keep(study.path, method)
    path(study.path, "random").parent.mkdir(parents=True)
    return study


def written(study) -> str:
    page.write(study, study.path / "report.html")
    return (study.path / "report.html").read_text(encoding="utf-8")


def test_older_results_without_volumes_are_reported(study):
    text = written(study)
    assert "Example subjects" not in text
    assert "niivue" not in text


def test_the_section_holds_the_maps_of_all_methods(kept):
    text = written(kept)
    assert 'href="#examples"' in text
    facts = json.loads(re.search(r'id="ex-facts">(.*?)</script>', text)[1])
    (task,) = facts["tasks"]
    assert facts["rates"] == RATES.tolist()
    assert [(m["title"], m["thresholds"]) for m in task["methods"]] == [
        ("DISYRE", THRESHOLDS["disyre"]),
        ("DAE", THRESHOLDS["dae"]),
    ]
    content = re.search(rf'id="{task["methods"][1]["id"]}">(.*?)</script>', text)[1]
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(content)))
    assert image.get_fdata().max() == pytest.approx(80)
    np.testing.assert_allclose(image.affine, AFFINE)
    assert "Without volumes, scored before they were kept: Random on ATLAS." in text
    assert "The subjects are simulated" in text
    assert "ATLAS: atlas-3, T1-weighted" in text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', text)


def test_maps_of_another_scan_are_not_shown_beside(kept):
    keep(kept.path, "dae", "atlas-4")
    section = examples.section(kept)
    assert list(section.tasks[0].examples) == ["disyre"]
    assert "DAE on ATLAS" in section.missing


def test_large_volumes_are_thinned_until_they_fit(kept, monkeypatch):
    whole = examples.section(kept)
    assert whole.coarse == ""
    size = sum(len(content) for _, content in whole.volumes)
    monkeypatch.setattr(examples, "BUDGET", size - 1)
    fitting = examples.section(kept)
    assert sum(len(content) for _, content in fitting.volumes) < size
    assert fitting.coarse == "4 × 4 × 8"


def test_a_damaged_file_is_named(kept):
    path(kept.path, "dae").write_bytes(b"")
    with pytest.raises(HarnessError, match=r"volumes\.npz: not a whole file of example volumes"):
        written(kept)


ALONE = "<style>main > *:not(#examples-viewer) { display: none; }</style></head>"


@pytest.fixture
def alone(kept, tmp_path_factory) -> Path:
    """The report with this section alone in view, so that its viewer starts."""
    target = tmp_path_factory.mktemp("report") / "report.html"
    target.write_text(written(kept).replace("</head>", ALONE, 1), encoding="utf-8")
    return target


@needed
def test_panels_show_every_method_at_one_threshold(alone):
    seen = visit(alone, size=(1400, 1200))
    assert (seen.console, seen.requests) == ([], [])
    r, _, b = seen.picture.astype(int).transpose(2, 0, 1)
    coloured = (r - b > 60)[700:]  # the panels, below the planes
    assert coloured.sum() > 3000
    columns = np.flatnonzero(coloured.sum(0) > 20)
    assert (np.diff(columns) > 40).sum() == 1  # two methods, and the scan has no colour


@needed
def test_a_click_moves_the_crosshair_of_all(alone):
    act = """
    const panels = () => [...document.querySelectorAll("#ex-panels .panel")];
    const notes = () => panels().map((panel) => panel.children[2].textContent.replace("\\n", " "));
    const states = [notes()];
    const canvas = panels()[2].children[0], box = canvas.getBoundingClientRect();
    const place = { clientX: box.left + 0.9 * box.width, clientY: box.top + 2 };
    canvas.dispatchEvent(new MouseEvent("click", { bubbles: true, ...place }));
    await new Promise((done) => setTimeout(done, 1000));
    const { mm, planes } = uadComparison;
    const there = planes.viewer.frac2mm(planes.viewer.scene.crosshairPos);
    const off = Math.hypot(...mm.map((value, k) => value - there[k]));
    const kind = document.getElementById("ex-kind");
    states.push(notes(), [document.getElementById("ex-method").selectedOptions[0].textContent, off < 2]);
    kind.value = "brain";
    kind.dispatchEvent(new Event("change"));
    return [...states, notes()];
    """
    found = visit(alone, act, size=(1400, 1200))
    assert found.console == []
    before, after, planes, brain = found.value
    # The cube is 64 of 10 x 14 x 12 voxels of brain; 1 % of this brain are 16 voxels, fewer than the cube has.
    assert before == [
        "grey value 1 at the crosshair",
        "3.81 % reach 0.5 at the crosshair 0.8",
        "3.81 % reach 50 at the crosshair 80",
    ]
    assert after == [
        "grey value 0 at the crosshair",
        "3.81 % reach 0.5 at the crosshair 0",
        "3.81 % reach 50 at the crosshair 0",
    ]
    assert planes == ["DAE", True]
    assert [note.partition(" reach")[0] for note in brain[1:]] == ["0 %", "0 %"]


@needed
def test_a_report_fits_and_its_parts_have_names(kept, tmp_path):
    """On a screen no table of results is cut off, nor is the page on a phone; the viewer is left waiting."""
    path = tmp_path / "report.html"
    path.write_text(written(kept).replace("<body>", '<body data-ready="yes">', 1), encoding="utf-8")
    boxes = "document.querySelectorAll('.paper-table, .bar, .scroll:has(.stacked)')"
    wide = f"[...{boxes}].filter((e) => e.scrollWidth > e.clientWidth + 1).length"
    act = f"return [({NAMELESS.read_text(encoding='utf-8')})(), {wide}, document.documentElement.scrollWidth];"
    assert visit(path, act, size=(1280, 900)).value == [[], 0, 1280]
    assert visit(path, act, size=(420, 900)).value == [[], 0, 420]


def test_stills_show_every_map_in_the_middle_of_the_lesion(kept):
    (still,) = examples.section(kept).stills
    assert still.title == "ATLAS: atlas-3, T1-weighted, axial slice at 20 mm"  # the first of four equal slices
    assert [words for words, _ in still.pictures] == [
        "Scan",
        "DISYRE: above 0.5, which 1 % of healthy subjects' voxels reach",
        "DAE: above 50, which 1 % of healthy subjects' voxels reach",
    ]
