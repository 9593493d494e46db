"""Fixtures that every test may use: the repository root and real MRI where it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def mri_mini() -> Path:
    """A folder with a few real scans in the layouts of CamCAN, ATLAS and BraTS (environment variable MRI_MINI)."""
    path = Path(os.environ.get("MRI_MINI", ROOT.parent / "shared" / "data" / "mri-mini"))
    if not path.is_dir():
        pytest.skip(f"no real MRI at {path}; set MRI_MINI to a folder with camcan/, atlas/ and brats/")
    return path
