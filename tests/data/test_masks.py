"""Masks on the voxels of the T1, the T2, or a further scan end up in the same place."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.data.conftest import FAST, dice, lesion, mni
from uadbench.data.index import sheet
from uadbench.data.index.layout import Files
from uadbench.data.preprocessing import preprocess
from uadbench.data.preprocessing.records.report import Outcome


def registered(raw: Path, out: Path, **files: str) -> np.ndarray:
    """The registered labels of a subject with such files."""
    named = {kind: Path(name) for kind, name in files.items()}
    written = sheet.write(out / "subjects.csv", raw, [(Files("a", t1=Path("t1.nii.gz"), **named), "test")])
    (outcome,) = preprocess.preprocess(written, written.rows, out / "registered", FAST)
    assert outcome == Outcome("a", "done")
    return np.asarray(nibabel.load(out / "registered" / "a" / "mask.nii.gz").dataobj)


def test_the_mask_is_where_the_lesion_is_whatever_it_was_drawn_on(raw, tmp_path):
    truth = lesion(mni().packed(FAST))
    found = {
        "t1": registered(raw, tmp_path / "t1", mask="t1-mask.nii.gz"),
        "t2": registered(raw, tmp_path / "t2", t2="t2.nii.gz", mask="t2-mask.nii.gz"),
        "flair": registered(raw, tmp_path / "f", mask="flair-mask.nii.gz", drawn_on="flair.nii.gz"),
        "unused flair": registered(raw, tmp_path / "u", mask="flair-mask.nii.gz", flair="flair.nii.gz"),
    }
    for kind, labels in found.items():
        assert dice(labels > 0, truth) > 0.85, kind
        assert (labels > 0).sum() == pytest.approx(truth.sum(), rel=0.1)
