"""Broken files: each is named with its reason and a remedy, and costs its own subject at most."""

import errno
import gzip
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.commands import call
from tests.data.conftest import FAST, Cohort, nifti, outline, second
from uadbench.core import faults
from uadbench.core.errors import HarnessError
from uadbench.data.index import sheet
from uadbench.data.preprocessing import preprocess
from uadbench.data.preprocessing.reading.scan import Scan
from uadbench.data.preprocessing.reading.volume import BadScan, read_volume
from uadbench.data.preprocessing.records.report import Outcome


def with_header(path: Path, scan: Scan, **fields: object) -> None:
    """Write the scan with raw header fields, past all checks of nibabel."""
    image = nibabel.Nifti1Image(scan.data, scan.affine)
    raw = bytearray(image.to_bytes())
    header = nibabel.Nifti1Header(bytes(raw[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    raw[:348] = header.binaryblock
    path.write_bytes(gzip.compress(bytes(raw)))


def link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def cut(path: Path, _: Scan) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def unreadable(path: Path, _: Scan) -> None:
    path.rename(path.with_name("unreadable-t1.nii.gz"))
    path.symlink_to("unreadable-t1.nii.gz")


def grey(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path, Scan], object]:
    """Writes the scan with other grey values."""
    return lambda path, scan: nifti(path, change(scan.data), scan.affine)


def content(of: Callable[[nibabel.Nifti1Image], bytes]) -> Callable[[Path, Scan], object]:
    """Writes bytes that are made of the scan's image."""
    return lambda path, scan: path.write_bytes(of(nibabel.Nifti1Image(scan.data, scan.affine)))


def header(**fields: object) -> Callable[[Path, Scan], object]:
    """Writes the scan with raw header fields, past all checks of nibabel."""
    return lambda path, scan: with_header(path, scan, **fields)


LFS, COLOURS = b"version https://git-lfs.github.com/spec/v1", [(channel, "u1") for channel in "RGB"]
#: kind of broken T1: how it is put at a path in place of a sound scan, and what is said of it
T1 = {
    "empty": (content(lambda image: b""), "is empty; copy"),
    "truncated": (cut, r"cannot be read \(EOFError.*; copy"),
    "truncated in its header": (content(lambda image: gzip.compress(image.to_bytes()[:200])), "cannot be read.*; copy"),
    "not gzip": (content(lambda image: image.to_bytes()), r"is not compressed though its name ends in \.gz; .*\.nii"),
    "no image": (content(lambda image: gzip.compress(LFS)), "is a pointer of Git LFS.*; fetch it: git lfs pull"),
    "NaN": (grey(lambda x: np.where(x == x.max(), np.nan, x)), r"\d+ voxels are not finite; set them to 0"),
    "infinite": (grey(lambda x: np.where(x == x.max(), np.inf, x)), r"\d+ voxels are not finite; set them to 0"),
    "all zero": (grey(lambda x: 0 * x), "every voxel is 0; copy"),
    "4-D": (grey(lambda x: np.stack([x, x], axis=-1)), r"has shape \(\d+, \d+, \d+, 2\); give one volume of three"),
    "2-D": (grey(lambda x: x[:, :, 30]), r"has shape \(\d+, \d+\); give one volume of three dimensions"),
    "colours": (grey(lambda x: np.zeros(x.shape, COLOURS)), "holds values of type .*; give grey values"),
    "pixdim 0": (header(sform_code=0, pixdim=[1, 3, 3, 0, 0, 0, 0, 0]), "its header has voxels of 3 × 3 × 0 mm;"),
    "pixdim < 0": (header(sform_code=0, pixdim=[1, 3, -3, 3, 0, 0, 0, 0]), "its header has voxels of 3 × -3 × 3 mm;"),
    "singular affine": (header(sform_code=1, srow_y=[0, 0, 0, 0]), "its affine is singular; correct sform"),
    "affine of NaN": (header(sform_code=1, srow_x=[np.nan, 0, 0, 0]), "its affine is singular; correct sform"),
    "microscopy": (
        lambda path, scan: nifti(path, scan.data, np.diag([0.01, 0.01, 0.01, 1])),
        r"voxels of 0\.01 × 0\.01 × 0\.01 mm are not of a head scan; correct",
    ),
    "T2 instead": (
        lambda path, scan: nifti(path, second(scan), scan.affine),
        "is given as T1 but looks T2-weighted.*; name",
    ),
}

SHIFT = np.zeros((4, 4))
SHIFT[2, 3] = 5  # mm
#: kind of broken mask: its labels and affine, of sound ones, and what is said of it
MASKS = {
    "other shape": (lambda x, affine: (x[2:], affine), r"mask has shape .*, the scan .*; give the mask in its voxels"),
    "other affine": (
        lambda x, affine: (x, affine + SHIFT),
        r"mask lies up to 5\.0 mm off the grid of the scan; correct",
    ),
    "mirrored affine": (lambda x, affine: (x, affine @ np.diag([-1.0, 1, 1, 1])), "mask lies up to .* mm off the grid"),
    "fractions": (
        lambda x, affine: (x * np.float32(0.3), affine),
        "mask holds values between whole numbers, such as 0.3: interpol",
    ),
    "negative": (
        lambda x, affine: (-x.astype(np.int16), affine),
        "mask holds values down to -4; labels are whole numbers",
    ),
    "above 255": (
        lambda x, affine: (x.astype(np.int16) * 100, affine),
        "mask holds values up to 400; labels end at 255",
    ),
    "NaN": (
        lambda x, affine: (np.where(x == 4, np.nan, x).astype(np.float32), affine),
        r"mask holds \d+ values that are not finite",
    ),
}


def name(kind: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in kind.replace("<", "below"))


@pytest.fixture(scope="module")
def no_rights():
    """One scan that may not be read: played, since tests may run as root, who reads all."""
    opened = Path.open

    def refused(self, *arguments, **options):
        if self.name == "t1.nii.gz" and self.is_symlink() and os.readlink(self).startswith("unreadable"):
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return opened(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", refused)
        yield


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory, sound, found_once, no_rights):
    """One cohort with every broken file between sound subjects; {subject: outcome} and the folder."""
    cohort = Cohort(tmp_path_factory.mktemp("bad"), sound)
    cohort.add("first")
    for kind, (broken, _) in T1.items():
        broken(cohort.add("t1-" + name(kind)) / "t1.nii.gz", sound)
    for kind, (broken, _) in MASKS.items():
        nifti(cohort.add("mask-" + name(kind)) / "mask.nii.gz", *broken(outline(sound), sound.affine))
    cut(cohort.add("t2-truncated") / "t2.nii.gz", sound)
    nifti(cohort.add("t2-is-t1") / "t2.nii.gz", sound.data, sound.affine)
    nifti(cohort.add("mask-empty") / "mask.nii.gz", 0 * outline(sound), sound.affine)
    cohort.add("no-t2", t2=False)
    cohort.add("no-mask", mask=False)
    files, part = cohort.rows[0]
    double = "the same scan lies at a and b; keep one of them"
    cohort.rows.append((replace(files, subject="no-t1", t1=None), part))
    cohort.rows.append((replace(files, subject="twice", problem=double), part))
    cohort.add("last")
    written = cohort.sheet()
    found = list(preprocess.preprocess(written, written.rows, cohort.folder / "registered", FAST))
    assert [outcome.subject for outcome in found] == [row.subject for row in written.rows]
    return {outcome.subject: outcome for outcome in found}, cohort.folder


BROKEN = [(scan, kind, said) for scan, kinds in (("t1", T1), ("mask", MASKS)) for kind, (_, said) in kinds.items()]


@pytest.mark.parametrize(("scan", "kind", "said"), BROKEN)
def test_a_broken_t1_or_mask_costs_its_subject(outcomes, scan, kind, said):
    outcome = outcomes[0][f"{scan}-{name(kind)}"]
    assert (outcome.status, outcome.file) == ("lost", f"{scan}-{name(kind)}/{scan}.nii.gz")
    assert_said(outcome, said)
    assert not (outcomes[1] / "registered" / outcome.subject).exists()


BASIC = {"t1", "mask", "brain"}


@pytest.mark.parametrize(
    ("subject", "status", "file", "said", "volumes"),
    [
        ("t2-truncated", "partial", "t2-truncated/t2.nii.gz", "cannot be read.*; copy", BASIC),
        ("t2-is-t1", "partial", "t2-is-t1/t2.nii.gz", "is given as T2 but looks T1-weighted.*; name", BASIC),
        ("mask-empty", "done", "mask-empty/mask.nii.gz", "mask is empty: kept.*; exclude", BASIC | {"t2"}),
        ("no-t2", "done", "no-t2/t1.nii.gz", "has no T2-weighted scan.*: kept for T1; add", BASIC),
        ("no-mask", "lost", "no-mask/t1.nii.gz", "has no mask beside it.*; add it, or exclude", set()),
        ("no-t1", "lost", "first/t2.nii.gz", "has no T1-weighted scan.*; add it, or exclude", set()),
        ("twice", "lost", "first/t1.nii.gz", "the same scan lies at a and b; keep one of them", set()),
    ],
)
def test_what_is_left_of_a_subject(outcomes, subject, status, file, said, volumes):
    outcome = outcomes[0][subject]
    assert (outcome.status, outcome.file) == (status, file)
    assert_said(outcome, said)
    kept = {path.name.split(".")[0] for path in (outcomes[1] / "registered" / subject).glob("*.nii.gz")}
    assert kept == volumes


def assert_said(outcome: Outcome, pattern: str) -> None:
    assert re.match(pattern, outcome.reason), outcome.reason
    assert "\n" not in outcome.reason
    assert ";" in outcome.reason


def test_sound_subjects_are_as_they_were_alone(outcomes, sound, found_once, tmp_path):
    cohort = Cohort(tmp_path, sound)
    cohort.add("first")
    alone = cohort.sheet()
    assert [o.status for o in preprocess.preprocess(alone, alone.rows, tmp_path / "registered", FAST)] == ["done"]
    for subject in ("first", "last"):
        assert outcomes[0][subject] == Outcome(subject, "done")
        for path in (tmp_path / "registered" / "first").glob("*.n*"):
            assert (outcomes[1] / "registered" / subject / path.name).read_bytes() == path.read_bytes()


def test_a_second_run_says_the_same(outcomes, monkeypatch):
    """What is said of kept subjects is not forgotten when they are not done again."""
    written = sheet.read(outcomes[1] / "subjects.csv")
    monkeypatch.setattr(preprocess, "_subject", lambda *_: pytest.fail("done again"))
    rows = [row for row in written.rows if row.subject in ("mask-empty", "no-t2", "first")]
    again = list(preprocess.preprocess(written, rows, outcomes[1] / "registered", FAST))
    assert again == [outcomes[0][row.subject] for row in rows]


def test_an_empty_mask_is_labels_of_zero(outcomes):
    labels = nibabel.load(outcomes[1] / "registered" / "mask-empty" / "mask.nii.gz")
    assert not np.asarray(labels.dataobj).any()


def test_a_mask_of_a_lost_t2_says_so(sound, found_once, tmp_path):
    """The mask has the voxels of a T2 that cannot be read: both are told."""
    cohort = Cohort(tmp_path, sound)
    root = cohort.add("a")
    nifti(root / "mask.nii.gz", outline(sound)[1:], sound.affine)
    (root / "t2.nii.gz").write_bytes(b"")
    written = cohort.sheet()
    (outcome,) = preprocess.preprocess(written, written.rows, tmp_path / "registered", FAST)
    assert (outcome.status, outcome.file) == ("lost", "a/mask.nii.gz")
    assert "drawn on a/t2.nii.gz, which is empty" in outcome.reason


def test_a_subject_listed_twice_is_lost_alone(sound, found_once, tmp_path):
    """In a CSV of one's own a name stands twice: nobody knows which line is right."""
    for subject in ("a", "b", "c"):
        nifti(tmp_path / f"{subject}.nii.gz", sound.data, sound.affine)
    (tmp_path / "scans.csv").write_text("subject,t1\nx,a.nii.gz\ny,b.nii.gz\nx,c.nii.gz\n")
    arguments = ["--dataset", "own", "--layout", "sheet", "--root", tmp_path / "scans.csv"]
    said = call("index", *arguments, "--out", tmp_path / "s.csv")
    assert "own: x cannot be used: stands twice in scans.csv, again on line 4; name each one once" in said.output
    written = sheet.read(tmp_path / "s.csv")
    found = list(preprocess.preprocess(written, written.rows, tmp_path / "registered", FAST))
    assert [(o.subject, o.status) for o in found] == [("x", "lost"), ("y", "done")]


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO, errno.EMFILE, errno.ENOENT, errno.EACCES])
def test_a_fault_that_may_pass_never_costs_a_subject(sound, found_once, tmp_path, monkeypatch, code):
    monkeypatch.setattr(faults, "PAUSES", (0.0, 0.0))
    cohort = Cohort(tmp_path, sound)
    cohort.add("a")
    written, opened, left = cohort.sheet(), Path.open, [code] * 9

    def refused(self, *arguments, **options):
        if self.name == "t2.nii.gz" and left:
            raise OSError(left.pop(), os.strerror(code), str(self))
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(HarnessError, match=r"t2\.nii\.gz: .*run the same command again"):
        list(preprocess.preprocess(written, written.rows, tmp_path / "registered", FAST))
    left[:] = [code] * 2
    assert [o.status for o in preprocess.preprocess(written, written.rows, tmp_path / "registered", FAST)] == ["done"]


