"""The run that comes with the package: it scores without a network, says what it is, and takes T1-weighted scans."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import nibabel
import numpy as np
import pytest

import uadbench
from tests.commands import ROOT, call, fails
from tests.data.conftest import HEAD_AFFINE, NATIVE, POSE, head, nifti, scanned
from uadbench.core.files import read_json
from uadbench.core.study_folder import HISTORY, RUN, WEIGHTS
from uadbench.data.index import layout
from uadbench.data.preprocessing.reading.scan import read_labels, read_scan
from uadbench.sharing import shipped
from uadbench.sharing.contents import CARD, HEALTHY, check_method
from uadbench.training.record import record

ABOUT = read_json(shipped.FOLDER / RUN)


def values(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj)


@pytest.fixture(scope="module")
def heads(tmp_path_factory) -> Path:
    """Simulated whole heads: a T1-weighted one with a dark spot, and a T2-weighted one."""
    folder = tmp_path_factory.mktemp("heads")
    for name, t2 in (("t1", False), ("t2", True)):
        image = scanned(head(t2), HEAD_AFFINE, POSE, NATIVE)
        if name == "t1":
            middle = np.linalg.inv(NATIVE.affine) @ POSE @ (30, -20, 25, 1)
            spot = np.linalg.norm(np.indices(NATIVE.shape).T - middle[:3], axis=-1).T * 3.5 < 12
            nifti(folder / "spot.nii.gz", spot.astype(np.uint8), NATIVE.affine)
            image = np.where(spot, 25, image)
        nifti(folder / f"{name}.nii.gz", image.astype(np.float32), NATIVE.affine)
    return folder


@pytest.fixture
def offline(monkeypatch) -> None:
    """A process that must not connect to anything."""

    def connect(*arguments):
        raise AssertionError("a connection was tried")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, connect)


def test_it_is_small_and_of_this_version():
    about = record(shipped.FOLDER)
    check_method(about, "the package")
    weights = [shipped.FOLDER / WEIGHTS / name for name in about["weights"]]
    assert sum(path.stat().st_size for path in weights) < 2**20
    assert {path.relative_to(shipped.FOLDER).as_posix() for path in shipped.FOLDER.rglob("*") if path.is_file()} == {
        *(CARD, RUN, shipped.MEASURED),
        *(f"{WEIGHTS}/{name}" for name in about["weights"]),
    }
    assert about["modality"] == "t1"
    assert not about["simulated"]
    assert HISTORY not in {path.name for path in shipped.FOLDER.iterdir()}


def test_a_head_is_scored_without_a_run_and_without_a_network(heads, offline, tmp_path):
    threshold = ABOUT["thresholds"][HEALTHY]
    out = tmp_path / "map.nii.gz"
    done = call("score", "--image", heads / "t1.nii.gz", "--out", out, "--threshold", threshold, "--device", "cpu")
    assert done.stderr.strip().splitlines()[0] == shipped.notice()
    places = ("map.nii.gz", "brain/map.nii.gz", "masks/map.nii.gz", "map.json")
    assert done.stdout.splitlines() == [str(tmp_path / place) for place in places]
    found, spot = values(out), values(heads / "spot.nii.gz") > 0
    assert found.shape == NATIVE.shape
    assert np.median(found[spot]) > 3 * np.median(found[(found > 0) & ~spot])
    inside = values(tmp_path / "brain" / "map.nii.gz") > 0
    assert (((found >= threshold) & inside) == (values(tmp_path / "masks" / "map.nii.gz") > 0)).all()
    named = tmp_path / "named.nii.gz"
    done = call("score", "--run", shipped.FOLDER, "--image", heads / "t1.nii.gz", "--out", named, "--device", "cpu")
    assert "the run that comes" not in done.stderr
    assert np.array_equal(values(named), found)
    loaded = uadbench.load(device="cpu")
    assert loaded.about["notice"] == shipped.notice()
    assert np.array_equal(np.asarray(loaded.score(heads / "t1.nii.gz").dataobj), found)


def test_the_line_says_what_it_is_and_what_not():
    said, measured = shipped.notice(), read_json(shipped.FOLDER / shipped.MEASURED)
    assert "\n" not in said
    assert re.search(r"DISYRE trained on T1-weighted scans of \d\d people .*ds002748.*CC0", said)
    assert "no medical device, and not made for your scanner" in said
    assert f"threshold is {ABOUT['thresholds']['0.001']:.3g};" in said
    for group in measured["healthy"]:
        middle, low, high = group["ml"]["0.001"]
        assert f"{middle:.1f} ml ({low:.1f} to {high:.1f}) with {group['scanner']}" in said


def test_a_run_that_was_not_measured_says_so(monkeypatch):
    """As between the training of a new one and its measurement."""
    monkeypatch.setattr(shipped, "MEASURED", "absent.json")
    assert "in healthy brains as yet unmeasured volumes" in shipped.notice()


def test_another_contrast_is_refused(heads, tmp_path):
    said = fails("score", "--image", heads / "t2.nii.gz", "--out", tmp_path / "map.nii.gz", "--device", "cpu")
    assert "is given as T1 but looks T2-weighted" in said
    given = ["--t1", heads / "t1.nii.gz", "--out", tmp_path / "map.nii.gz"]
    assert "scores T1-weighted scans alone" in fails("score", "--image", heads / "t2.nii.gz", *given)
    assert not list(tmp_path.iterdir())


def test_the_card_says_where_the_run_is_from():
    text = (shipped.FOLDER / CARD).read_text(encoding="utf-8")
    assert text.startswith("---\nlicense: cc0-1.0\n")
    facts = (
        "OpenNeuro ds002748",
        "Licence of the data: CC0",
        "19 to 55 years",
        "28 f, 11 m",
        "| device |",
        "| steps |",
    )
    for fact in facts:
        assert fact in text, fact
    assert "held out for validation" in text
    assert "not a medical device" in text
    for rate, value in ABOUT["thresholds"].items():
        assert f"| {float(rate) * 100:g} % | {value:.4g} |" in text


def test_measurements_in_documents_are_those_of_the_file():
    from benchmarks.packaged import section, tables

    measured = read_json(shipped.FOLDER / shipped.MEASURED)
    assert (shipped.FOLDER / CARD).read_text(encoding="utf-8").endswith(section(measured))
    page = (ROOT / "docs" / "own-scans.md").read_text(encoding="utf-8")
    assert tables(measured) in page
    assert f"`--threshold {ABOUT['thresholds'][HEALTHY]:.3g}`" in page
    assert f"trained on {ABOUT['subjects']} adults" in page


def test_a_painted_stroke_of_a_real_brain_is_found(mri_mini):
    """One scan, since the benchmark measures all of them."""
    root = mri_mini / "atlas"
    files = layout.load("atlas").subjects(root)[0]
    found = np.asarray(uadbench.load(device="cpu").score(root / files.t1).dataobj)
    label = read_labels(root / files.mask, read_scan(root / files.t1)).data
    assert uadbench.evaluate([found], [label], [found > 0])["ap"] > 10 * label.mean()
