"""A stand-in of the hub, runs to share, and a scan to score."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants

from tests.data.conftest import FAST, NATIVE, POSE, mni, nifti, scanned
from tests.sharing.hub import TOKEN, Hub
from tests.trainings import trained
from uadbench.core.files import read_json, write_json


def of(study: Path, method: str) -> Path:
    """The run of a method in a study."""
    return study / "training" / method / "t1" / "seed-3"


@pytest.fixture
def hub(monkeypatch, tmp_path) -> Iterator[Hub]:
    """A stand-in of the hub, to which this process is logged in, with an empty cache."""
    server = Hub()
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def cohort(tiny_cohort: Path, tmp_path_factory) -> Path:
    """The tiny cohort, which states a preprocessing that new scans can be put through."""
    folder = tmp_path_factory.mktemp("sharing") / "packed"
    shutil.copytree(tiny_cohort, folder)
    index = read_json(folder / "index.json")
    write_json(folder / "index.json", index | {"preprocessing": asdict(FAST)})
    return folder


@pytest.fixture(scope="session")
def study(cohort, tmp_path_factory) -> Path:
    """The folder of an experiment with the runs of a VAE, of the r-VAE that builds on it, and of a diffusion model."""
    folder = tmp_path_factory.mktemp("study") / "demo"
    for method, required in (("vae", None), ("r_vae", "vae"), ("ddpm", None)):
        trained(method, cohort, of(folder, method), 3, required=of(folder, required) if required else None)
    return folder


@pytest.fixture
def run(study, tmp_path) -> Path:
    """A copy of the VAE's run, in the place of a study."""
    folder = tmp_path / "demo" / "training" / "vae" / "t1" / "seed-3"
    shutil.copytree(of(study, "vae"), folder)
    return folder


@pytest.fixture(scope="session")
def scan(tmp_path_factory) -> Path:
    """A scan of an extracted brain."""
    image, mask = (scanned(data, mni().affine, POSE, NATIVE) for data in (mni().image, mni().mask.astype(np.float32)))
    path = tmp_path_factory.mktemp("scan") / "scan.nii.gz"
    return nifti(path, np.where(mask > 0.5, np.maximum(image * 800, 1), 0).astype(np.float32), NATIVE.affine)
