"""Embedded volumes: true values, positions, reproducible bytes; pages refuse layers that do not fit."""

import gzip
import json
import re

import nibabel
import numpy as np
import pytest

from uadbench.core.thinning import stride, thinned
from uadbench.viewer import scripts, volumes
from uadbench.viewer.page import Layer, Page, contents, write
from uadbench.viewer.page import read as read_page

AFFINE = np.array([[0.0, -2, 0, 30], [3, 0, 0, -40], [0, 0, 4, 5], [0, 0, 0, 1]])


def read(content: bytes) -> nibabel.Nifti1Image:
    return nibabel.Nifti1Image.from_bytes(gzip.decompress(content))


def test_scores_are_exact_to_half_a_step():
    values = np.random.default_rng(1).gamma(0.5, 3, (7, 8, 9)).astype(np.float32)
    image = read(volumes.nifti(volumes.scores(values), AFFINE))
    assert np.abs(image.get_fdata() - values).max() <= values.max() / 510 * 1.0001
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(image.affine, AFFINE)


def test_zero_stays_zero_and_the_maximum_stays():
    values = np.array([[[0.0, 0.3, 0.9]]])
    image = read(volumes.nifti(volumes.scores(values), AFFINE)).get_fdata()
    assert image[0, 0, 0] == 0
    assert image[0, 0, 2] == pytest.approx(0.9)
    assert read(volumes.nifti(volumes.scores(np.zeros((2, 2, 2))), AFFINE)).get_fdata().max() == 0


def test_few_extreme_grey_values_do_not_widen_the_window():
    values = np.random.default_rng(2).uniform(-20, 100, (40, 40, 40))
    values[0, 0, :3] = 1e6
    found = read(volumes.nifti(volumes.grey_values(values), AFFINE)).get_fdata()
    assert np.abs(found - values)[values < 99].max() < 0.5
    assert found.max() < 101


def test_the_same_volume_gives_the_same_bytes():
    values = np.random.default_rng(3).random((5, 6, 7))
    assert volumes.nifti(volumes.scores(values), AFFINE) == volumes.nifti(volumes.scores(values), AFFINE)
    with pytest.raises(ValueError, match="three axes"):
        volumes.nifti(volumes.scores(values[0]), AFFINE)


def test_thinned_voxels_keep_their_positions():
    affine = thinned(AFFINE, np.array([1, 2, 3]), 2)
    for voxel in ([0, 0, 0], [2, 1, 4]):
        fine = np.array([1, 2, 3]) + 2 * np.array(voxel)
        np.testing.assert_allclose(affine @ [*voxel, 1], AFFINE @ [*fine, 1])
    assert stride((100, 100, 100), 1_000_000) == 1
    assert stride((101, 100, 100), 1_000_000) == 2
    assert stride((1000, 100, 100), 1_000_000) == 3


def layer(kind, shape=(4, 5, 6), **changes) -> Layer:
    values = np.random.default_rng(4).random(shape).astype(np.float32)
    return Layer(kind, kind.title(), "text", values, **changes)


def test_a_page_holds_all_it_needs(tmp_path):
    path = tmp_path / "page.html"
    layers = [layer("scan"), layer("score", threshold=0.25), layer("score"), layer("truth")]
    write(Page("</script><b>1", "a & b", "", AFFINE, layers), path)
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"<(?:link|iframe)\b|\bsrc=(?!.data:image/jpeg;base64,)|@import", text)
    assert text.count("</script>") == text.count("<script") == 4 + 3  # volumes; facts, NiiVue, own
    assert "&lt;/script&gt;&lt;b&gt;1" in text
    assert "default-src 'none'" in text.replace("&#39;", "'")
    facts = json.loads(re.search(r'id="facts">(.*?)</script>', text)[1])
    assert facts["layers"] == ["scan", "score-0", "score-1", "truth"]
    assert (facts["scores"], facts["brain"]) == (["score-0", "score-1"], 120)
    assert 'id="threshold-score-0" min="0"' in text
    assert re.search(r'id="threshold-score-0"[^>]* value="0.25"', text)


