"""A trained run on a scan and on folders of them: the same maps, masks, what is done already, what cannot be used."""

import base64
import gzip
import json
import os
import re
import shutil
import sys
from pathlib import Path
from unittest.mock import Mock

import nibabel
import numpy as np
import pytest

from tests.commands import call, ended, fails
from tests.data.conftest import NATIVE, nifti
from tests.trainings import CPU
from uadbench.core import csv_files
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json, write_json
from uadbench.own import scan_scoring
from uadbench.own.map_files import nifti_files
from uadbench.own.map_table import COLUMNS
from uadbench.own.progress import told
from uadbench.own.regions import Atlas
from uadbench.own.scan_pages import Scored, write_page
from uadbench.own.scan_places import RECORD, TABLE, beside, of_run
from uadbench.own.scan_scoring import Scorer
from uadbench.training import run
from uadbench.viewer.page import contents


def scorer(trained: Path, **changes) -> Scorer:
    method, about = run.load(trained, CPU)
    return Scorer(method, about, CPU, **changes)


def values(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj)


def test_a_folder_gives_the_maps_of_its_scans(scans, trained, tmp_path):
    assert scorer(trained).score_folder(scans, None, tmp_path / "maps") == 0
    assert sorted(nifti_files(tmp_path / "maps")) == ["a", "b"]
    for name in ("a", "b"):
        made, *_ = scorer(trained).score(scans / f"{name}.nii.gz", None, tmp_path / f"{name}.nii.gz")
        assert np.array_equal(values(made), values(tmp_path / "maps" / f"{name}.nii.gz"))
        assert np.array_equal(values(beside(made).brain) > 0, values(scans / f"{name}.nii.gz") > 0)
        assert values(made).shape == NATIVE.shape
        assert values(made).max() > 0.5


def test_masks_are_where_maps_reach_the_threshold(scans, trained, placed, tmp_path):
    scorer(trained, threshold=0.6).score_folder(scans, None, tmp_path)
    assert sorted(nifti_files(tmp_path)) == ["a", "b"]  # what `evaluate` takes for maps
    for name in ("a", "b"):
        found, mask = tmp_path / f"{name}.nii.gz", tmp_path / "masks" / f"{name}.nii.gz"
        assert mask == beside(found).mask
        assert nibabel.load(mask).get_data_dtype() == np.uint8
        reached = (values(found) >= 0.6) & (values(beside(found).brain) > 0)
        assert np.array_equal(values(mask), reached)
        assert 0 < values(mask).mean() < 0.5
        np.testing.assert_array_equal(nibabel.load(mask).affine, nibabel.load(found).affine)


def test_masks_beside_maps_replace_no_scan(scans, trained, tmp_path):
    for name in ("a", "b"):
        (tmp_path / "masks").mkdir(exist_ok=True)
        (tmp_path / "masks" / f"{name}.nii.gz").write_bytes((scans / f"{name}.nii.gz").read_bytes())
    scan = tmp_path / "masks" / "a.nii.gz"
    with pytest.raises(HarnessError, match=r"--threshold .*masks/a\.nii\.gz: is --image itself"):
        scorer(trained, threshold=0.6).score(scan, None, tmp_path / "a.nii.gz")
    assert scan.read_bytes() == (scans / "a.nii.gz").read_bytes()


def test_maps_that_are_there_are_not_made_again_but_missing_masks_are(scans, trained, placed, tmp_path):
    scorer(trained, threshold=0.6).score_folder(scans, None, tmp_path)
    kept, before = tmp_path / "a.nii.gz", (tmp_path / "a.nii.gz").stat().st_mtime_ns
    (tmp_path / "b.nii.gz").unlink()
    scorer(trained, threshold=0.6).score_folder(scans, None, tmp_path)
    assert kept.stat().st_mtime_ns == before
    beside(kept).mask.unlink()
    scorer(trained, threshold=0.6).score_folder(scans, None, tmp_path)
    assert beside(kept).mask.is_file()
    assert (tmp_path / "b.nii.gz").is_file()


