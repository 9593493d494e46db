"""Infarcts painted into scans: where they are, how they look, and the data set that they make."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.commands import call, fails
from tests.data.conftest import NATIVE, POSE, mni, nifti, scanned
from uadbench.core import csv_files
from uadbench.core.study_folder import MANIFEST, SIMULATED
from uadbench.data.index import layout, sheet
from uadbench.data.index.layout import Files
from uadbench.data.preprocessing.reading.scan import Scan
from uadbench.data.preprocessing.registration.registration import Located, locate
from uadbench.simulation import painting
from uadbench.simulation.subjects import SubjectStreams


@pytest.fixture(scope="module")
def scan() -> Scan:
    """An extracted brain."""
    image, mask = (scanned(data, mni().affine, POSE, NATIVE) for data in (mni().image, mni().mask))
    return Scan(Path("scan.nii.gz"), np.where(mask > 0.5, image * 800, 0).astype(np.float32), NATIVE.affine)


@pytest.fixture(scope="module")
def place(scan) -> Located:
    return locate(scan, mni(), painting.PLACING)


def painted(scan, place, name: str = "a") -> painting.Painted:
    return painting.paint(scan, place, SubjectStreams(1, "painted", name))


def test_the_levels_are_those_of_the_three_tissues():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(mean, 10, size) for mean, size in ((200, 800), (500, 3000), (800, 2500))])
    np.testing.assert_allclose(painting.levels(values.astype(np.float32)), (200, 500, 800), atol=8)


def test_a_tissue_lies_between_fluid_and_grey_matter_as_its_signal_does():
    signals = {"fluid": 1.0, "gliosis": 2.5, "grey": 3.0, "air": -4.0}
    assert painting.level(signals, "gliosis", 200, 600) == pytest.approx(500)
    assert painting.level(signals, "air", 200, 600) == 0


def test_a_lesion_has_its_volume_and_is_where_the_template_says(scan, place):
    found = painted(scan, place)
    assert found.mask.sum() * scan.grid.voxel_ml == pytest.approx(found.stroke.volume, rel=0.1)
    voxels = np.argwhere(found.mask)
    points = np.linalg.inv(place.matrix) @ scan.affine @ np.append(voxels.mean(axis=0), 1)
    assert np.linalg.norm(points[:3] - found.stroke.centre) < 15
    side = (np.linalg.inv(place.matrix) @ scan.affine @ np.c_[voxels, np.ones(len(voxels))].T)[0]
    assert (side * found.stroke.centre[0] > 0).all()


def test_a_lesion_is_dark_and_the_rest_of_the_scan_is_as_it_was(scan, place):
    found, values = painted(scan, place), scan.data
    changed = found.image != values
    assert changed[found.mask > 0].all()
    assert changed.sum() < 4 * found.mask.sum() + 500  # partial volume at its edge
    fluid, grey, _ = painting.levels(values[values > 0])
    inside = found.image[found.mask > 0]
    assert fluid - 60 < np.median(inside) < grey
    assert not found.image[values == 0].any()


@pytest.fixture
def listed(scan, tmp_path) -> Path:
    """A sheet with a training and a held-out subject."""
    (tmp_path / "raw").mkdir()
    rows = []
    for name, part in (("anna", "train"), ("bert", "validation")):
        nifti(tmp_path / "raw" / f"{name}.nii.gz", scan.data, scan.affine)
        rows.append((Files(name, Path(f"{name}.nii.gz")), part))
    sheet.write(tmp_path / "subjects.csv", tmp_path / "raw", rows)
    return tmp_path / "subjects.csv"


def test_the_folder_is_a_data_set_of_the_held_out_alone(listed, tmp_path):
    for name in ("one", "two"):
        call("paint", "--sheet", listed, "--each", 2, "--out", tmp_path / name)
    out = tmp_path / "one"
    found = layout.load("sheet").subjects(out / "painted.csv")
    assert [(files.subject, files.patient) for files in found] == [("bert-1", "bert"), ("bert-2", "bert")]
    assert (out / SIMULATED).is_file()
    truth = {row["subject"]: row for row in csv_files.read(out / MANIFEST, painting.TRUTH, "")}
    for files in found:
        mask = nibabel.load(out / files.mask)
        assert np.asarray(mask.dataobj).sum() * np.prod(mask.header.get_zooms()) / 1000 == pytest.approx(
            float(truth[files.subject]["ml"]), abs=0.01
        )
        assert (out / files.t1).read_bytes() == (tmp_path / "two" / files.t1).read_bytes()
    assert (out / found[0].mask).read_bytes() != (out / found[1].mask).read_bytes()


def test_what_cannot_be_painted_into(listed, tmp_path):
    assert "no subject of test with a T1" in fails(
        "paint", "--sheet", listed, "--split", "test", "--out", tmp_path / "x"
    )
    assert "name a new folder" in fails("paint", "--sheet", listed, "--out", tmp_path / "raw")
    (tmp_path / "raw" / "bert.nii.gz").write_bytes(b"no scan")
    assert "bert.nii.gz" in fails("paint", "--sheet", listed, "--out", tmp_path / "x")