def test_low_scores_count_as_brain(tmp_path):
    """Where one score is a thousand times the others, these are 0 in steps of a byte, yet still voxels of the brain."""
    brain = np.zeros((10, 10, 10), bool)
    brain[2:8, 2:8, 2:8] = True
    score = np.where(brain, 0.001, 0).astype(np.float32)
    score[2, 2, 2] = 1.0
    score[7, 7, 7] = 0.0
    path = tmp_path / "page.html"
    layers = [Layer("scan", "Scan", "", 100.0 * brain), Layer("score", "Score", "", score)]
    for others, count in (([], 215), ([Layer("restoration", "Restoration", "", 0.5 * brain)], 216)):
        write(Page("a", "b", "", AFFINE, [*layers, *others]), path)
        facts = json.loads(re.search(r'id="facts">(.*?)</script>', path.read_text(encoding="utf-8"))[1])
        assert facts["brain"] == count


def test_the_brain_is_its_mask_where_it_is_known(tmp_path):
    """Restorations and maps that are interpolated reach beyond it."""
    inside = np.zeros((4, 5, 6), bool)
    inside[1:3, 1:4] = True
    layers = [layer("scan"), layer("score"), Layer("restoration", "Restoration", "", np.ones((4, 5, 6)))]
    write(Page("a", "b", "", AFFINE, layers, inside), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert json.loads(contents(text)["facts"])["brain"] == 2 * 3 * 6
    write(read_page(contents(text)), tmp_path / "again.html")
    again = contents((tmp_path / "again.html").read_text(encoding="utf-8"))
    assert json.loads(again["facts"])["brain"] == 2 * 3 * 6
    assert "is no diagnosis" in text


def test_a_map_without_scores_starts_at_0(tmp_path):
    empty = Layer("score", "Score", "", np.zeros((4, 5, 6), np.float32))
    write(Page("a", "b", "", AFFINE, [layer("scan"), empty]), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert float(re.search(r'id="threshold-score-0"[^>]* value="([^"]*)"', text)[1]) == 0


def test_a_page_is_made_again_of_its_contents(tmp_path):
    steps = np.arange(20 * 20 * 20).reshape(20, 20, 20) % 256
    score, restoration = 0.3 * steps / 255, np.where(steps % 2, steps / 255, 0.0)
    layers = [
        Layer("scan", "Scan", "grey & white", 4.0 * steps),
        Layer("restoration", "Restoration", "", restoration),
        Layer("score", "Score", "</script>", score),
        Layer("score", "Other", "", score, 0.125),
        Layer("truth", "Lesion", "", steps > 200),
    ]
    first, second = tmp_path / "first.html", tmp_path / "second.html"
    write(Page("a <b>", "b", "Simulated.", AFFINE, layers), first)
    stored = contents(first.read_text(encoding="utf-8"))
    assert sum(map(len, stored.values())) < 0.1 * first.stat().st_size
    write(read_page(json.loads(json.dumps(stored))), second)
    assert contents(second.read_text(encoding="utf-8")) == stored
    starts, again = (re.findall(r'id="threshold[^>]* value="([^"]*)"', path.read_text()) for path in (first, second))
    assert starts == again
    assert starts[1] == "0.125"


def test_large_volumes_are_thinned_out(tmp_path, monkeypatch):
    monkeypatch.setattr("uadbench.viewer.page.LIMIT", 60)
    write(Page("a", "b", "", AFFINE, [layer("scan"), layer("score")]), tmp_path / "page.html")
    assert "every 2nd voxel along each axis" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([layer("scan")], "one scan, scores"),
        ([layer("score")], "one scan, scores"),
        ([layer("scan"), layer("score"), layer("truth"), layer("truth")], "at most one"),
        ([layer("scan"), layer("score", (4, 5, 7))], "one shape"),
    ],
)
def test_layers_that_do_not_fit_are_refused(layers, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write(Page("a", "b", "", AFFINE, layers), tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_the_library_is_what_its_notes_say(root):
    folder = root / "uadbench" / "resources" / "niivue"
    version = re.search(r"NiiVue ([\d.]+)", (folder / "README.md").read_text(encoding="utf-8"))[1]
    assert f'"{version}"' in scripts.NIIVUE.read_text(encoding="utf-8")
    assert "Copyright (c) 2021, Niivue" in (folder / "LICENSE.txt").read_text(encoding="utf-8")
