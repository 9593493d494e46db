"""Brain extraction by other programs, played by scripts that take the arguments the real ones document."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.commands import fails
from tests.data.conftest import NATIVE, POSE, dice, mni, nifti, scanned
from uadbench.core.errors import HarnessError
from uadbench.data.grid import Grid
from uadbench.data.index import sheet
from uadbench.data.index.layout import Files
from uadbench.data.preprocessing import preprocess
from uadbench.data.preprocessing.brain import skull_stripping
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.reading.scan import BadScan, Scan
from uadbench.data.preprocessing.registration.registration import locate
from uadbench.data.preprocessing.settings import Preprocessing

#: program, and the shell's words for the scan that it reads and the mask that it writes
PROGRAMS = {
    "hd-bet": (
        "hd-bet",
        '[ "$*" = "-i $2 -o $4 --save_bet_mask --no_bet_image -device cpu --disable_tta" ]',
        "$2",
        "${4%.nii.gz}_bet.nii.gz",
    ),
    "synthstrip": ("mri_synthstrip", '[ "$#" = 4 ] && [ "$1" = -i ] && [ "$3" = -m ]', "$2", "$4"),
    "robex": ("runROBEX.sh", '[ "$#" = 4 ] && [ "$4" -gt 0 ]', "$1", "$3"),
}


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    """An empty folder that stands first on the PATH, before the shell's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def install(folder: Path, name: str, mask: Path, before: str = "") -> Path:
    """Put a program there that checks its arguments, keeps the scan it was given, and writes `mask` as its result."""
    program, check, source, target = PROGRAMS[name]
    script = folder / program
    script.write_text(
        f"#!/bin/sh\necho loading >&2\n{check} || {{ echo bad arguments: $* >&2; exit 2; }}\n"
        f'{before}\ncp "{source}" "{folder}/given.nii.gz"\ncp "{mask}" "{target}"\n'
    )
    script.chmod(0o755)
    return folder / "given.nii.gz"


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    """The brain of the simulated head on its voxels."""
    return scanned(mni().mask, mni().affine, POSE, NATIVE) > 0.5


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_get_the_scan_and_give_their_mask(path, tmp_path, head_scan, truth, name):
    given = install(path, name, nifti(tmp_path / "truth.nii.gz", truth.astype(np.uint8), head_scan.affine))
    found = skull_stripping.extract(name, head_scan)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, truth)
    image = nibabel.load(given)
    np.testing.assert_array_equal(np.asarray(image.dataobj), head_scan.data)
    np.testing.assert_allclose(image.affine, head_scan.affine, atol=1e-4)


def test_the_brain_of_a_head_is_the_programs(path, tmp_path, head_scan, truth):
    install(path, "synthstrip", nifti(tmp_path / "truth.nii.gz", truth.astype(np.uint8), head_scan.affine))
    place = locate(head_scan, mni(), Preprocessing(spacing=4.0, brain="synthstrip"))
    whole = geometry.sample(place.inside, place.scan.affine, Grid(truth.shape, head_scan.affine), order=0) > 0.5
    np.testing.assert_array_equal(whole, truth)
    registered = geometry.sample(place.inside, place.scan.affine, mni().at(4.0).grid, place.matrix) > 0.5
    assert dice(registered, mni().at(4.0).mask) > 0.95


def test_an_extracted_scan_needs_no_program(extracted_scan, monkeypatch):
    monkeypatch.setattr(skull_stripping, "extract", lambda *_: pytest.fail("was run"))
    locate(extracted_scan, mni(), Preprocessing(spacing=4.0, brain="robex"))


def subjects(folder: Path, scan: Scan) -> sheet.Sheet:
    rows = []
    for name in ("a", "b"):
        (folder / "raw" / name).mkdir(parents=True)
        nifti(folder / "raw" / name / "t1.nii.gz", scan.data, scan.affine)
        rows.append((Files(name, Path(name, "t1.nii.gz")), "train"))
    return sheet.write(folder / "subjects.csv", folder / "raw", rows)


def test_a_program_that_fails_costs_the_subject_with_its_last_line(path, tmp_path, head_scan):
    install(path, "hd-bet", tmp_path, before="echo first; echo CUDA is out of memory >&2; exit 3")
    written = subjects(tmp_path, head_scan)
    chosen = Preprocessing(spacing=4.0, brain="hd-bet")
    found = list(preprocess.preprocess(written, written.rows, tmp_path / "out", chosen))
    assert [(o.subject, o.status, o.file) for o in found] == [(n, "lost", f"{n}/t1.nii.gz") for n in ("a", "b")]
    assert found[0].reason == ("hd-bet failed (3): CUDA is out of memory; try it by hand, or use `brain: template`")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("no mask", r"runROBEX\.sh wrote no mask: loading; try"),
        ("silent", r"runROBEX\.sh failed \(1\): it said nothing; try"),
        ("text", r"runROBEX\.sh wrote a mask that cannot be read \(ImageFileError\); try"),
        ("other shape", r"runROBEX\.sh wrote a mask of other voxels.*; try"),
        ("other affine", r"runROBEX\.sh wrote a mask of other voxels.*; try"),
    ],
)
def test_what_a_program_may_get_wrong(path, tmp_path, head_scan, truth, kind, said):
    mask = tmp_path / "mask.nii.gz"
    labels = truth.astype(np.uint8)
    nifti(mask, labels[1:] if kind == "other shape" else labels, np.eye(4) if "affine" in kind else head_scan.affine)
    if kind == "text":
        mask.write_text("no image")
    install(path, "robex", mask, before="exit 0" if kind == "no mask" else "")
    if kind == "silent":
        (path / "runROBEX.sh").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(BadScan, match=said) as caught:
        skull_stripping.extract("robex", head_scan)
    assert caught.value.file == head_scan.path


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_missing_program_is_told_before_any_subject_is_touched(path, tmp_path, head_scan, name):
    written = subjects(tmp_path, head_scan)
    arguments = ["--sheet", written.path, "--out", tmp_path / "out", "--report", tmp_path / "report.csv"]
    said = fails("preprocess", *arguments, "--settings", f'{{"brain": "{name}"}}')
    assert f"{name}: no program {PROGRAMS[name][0]} on the PATH; " in said
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "report.csv").exists()


def test_a_program_that_cannot_be_started_is_no_fault_of_the_subject(path, tmp_path, head_scan):
    (path / "mri_synthstrip").write_text("#!/no/such/shell\n")
    (path / "mri_synthstrip").chmod(0o755)
    written = subjects(tmp_path, head_scan)
    chosen = Preprocessing(spacing=4.0, brain="synthstrip")
    with pytest.raises(HarnessError, match="mri_synthstrip cannot be started"):
        list(preprocess.preprocess(written, written.rows, tmp_path / "out", chosen))