def test_another_scan_of_the_same_name_is_scored_again_whatever_its_age(scans, trained, placed, tmp_path, capsys):
    out = tmp_path / "maps"
    for folder, source in (("one", "a"), ("moved", "a"), ("other", "b")):
        (tmp_path / folder).mkdir()
        shutil.copy(scans / f"{source}.nii.gz", tmp_path / folder / "p1.nii.gz")
        os.utime(tmp_path / folder / "p1.nii.gz", (1, 1))
        scorer(trained, html=True).score_folder(tmp_path / folder, None, out)
        said = capsys.readouterr().err
        assert ("1 of 1 maps were there" in said) == (folder == "moved")
        assert ("p1 (scored again, with another scan): " in said) == (folder == "other")
    assert csv_files.read(out / TABLE, COLUMNS, "")[0]["image"] == str(tmp_path / "other" / "p1.nii.gz")
    assert np.array_equal(embedded(out / "p1.html", "scan").get_fdata() > 0, values(scans / "b.nii.gz") > 0)


def test_a_killed_call_leaves_no_map_that_looks_finished(scans, trained, placed, tmp_path, monkeypatch):
    images, out = tmp_path / "images", tmp_path / "maps"
    images.mkdir()
    shutil.copy(scans / "a.nii.gz", images / "p1.nii.gz")
    scorer(trained).score_folder(images, None, out)
    shutil.copy(scans / "b.nii.gz", images / "p1.nii.gz")
    with monkeypatch.context() as patched:
        patched.setattr(scan_scoring, "atomic", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            scorer(trained).score_folder(images, None, out)
    assert not (out / "p1.nii.gz").exists()
    assert not scorer(trained).score_folder(images, None, out)
    assert (out / "p1.nii.gz").exists()


def test_an_atlas_that_is_dropped_keeps_the_maps_and_an_edited_one_does_not(scans, trained, placed, tmp_path, capsys):
    one, edited = (Atlas("own.nii", np.ones((1, 1, 1), int), np.zeros((4, 4)), {1: "x"}, each) for each in "ab")
    for atlas, again in ((None, ""), (one, "atlas"), (None, ""), (one, ""), (edited, "atlas")):
        scorer(trained, threshold=0.6, atlas=atlas).score_folder(scans, None, tmp_path / "maps")
        assert capsys.readouterr().err.count("(scored again, with another atlas)") == 2 * bool(again)
    assert {row["finding1_region"] for row in csv_files.read(tmp_path / "maps" / TABLE, COLUMNS, "")} == {"x"}


def test_names_that_differ_in_case_alone_are_refused(scans, trained, tmp_path):
    for name in ("anna", "Anna"):
        shutil.copy(scans / "a.nii.gz", tmp_path / f"{name}.nii.gz")
    with pytest.raises(HarnessError, match="Anna and anna: differ in case alone"):
        scorer(trained).score_folder(tmp_path, None, tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-0.5", "0"])
def test_thresholds_that_no_score_can_be_compared_with_are_refused(scans, trained, tmp_path, value):
    given = ["--run", trained, "--image", scans, "--out", tmp_path / "maps", f"--threshold={value}"]
    done = ended("score", *given)
    assert (done.exit_code, "Invalid value for '--threshold'" in done.output) == (2, True)


def test_what_is_known_of_a_run_is_said_once_its_call_is_accepted(scans, trained, placed, tmp_path, capsys):
    told = scorer(trained, notices=["a notice"])
    with pytest.raises(HarnessError, match=r"is a folder, but .*a\.nii\.gz is one scan; name a file in it"):
        told.score(scans / "a.nii.gz", None, tmp_path)
    assert not capsys.readouterr().err
    for name in ("one", "two"):
        told.score(scans / "a.nii.gz", None, tmp_path / f"{name}.nii.gz")
    assert capsys.readouterr().err.count("a notice") == 1
    for notices in ([], ["a notice"]):
        scorer(trained, notices=notices).score_folder(scans, None, tmp_path / "maps")
    assert "a notice" not in capsys.readouterr().err  # all maps were there


def test_a_damaged_record_of_maps_is_named(scans, trained, tmp_path):
    (tmp_path / RECORD).write_text("{")
    with pytest.raises(HarnessError, match=rf"{RECORD}: cannot be read"):
        scorer(trained).score_folder(scans, None, tmp_path)


@pytest.mark.parametrize("other", ["threshold", "seed", "foreign folder"])
def test_maps_of_another_run_are_not_mixed(scans, trained, placed, tmp_path, other):
    if other == "foreign folder":
        (tmp_path / "mine.nii.gz").touch()
    else:
        scorer(trained).score_folder(scans, None, tmp_path)
    changed = scorer(trained, threshold=0.5 if other == "threshold" else None)
    if other == "seed":
        changed.about["seed"] = 2
    with pytest.raises(HarnessError, match="choose another folder"):
        changed.score_folder(scans, None, tmp_path)


def test_a_scan_that_cannot_be_used_costs_itself_alone(scans, trained, tmp_path, capsys):
    images = tmp_path / "images"
    images.mkdir()
    (images / "a.nii.gz").symlink_to(scans / "a.nii.gz")
    (images / "bad.nii.gz").write_bytes((scans / "a.nii.gz").read_bytes()[:2000])
    result = ended("score", "--run", trained, "--image", images, "--out", tmp_path / "maps", "--device", "cpu")
    assert "1 of the scans could not be scored" in str(result.exception)
    assert sorted(nifti_files(tmp_path / "maps")) == ["a"]
    assert "left out:" in result.output + capsys.readouterr().err


def test_what_makes_the_maps_is_noted(scans, trained, placed, tmp_path):
    scorer(trained, threshold=0.6).score_folder(scans, None, tmp_path)
    noted = read_json(tmp_path / RECORD)
    assert (noted["method"], noted["seed"], noted["map"], noted["threshold"]) == ("intensity", 1, "final", 0.6)
    write_json(tmp_path / RECORD, noted | {"method": "dae"})
    with pytest.raises(HarnessError, match="another run"):
        scorer(trained, threshold=0.6).score_folder(scans, None, tmp_path)


def test_folders_go_together(scans, trained, tmp_path):
    given = ["--image", scans, "--t1", scans / "a.nii.gz", "--out", tmp_path]
    assert "give the folder of T1-weighted scans" in fails("score", "--run", trained, *given)


def embedded(page: Path, name: str) -> nibabel.Nifti1Image:
    """A volume in a page of the viewer."""
    text = page.read_text(encoding="utf-8").split(f'id="{name}">')[1].split("</script>")[0]
    return nibabel.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(text)))


