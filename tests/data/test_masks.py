"""Masks on the voxels of the T1, the T2, or a further scan end up in the same place; labels by UPD_study's rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.data.conftest import FAST, NATIVE, POSE, dice, mni, nifti, posed, scanned
from uadbench.data.grid import Grid
from uadbench.data.index import sheet
from uadbench.data.index.layout import Files
from uadbench.data.preprocessing import preprocess
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.records.report import Outcome
from uadbench.data.preprocessing.settings import settings

#: where the T2 and the FLAIR have the head, and their voxels: thick slices, other axes and sizes
SHIFTS = {"t1": np.eye(4), "t2": posed(4, -3, (6, -5, 8), 1.0), "flair": posed(-5, 2, (-7, 6, 4), 1.0)}
GRIDS = {
    "t1": NATIVE,
    "t2": Grid((62, 70, 44), np.array([[3.2, 0, 0, -98], [0, 3.6, 0, -118], [0, 0, 5.0, -112], [0, 0, 0, 1]])),
    "flair": Grid((46, 64, 72), np.array([[0, 3.1, 0, -98], [0, 0, 3.5, -118], [4.8, 0, 0, -112], [0, 0, 0, 1]])),
}


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """Three scans of one extracted brain, and a lesion of 15 mm delineated on each."""
    folder = tmp_path_factory.mktemp("masks")
    x, y, z = (np.indices(mni().image.shape).T @ mni().affine[:3, :3].T + mni().affine[:3, 3]).T
    lesion = (np.hypot(np.hypot(x - 28, y + 20), z - 18) < 15).astype(np.float32)
    for kind, grid in GRIDS.items():
        pose = SHIFTS[kind] @ POSE
        image, mask, blob = (
            scanned(data, mni().affine, pose, grid) for data in (mni().image, mni().mask.astype(np.float32), lesion)
        )
        image = image * 800 if kind == "t1" else 900 - 800 * image
        nifti(folder / f"{kind}.nii.gz", np.where(mask > 0.5, np.maximum(image, 1), 0), grid.affine)
        nifti(folder / f"{kind}-mask.nii.gz", (blob > 0.5).astype(np.uint8), grid.affine)
    return folder


def registered(raw: Path, out: Path, chosen=FAST, **files: str) -> np.ndarray:
    """The registered labels of a subject with such files."""
    named = {kind: Path(name) for kind, name in files.items()}
    written = sheet.write(out / "subjects.csv", raw, [(Files("a", t1=Path("t1.nii.gz"), **named), "test")])
    (outcome,) = preprocess.preprocess(written, written.rows, out / "registered", chosen)
    assert outcome == Outcome("a", "done")
    return np.asarray(nibabel.load(out / "registered" / "a" / "mask.nii.gz").dataobj)


def test_the_mask_is_where_the_lesion_is_whatever_it_was_drawn_on(raw, tmp_path):
    grid = mni().packed(FAST)
    x, y, z = (np.indices(grid.shape).T @ grid.affine[:3, :3].T + grid.affine[:3, 3]).T
    truth = np.hypot(np.hypot(x - 28, y + 20), z - 18) < 15
    found = {
        "t1": registered(raw, tmp_path / "t1", mask="t1-mask.nii.gz"),
        "t2": registered(raw, tmp_path / "t2", t2="t2.nii.gz", mask="t2-mask.nii.gz"),
        "flair": registered(raw, tmp_path / "f", mask="flair-mask.nii.gz", drawn_on="flair.nii.gz"),
    }
    for kind, labels in found.items():
        assert dice(labels > 0, truth) > 0.85, kind
        assert (labels > 0).sum() == pytest.approx(truth.sum(), rel=0.1)


def test_a_mask_of_a_scan_that_is_not_named_is_refused(raw, tmp_path):
    files = Files("a", t1=Path("t1.nii.gz"), t2=Path("t2.nii.gz"), mask=Path("flair-mask.nii.gz"))
    written = sheet.write(tmp_path / "subjects.csv", raw, [(files, "test")])
    (outcome,) = preprocess.preprocess(written, written.rows, tmp_path / "registered", FAST)
    assert (outcome.status, outcome.file) == ("lost", "flair-mask.nii.gz")
    assert "mask has shape" in outcome.reason


def test_labels_and_grid_of_upd_study(raw, tmp_path):
    """Slices of the whole field resized, divided by the maximum, labels above 0.4 whatever their number."""
    labels = nibabel.load(raw / "t1-mask.nii.gz")
    nifti(raw / "four.nii.gz", 4 * np.asarray(labels.dataobj), labels.affine)
    chosen = replace(settings({"protocol": "upd"}), spacing=4.0, side=48)
    fours = registered(raw, tmp_path / "four", chosen, mask="four.nii.gz")
    ones = registered(raw, tmp_path / "one", chosen, mask="t1-mask.nii.gz")
    grid = mni().packed(chosen)
    assert fours.shape == ones.shape == grid.shape == (48, 48, round(mni().image.shape[2] / 4))
    assert set(np.unique(fours)) == set(np.unique(ones)) == {0, 1}
    assert (ones <= fours).all()
    assert fours.sum() > 1.2 * ones.sum()
    image = np.asarray(nibabel.load(tmp_path / "one" / "registered" / "a" / "t1.nii.gz").dataobj)
    assert image.max() == 1
    low, high = geometry.extent(grid.shape, grid.affine)
    assert (high - low)[0] == pytest.approx((high - low)[1])
