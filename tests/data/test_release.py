"""What a folder lacks of what its release should hold is counted and named."""

from pathlib import Path

import pytest

from uadbench.core.errors import HarnessError
from uadbench.data.index import layout, release
from uadbench.data.index.layout import Files


def test_every_row_is_complete_and_of_a_layout_that_exists():
    for name, entry in release.releases().items():
        assert entry.layout in layout.LAYOUTS.names(), name
        assert all((entry.title, entry.version, entry.licence, entry.access, entry.reference)), name
        assert entry.source.startswith("https://"), name
        assert entry.subjects is None or entry.t1 is None or entry.t1 >= entry.subjects - 1, name  # ARC lacks one
    with pytest.raises(HarnessError, match="camcan, atlas, brats"):
        release.find("adni")


def test_the_page_has_the_steps_of_what_comes_by_hand(root):
    page = (root / "docs" / "data.md").read_text(encoding="utf-8")
    for name, entry in release.by_hand().items():
        assert f" | {entry.steps} | {entry.content} |\n" in page, name


def test_what_is_missing_is_named():
    names = layout.load("brats").complete()
    assert (len(names), names[354]) == (369, "BraTS20_Training_355")
    there = [name for name in names if name not in ("BraTS20_Training_002", "BraTS20_Training_355")]
    found = [Files(name, Path("t1"), Path("t2"), Path("mask")) for name in there]
    found[0] = Files(there[0], Path("t1"), None, Path("mask"))
    lines = release.compare(found, layout.load("brats"), release.find("brats"))
    assert "subjects: 367 found, 369 in BraTS 2020 (training) 2020: 2 too few" in lines
    assert "subjects missing: BraTS20_Training_002, BraTS20_Training_355" in lines
    assert "t2 missing: BraTS20_Training_001" in lines
    assert not any(line.startswith("masks missing") for line in lines)


def test_healthy_subjects_need_no_mask():
    found = [Files(f"s{number}", Path("t1"), None, Path("mask") if number else None) for number in range(3)]
    assert release.compare(found, layout.load("camcan"), None) == ["masks missing: s0"]
    assert release.compare(found, layout.load("camcan"), None, healthy=True) == []


def test_long_lists_are_cut_and_absent_kinds_not_named():
    found = [Files(f"s{number}", Path("t1"), Path("t2") if number > 9 else None) for number in range(20)]
    lines = release.compare(found, layout.load("camcan"), None)
    assert lines == ["t2 missing: s0, s1, s2, s3, s4, s5, s6, s7 and 2 more"]
