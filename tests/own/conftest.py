"""Two scans, their place without a registration, and a run that scores them."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.data.conftest import FAST, NATIVE, POSE, mni, nifti, scanned
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.registration.transform import Placement
from uadbench.methods.base import Context
from uadbench.methods.settings import resolve
from uadbench.own import scan_scoring
from uadbench.training import facts, run


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    """Two scans of an extracted brain, one of them with a bright spot, and a file that is none."""
    folder = tmp_path_factory.mktemp("scans")
    image, mask = (scanned(data, mni().affine, POSE, NATIVE) for data in (mni().image, mni().mask.astype(np.float32)))
    brain = np.where(mask > 0.5, np.maximum(image * 800, 1), 0).astype(np.float32)
    nifti(folder / "a.nii.gz", brain, NATIVE.affine)
    nifti(folder / "b.nii.gz", np.where(brain > 0, np.maximum(brain * 0.9, 1), 0), NATIVE.affine)
    (folder / "notes.txt").touch()
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run of the control `intensity`, which nothing is learned for."""
    folder = tmp_path_factory.mktemp("run")
    method = run.build("intensity", {}, Context("t1", FAST.spacing))
    about = facts.of_method(resolve("intensity", "t1"), FAST.spacing, 1)
    run.write(folder, method, about | {"preprocessing": asdict(FAST), "simulated": True})
    return folder


@pytest.fixture(scope="module")
def prepared(scans):
    """A scan at the place where it was made, without a registration."""
    data, grid = np.asarray(nibabel.load(scans / "a.nii.gz").dataobj), mni().packed(FAST)
    volume = geometry.sample(data / data.max(), NATIVE.affine, grid, POSE)
    return volume.transpose(2, 1, 0), Placement(NATIVE, grid, POSE, brain=data > 0)


@pytest.fixture
def placed(prepared, monkeypatch) -> list[tuple]:
    """What would be registered: modality, scan, T1 and brain mask; every scan has the place and values of one."""
    found: list[tuple] = []

    def prepare(path, chosen, modality, t1=None, brain=None):
        found.append((modality, path.name, t1 and t1.name, brain and brain.name))
        return prepared[0], replace(prepared[1], path=path)

    monkeypatch.setattr(scan_scoring, "prepare_scan", prepare)
    return found
