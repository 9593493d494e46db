"""Still pictures: the slice, its sides and its colours are those of the viewer."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from uadbench.viewer import scripts, still

SHAPE = (10, 20, 6)


def pixels(uri: str) -> np.ndarray:
    assert uri.startswith("data:image/jpeg;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))).astype(int)


def test_right_and_front_of_an_axial_slice_are_right_and_above():
    scan, score = np.full(SHAPE, 0.5), np.zeros(SHAPE)
    score[7:, 15:, 3] = 1.0
    seen = pixels(still.picture(scan, 2, 3, (2.0, 2.0, 4.0), score, 0.5))
    assert seen.shape == (still.SIDE, still.SIDE // 2, 3)
    coloured = seen[..., 0] - seen[..., 2] > 40
    rows, columns = np.nonzero(coloured)
    assert (rows.max() < 90, columns.min() > 110) == (True, True)
    assert abs(coloured.mean() - 0.3 * 0.25) < 0.01
    assert abs(seen[-1, 0] - 128).max() < 4
    assert not (pixels(still.picture(scan, 2, 2, (2.0, 2.0, 4.0), score, 0.5)).std(2) > 3).any()


def test_a_score_below_the_threshold_and_zero_have_no_colour():
    scan, score = np.zeros(SHAPE), np.full(SHAPE, 0.25)
    score[:5] = 0
    assert pixels(still.picture(scan, 0, 7, (1.0, 1.0, 1.0), score, 0.5)).max() < 4
    assert pixels(still.picture(scan, 0, 2, (1.0, 1.0, 1.0), score, 0.0)).max() < 4
    assert pixels(still.picture(scan, 0, 7, (1.0, 1.0, 1.0), score, 0.25)).max() > 100


def test_the_truth_is_outlined():
    truth = np.zeros(SHAPE, bool)
    truth[3:7, 5:15] = True
    seen = pixels(still.picture(np.zeros(SHAPE), 2, 0, (1.0, 1.0, 1.0), truth=truth))
    assert seen[170, 85].max() < 40  # its inside
    assert abs(seen[170, 52] - still.TRUTH).max() < 60


def test_the_start_is_in_the_lesion_else_at_the_peak():
    score, truth = np.zeros(SHAPE), np.zeros(SHAPE, bool)
    score[1, 2, 3] = 1
    assert still.place(None, score) == still.place(truth, score) == (1, 2, 3)
    truth[2:7, 4:9, 5] = truth[0, 0, 0] = True
    assert still.place(truth, score) == (4, 6, 5)


def test_colours_are_those_of_the_viewer():
    text = scripts.own("volume.js")
    channels = [[int(n) for n in re.search(rf"uad.SCORE = .*{key}: \[([^\]]*)", text)[1].split(",")] for key in "RGB"]
    assert list(zip(*channels, strict=True)) == list(still.COLOURS)
    assert f"uad.TRUTH = {list(still.TRUTH)}" in text
    assert f"uad.SIDE = {still.SIDE};" in scripts.own("panel.js")


@pytest.mark.parametrize("text", ["a </script> b", "a </SCRIPT b", "a <!-- b"])
def test_a_file_that_would_end_its_element_is_refused(tmp_path, monkeypatch, text):
    monkeypatch.setattr(scripts, "FOLDER", tmp_path)
    (tmp_path / "a.js").write_text(text)
    with pytest.raises(ValueError, match=r"a\.js: would end the element"):
        scripts.own("a.js")
