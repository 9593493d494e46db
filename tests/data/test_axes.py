"""Axes of a volume and its midline: a mark on a scan is found where docs/add-a-baseline.md says."""

import re
import types
from dataclasses import replace

import numpy as np
import pytest
import torch
from nibabel.orientations import apply_orientation, inv_ornt_aff

from tests.blocks import baseline_files
from tests.commands import ROOT
from tests.data.conftest import FAST, POSE, mni, nifti
from uadbench.data.preprocessing.reading.scan import Scan
from uadbench.data.preprocessing.registration import transform
from uadbench.data.preprocessing.registration.registration import locate
from uadbench.data.preprocessing.settings import settings
from uadbench.methods.base import Context
from uadbench.methods.seeds import Streams

PAGE = ROOT / "docs" / "add-a-baseline.md"
MARK = np.array([38.0, 32.0, 30.0])  # mm right, anterior and superior of the middle of the template's brain
#: the file of the scan has its axes in another order, and two of them run backwards
TURN = np.array([[2, -1], [0, 1], [1, -1]])
#: axis in mm, and sign
DIRECTIONS = {
    **{"left": (0, -1), "right": (0, 1), "posterior": (1, -1), "anterior": (1, 1)},
    **{"inferior": (2, -1), "superior": (2, 1)},
}


@pytest.fixture(scope="module")
def volumes(tmp_path_factory, extracted_scan) -> tuple[np.ndarray, np.ndarray]:
    """A scan, preprocessed as it is and with a dark ball of 10 mm around MARK, (D, H, W)."""
    folder, place = tmp_path_factory.mktemp("axes"), locate(extracted_scan, mni(), FAST)
    scan = place.scan
    voxels = np.indices(scan.data.shape).T @ scan.affine[:3, :3].T + scan.affine[:3, 3]
    ball = (
        np.linalg.norm(voxels - (POSE @ np.append(mni().box[0] / 2 + mni().box[1] / 2 + MARK, 1))[:3], axis=-1).T < 10
    )

    def prepared(name: str, data: np.ndarray) -> np.ndarray:
        data, inside = (apply_orientation(values, TURN) for values in (data, place.inside))
        affine = scan.affine @ inv_ornt_aff(TURN, scan.data.shape)
        path = nifti(folder / name, data, affine)
        turned = replace(place, scan=Scan(path, data, affine), inside=inside)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transform, "locate", lambda *_: turned)  # the mark is not what registers it
            return transform.prepare_scan(path, FAST, "t1")[0]

    return prepared("plain.nii.gz", scan.data), prepared("marked.nii.gz", np.where(ball, 0.3 * scan.data, scan.data))


def test_axes_run_as_the_page_says(volumes):
    plain, marked = volumes
    found = np.argwhere(plain - marked > 0.2).mean(axis=0)
    rows = re.findall(r"^\| ([DHW]), .*? \| (.*?) \| (.*?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [axis for axis, *_ in rows] == ["D", "H", "W"]
    for number, (_, first, last) in enumerate(rows):
        axis, sign = DIRECTIONS[last.split()[-1]]
        assert DIRECTIONS[first.split()[-1]] == (axis, -sign)
        middle = (plain.shape[number] - 1) / 2
        assert (found[number] - middle) * FAST.spacing == pytest.approx(sign * MARK[axis], abs=4)


@pytest.mark.parametrize("protocol", [{"spacing": 1.0}, {"spacing": 2.0}, {"spacing": 4.0}, {"protocol": "upd"}])
def test_the_midline_of_the_template_is_the_middle_of_the_columns(protocol):
    """So that the mirrored volume is the mirrored brain."""
    grid = mni().packed(settings(protocol))
    assert grid.affine[0] @ [(grid.shape[0] - 1) / 2, 0, 0, 1] == pytest.approx(0, abs=1e-6)
    image = mni().at(4.0).image
    assert np.corrcoef(image.ravel(), image[::-1].ravel())[0, 1] > 0.999


def test_the_asymmetry_of_the_page_finds_the_mark_and_its_mirror_image(volumes):
    (text,) = [block for block in baseline_files(PAGE) if "Asymmetry" in block]
    module = types.ModuleType("asymmetry")
    exec(text, module.__dict__)
    method = module.Baseline(None, Context("t1", FAST.spacing))
    plain, marked = (method.score(torch.from_numpy(v.copy()), Streams(0))["final"].numpy() for v in volumes)
    found = np.argwhere(marked - plain > 0.2)
    sides = found[:, 2] > (plain.shape[2] - 1) / 2
    mirrored = [0, 0, plain.shape[2] - 1] - found[~sides] * [-1, -1, 1]
    assert 0 < sides.sum() == (~sides).sum()
    assert {*map(tuple, found[sides])} == {*map(tuple, mirrored)}