def test_a_page_shows_scan_map_restoration_and_lesion(scans, trained, tmp_path):
    lesion = nifti(tmp_path / "lesion.nii.gz", (values(scans / "a.nii.gz") > 700).astype(np.uint8), NATIVE.affine)
    shown = scorer(trained, threshold=0.6, html=True)
    shown.method.restore = lambda volume, rng: 0.5 * volume  # the control has none
    written = shown.score(scans / "a.nii.gz", None, tmp_path / "one.nii.gz", lesion)
    page = tmp_path / "one.html"
    places = beside(tmp_path / "one.nii.gz")
    assert written == [places.map, places.brain, places.mask, page, places.record]
    found, inside = embedded(page, "score-0"), values(places.brain) > 0
    assert np.abs(found.get_fdata() - values(written[0]) * inside).max() <= values(written[0]).max() / 509
    np.testing.assert_allclose(found.affine, NATIVE.affine, atol=1e-4)
    assert np.array_equal(embedded(page, "truth").get_fdata() > 0, values(lesion) > 0)
    halved = embedded(page, "restoration").get_fdata()
    assert 0.4 < halved.max() <= 0.51
    assert np.corrcoef(halved.ravel(), values(scans / "a.nii.gz").ravel())[0, 1] > 0.9
    text = page.read_text(encoding="utf-8")
    assert 'value="0.6"' in text
    assert json.loads(contents(text)["facts"])["brain"] == np.count_nonzero(inside)
    assert '<p class="banner">The method was trained on simulated scans.</p>' in text
    assert "T1-weighted scan a.nii.gz" in text
    simulated = tmp_path / "raw" / "sub-1" / "a.nii.gz"
    simulated.parent.mkdir(parents=True)
    simulated.write_bytes((scans / "a.nii.gz").read_bytes())
    (tmp_path / "raw" / "SIMULATED").touch()
    scored = Scored(simulated, nibabel.load(written[0]), None, None, "final", None, values(places.brain) > 0)
    write_page(scored, shown.about, shown.method, page)
    text = page.read_text(encoding="utf-8")
    assert '<p class="banner">This scan is simulated. The method was trained on simulated scans.</p>' in text


