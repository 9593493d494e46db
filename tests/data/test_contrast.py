"""Contrast of BIDS scans: sidecars and entities where they contradict the suffix, with the times of real protocols."""

import json

import pytest

from tests.data.conftest import touch
from uadbench.core.errors import HarnessError
from uadbench.data.index import layout
from uadbench.data.index.contrast import Timing, contrast, stated

#: protocols: MPRAGE and spin echo, T2 (TSE), FLAIR in 2D and 3D, T1 with dark fluid, STIR, bSSFP
MPRAGE, SPIN_ECHO = Timing(2.3, 0.003, 0.9), Timing(0.55, 0.012)
T2, FLAIR, FLAIR_3D = Timing(4.0, 0.1), Timing(11, 0.125, 2.8), Timing(5, 0.388, 1.8)
T1_FLAIR, STIR, SSFP = Timing(2.0, 0.01, 0.8), Timing(4.0, 0.08, 0.2), Timing(0.005, 0.002)


@pytest.mark.parametrize(
    ("suffix", "acq", "timing", "found"),
    [
        ("T2w", "", FLAIR, "FLAIR"),
        ("T2w", "", FLAIR_3D, "FLAIR"),
        ("T1w", "", FLAIR, "FLAIR"),
        ("T2w", "FLAIR", Timing(), "FLAIR"),
        ("T2w", "FLAIR", Timing(11, 0.125), "FLAIR"),
        ("T2w", "sagFlair3D", Timing(), "FLAIR"),
        ("T2w", "tirm", Timing(), "FLAIR"),
        ("T2w", "", MPRAGE, "T1w"),
        ("T1w", "", T2, "T2w"),
        ("T1w", "T2", Timing(), "T2w"),
        ("T2w", "T1w", Timing(), "T1w"),
        ("FLAIR", "", T1_FLAIR, "T1w"),
        ("T2w", "FLAIR", T1_FLAIR, "T1w"),
        # no contradiction
        ("T1w", "", MPRAGE, "T1w"),
        ("T1w", "", SPIN_ECHO, "T1w"),
        ("T1w", "T2", MPRAGE, "T1w"),
        ("T1w", "FLAIR", Timing(), "T1w"),
        ("T2w", "", T2, "T2w"),
        ("T2w", "", STIR, "T2w"),
        ("T2w", "", SSFP, "T2w"),
        ("FLAIR", "T2sel", Timing(), "FLAIR"),
        ("FLAIR", "T2sel", FLAIR, "FLAIR"),
        ("FLAIR", "", Timing(9, 0.09), "FLAIR"),
        ("dwi", "FLAIR", FLAIR, "dwi"),
    ],
)
def test_what_contradicts_the_suffix_counts(suffix, acq, timing, found):
    judged, reason = contrast(suffix, {"acq": acq} if acq else {}, timing)
    assert judged == found
    assert bool(reason) == (found != suffix)


def kinds(tmp_path, **options) -> dict[str, str]:
    (files,) = layout.load("bids", **options).subjects(tmp_path)
    return {name: path.name for name, path in files.scans.items()}


@pytest.mark.parametrize(
    "place", ["sub-1/anat/sub-1_acq-x_T2w.json", "sub-1/sub-1_T2w.json", "acq-x_T2w.json", "T2w.JSON"]
)
@pytest.mark.parametrize("times", [(11, 0.125, 2.8), (11000, 125, 2800), ("11", "0.125", "2.8")])
def test_a_sidecar_counts_wherever_bids_has_it(tmp_path, place, times):
    touch(tmp_path, "sub-1/anat/sub-1_T1w.nii.gz", "sub-1/anat/sub-1_acq-x_T2w.nii.gz", "sub-1/acq-y_T2w.json")
    keys = ("RepetitionTime", "EchoTime", "InversionTime")
    (tmp_path / place).write_text(json.dumps(dict(zip(keys, times, strict=True))))
    assert kinds(tmp_path) == {"t1": "sub-1_T1w.nii.gz", "flair": "sub-1_acq-x_T2w.nii.gz"}
    assert list(kinds(tmp_path, contrast="suffix")) == ["t1", "t2"]


def test_milliseconds_are_not_taken_for_seconds(tmp_path):
    touch(tmp_path, "sub-1/anat/sub-1_T1w.nii.gz")
    times = {"RepetitionTime": 2300, "EchoTime": 3.0, "InversionTime": 900}
    (tmp_path / "sub-1/anat/sub-1_T1w.json").write_text(json.dumps(times))
    assert list(kinds(tmp_path)) == ["t1"]


def test_the_nearest_sidecar_precedes(tmp_path):
    touch(tmp_path, "sub-1/anat/sub-1_T2w.nii.gz")
    (tmp_path / "T2w.json").write_text('{"EchoTime": 0.125, "InversionTime": 2.8, "RepetitionTime": 11}')
    (tmp_path / "sub-1/anat/sub-1_T2w.json").write_text('{"InversionTime": 0.2}')
    assert list(kinds(tmp_path)) == ["t2"]


@pytest.mark.parametrize("content", ["", "[1]", '{"EchoTime": ', '{"EchoTime": [0.1], "InversionTime": null}', "\xff"])
def test_a_sidecar_that_says_nothing_leaves_the_suffix(tmp_path, content):
    touch(tmp_path, "sub-1/anat/sub-1_T2w.nii.gz")
    (tmp_path / "sub-1/anat/sub-1_T2w.json").write_bytes(content.encode("latin-1"))
    assert list(kinds(tmp_path)) == ["t2"]


def test_a_layout_with_names_of_its_own_has_no_such_choice():
    with pytest.raises(HarnessError, match=r"layout 'ixi': its names have no entities of BIDS .* leave `contrast` out"):
        layout.load("ixi", contrast="suffix")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("BraTS20_Training_001_flair.nii.gz", "flair"),
        ("BraTS20_Training_001_t1ce.nii", "t1c"),
        ("anna-T2.nii.gz", "t2"),
        ("anna_t2_brain.nii.gz", "t2"),
        ("sub-1_ce-gd_T1w.nii.gz", "t1c"),
        ("sub-1_acq-FLAIR_T2w.nii.gz", "flair"),
        ("sub-1_acq-FLAIR_T1w.nii.gz", "t1"),
        ("sub-1_space-T1w_FLAIR.nii.gz", "flair"),
        ("T1_T2_ratio.nii.gz", ""),
        ("scan.nii.gz", ""),
    ],
)
def test_modality_by_a_name_of_any_kind(tmp_path, name, found):
    assert stated(tmp_path / name)[0] == found
    times = '{"EchoTime": 0.4, "RepetitionTime": 5, "InversionTime": 1.8}'
    (tmp_path / f"{name.partition('.')[0]}.json").write_text(times)
    if found in ("t2", ""):
        assert stated(tmp_path / name) == ("flair", "its sidecar")