@pytest.mark.parametrize("missing", [lambda path: path.unlink(), lambda path: link(path, "gone.nii.gz")])
def test_a_file_that_the_sheet_lists_but_that_is_gone_ends_the_job(sound, tmp_path, monkeypatch, missing):
    monkeypatch.setattr(faults, "PAUSES", ())
    cohort = Cohort(tmp_path, sound)
    missing(cohort.add("a") / "t1.nii.gz")
    written = cohort.sheet()
    with pytest.raises(HarnessError, match=r"t1\.nii\.gz: .*run the same command again"):
        list(preprocess.preprocess(written, written.rows, tmp_path / "registered", FAST))


def claiming(side: int, data: bytes, offset: float = 352) -> bytes:
    """A NIfTI file whose header claims a cube of float64."""
    head = nibabel.Nifti1Header()
    head.set_data_shape((side,) * 3)
    head.set_data_dtype(np.float64)
    head["vox_offset"], head["magic"] = offset, b"n+1"
    return head.binaryblock + bytes(4) + data


@pytest.mark.parametrize(
    ("content", "memory", "said"),
    [
        (claiming(1200, b""), 1e12, "claims to have 1200 × 1200 × 1200 voxels, .* but holds 352; copy"),
        (claiming(8, bytes(8**3 * 8)), 4000.0, "claims to have 8 × 8 × 8 voxels, more than the memory holds"),
        (claiming(8, bytes(2**21)), 1e12, "goes on for more than 1048576 bytes after its image"),
        (claiming(8, bytes(8**3 * 8), 2.0**30), 1e12, "its header has the image behind 1.07374e.09 bytes"),
    ],
)
def test_absurd_claims_are_refused_before_memory_is_taken(tmp_path, monkeypatch, content, memory, said):
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(gzip.compress(content))
    monkeypatch.setattr("uadbench.compute.memory.most", lambda: memory)
    monkeypatch.setattr(np, "asanyarray", lambda *_: pytest.fail("allocated"))
    with pytest.raises(BadScan, match=said):
        read_volume(path)