def test_pages_of_a_folder(scans, trained, placed, tmp_path):
    truths, out = tmp_path / "truths", tmp_path / "maps"
    truths.mkdir()
    nifti(truths / "b.nii.gz", (values(scans / "b.nii.gz") > 0).astype(np.uint8), NATIVE.affine)
    given = ["--run", trained, "--image", scans, "--out", out, "--device", "cpu", "--html", "--truth", truths]
    call("score", *given)
    pages = {path.stem: path.read_text(encoding="utf-8") for path in out.glob("*.html")}
    assert sorted(pages) == ["a", "b"]
    assert ['id="truth"' in pages[name] for name in "ab"] == [False, True]
    assert all('id="restoration"' not in text for text in pages.values())
    kept = (out / "a.html").stat().st_mtime_ns
    (out / "b.html").unlink()
    call("score", *given)
    assert (out / "a.html").stat().st_mtime_ns == kept
    assert (out / "b.html").is_file()


def test_a_page_without_the_lesion_that_is_given_now_is_made_again(scans, trained, placed, tmp_path):
    truths, out = tmp_path / "truths", tmp_path / "maps"
    truths.mkdir()
    lesion = nifti(truths / "b.nii.gz", (values(scans / "b.nii.gz") > 0).astype(np.uint8), NATIVE.affine)
    os.utime(lesion, (1, 1))  # older than the pages
    scorer(trained, html=True).score_folder(scans, None, out)
    before = {name: (out / f"{name}.html").stat().st_mtime_ns for name in "ab"}
    scorer(trained, html=True).score_folder(scans, None, out, truths)
    assert (out / "a.html").stat().st_mtime_ns == before["a"]
    assert embedded(out / "b.html", "truth").get_fdata().any()
    after = (out / "b.html").stat().st_mtime_ns
    scorer(trained, html=True).score_folder(scans, None, out, truths)
    assert (out / "b.html").stat().st_mtime_ns == after
    nifti(truths / "b.nii.gz", (values(scans / "b.nii.gz") > 500).astype(np.uint8), NATIVE.affine)
    os.utime(lesion, (1, 1))  # delineated anew, as it says long ago
    scorer(trained, html=True).score_folder(scans, None, out, truths)
    assert (out / "b.html").stat().st_mtime_ns > after


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--truth", "a.nii.gz"], "add --html"),
        (["--html", "--truth", "a.nii.gz"], "give the folder of delineated lesions"),
        (["--html", "--truth", "."], "no .nii or .nii.gz file|no file with the name of a scan"),
    ],
)
def test_lesions_that_no_page_can_show(scans, trained, tmp_path, options, message):
    options = [tmp_path if option == "." else option for option in options]
    given = ["--run", trained, "--image", scans, "--out", tmp_path / "maps", "--device", "cpu"]
    assert re.search(message, fails("score", *given, *options))


def test_a_lesion_on_other_voxels_is_named(scans, trained, tmp_path):
    other = nifti(tmp_path / "other.nii.gz", np.ones((4, 5, 6), np.uint8), NATIVE.affine)
    with pytest.raises(HarnessError, match=r"other\.nii\.gz: mask has shape"):
        scorer(trained, html=True).score(scans / "a.nii.gz", None, tmp_path / "one.nii.gz", other)


def test_brain_masks_lie_beside_the_maps_and_are_found(scans, trained, placed, tmp_path):
    scorer(trained).score_folder(scans, None, tmp_path / "maps")
    for name in "ab":
        places = beside(tmp_path / "maps" / f"{name}.nii.gz")
        brain, map_ = nibabel.load(places.brain), nibabel.load(places.map)
        assert np.array_equal(values(places.brain) > 0, values(scans / f"{name}.nii.gz") > 0)
        assert brain.get_data_dtype() == np.uint8
        np.testing.assert_array_equal(brain.affine, map_.affine)
        lesion = (values(scans / f"{name}.nii.gz") > 700).astype(np.uint8)
        (tmp_path / "labels").mkdir(exist_ok=True)
        nifti(tmp_path / "labels" / f"{name}.nii.gz", lesion, NATIVE.affine)
    given = ["--maps", tmp_path / "maps", "--labels", tmp_path / "labels"]
    done = call("evaluate", *given)
    assert json.loads(done.stdout) == json.loads(call("evaluate", *given, "--brain", tmp_path / "maps/brain").stdout)
    assert f"brain masks: {tmp_path / 'maps/brain'};" in done.stderr
    assert "air counts as brain" not in done.stderr


def test_a_single_map_is_made_again_but_replaces_nothing_else(scans, trained, placed, tmp_path):
    out, one = tmp_path / "maps" / "one.nii.gz", scorer(trained, threshold=0.6)
    places = beside(out)
    one.score(scans / "a.nii.gz", None, out)
    noted = read_json(places.record)
    assert (noted["Threshold"], noted["Run"]["method"], noted["Found"]["threshold"]) == (0.6, "intensity", 0.6)
    placed.clear()
    for scan, other, message in (
        ("b", one, "is no map of .*b.nii.gz by this run"),
        ("a", scorer(trained, name="other"), "is no map of .*a.nii.gz by this run"),
    ):
        with pytest.raises(HarnessError, match=message):
            other.score(scans / f"{scan}.nii.gz", None, out)
    for foreign in (places.map, places.brain, places.mask, places.page, places.record):
        fresh = tmp_path / "fresh" / foreign.relative_to(out.parent)
        fresh.parent.mkdir(parents=True)
        fresh.write_text("mine")
        with pytest.raises(HarnessError, match=rf"{fresh.name}: exists and is no map of"):
            one.score(scans / "a.nii.gz", None, tmp_path / "fresh" / "one.nii.gz")
        assert fresh.read_text() == "mine"
        shutil.rmtree(tmp_path / "fresh")
    (tmp_path / "x.nii.gz").mkdir()
    with pytest.raises(HarnessError, match=r"is a folder, but .* is one scan"):
        one.score(scans / "a.nii.gz", None, tmp_path / "x.nii.gz")
    write_json(out.parent / RECORD, of_run(one.about, "other"))
    with pytest.raises(HarnessError, match="lists maps of another run or map"):
        one.score(scans / "a.nii.gz", None, out.parent / "two.nii.gz")
    for path in (scans, tmp_path):
        with pytest.raises(HarnessError, match="names a file, but there are several scans"):
            one.score_folder(scans, None, path / "a.nii.gz")
    assert not placed  # whatever is refused is so before a scan is registered
    (out.parent / RECORD).unlink()
    scorer(trained, threshold=0.6, html=True).score(scans / "a.nii.gz", None, out)
    assert {places.mask, places.page} <= {*out.parent.rglob("*.*")}
    scorer(trained).score(scans / "a.nii.gz", None, out)
    assert not {places.mask, places.page} & {*out.parent.rglob("*.*")}  # they would be of another call
    assert read_json(places.record)["Threshold"] is None
    places.mask.write_text("mine")
    scorer(trained).score(scans / "a.nii.gz", None, out)
    assert places.mask.read_text() == "mine"
    scorer(trained).score_folder(scans, None, tmp_path / "folder")
    with pytest.raises(HarnessError, match=r"is of the folder of maps of .*maps\.json; score its scans again"):
        scorer(trained).score(scans / "a.nii.gz", None, tmp_path / "folder" / "a.nii.gz")


def test_progress_is_a_line_that_warnings_follow(capsys):
    with told("anna") as line:
        line.stage("registering")
        assert capsys.readouterr().err == "anna: registering"
        print("warning: odd", file=sys.stderr)
        line.stage("scoring")
        line.end("1 finding")
    assert capsys.readouterr().err == " 0 s, scoring 0 s; 1 finding\nwarning: odd\n"
    with pytest.raises(HarnessError), told("bert"):
        raise HarnessError
    assert capsys.readouterr().err == "bert\n"


def test_another_contrast_by_name_or_sidecar_is_said(scans, trained, placed, tmp_path, capsys):
    for name, sidecar, said in (
        ("anna_flair", {}, "is a FLAIR scan by its name, but the run is of T1-weighted ones"),
        ("sub-1_T1w", {"EchoTime": 0.12, "RepetitionTime": 9, "InversionTime": 2.5}, "is a FLAIR scan by its sidecar"),
        ("sub-1_acq-FLAIR_T1w", {}, ""),
    ):
        (tmp_path / f"{name}.nii.gz").symlink_to(scans / "a.nii.gz")
        write_json(tmp_path / f"{name}.json", sidecar)
        scorer(trained).prepared(tmp_path / f"{name}.nii.gz", None)
        err = capsys.readouterr().err
        assert said in err
        assert bool(said) == ("warning" in err)
