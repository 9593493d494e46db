"""Fixtures that every test may use: the repository root and real MRI where it is there."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from scipy.ndimage import gaussian_filter

from uadbench.files import write_json

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("any runner", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any runner")


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


@pytest.fixture(scope="session")
def tiny_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed cohort of smooth random 'brains' in two modalities with a bright blob for a lesion; seconds to train on.

    Four training, two validation and three test subjects, 10 slices of 36 x 28 voxels of 4 mm.
    """
    folder = tmp_path_factory.mktemp("tiny") / "packed"
    folder.mkdir()
    generator = np.random.default_rng(7)
    splits = ["train"] * 4 + ["validation"] * 2 + ["test"] * 3
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in (10, 36, 28)), indexing="ij")
    brain = (z**2 + y**2 + x**2) < 0.9
    images = np.zeros((2, len(splits), *brain.shape), np.float16)
    masks = np.zeros((len(splits), *brain.shape), np.uint8)
    for row, split in enumerate(splits):
        for modality in range(2):
            texture = gaussian_filter(generator.standard_normal(brain.shape), 1.5)
            images[modality, row] = np.clip(0.5 + texture, 0.01, 1) * brain
        if split == "test":
            masks[row] = ((z**2 + (y - 0.3) ** 2 + (x + 0.2) ** 2) < 0.06) & brain
            images[:, row][:, masks[row] > 0] = 1.0
    for name, array in (("t1", images[0]), ("t2", images[1]), ("mask", masks)):
        np.save(folder / f"{name}.npy", array)
    write_json(
        folder / "index.json",
        {
            "dataset": "tiny",
            "simulated": True,
            "modalities": ["t1", "t2"],
            "has_mask": True,
            "spacing": 4.0,
            "affine": np.diag([4.0, 4.0, 4.0, 1.0]).tolist(),
            "preprocessing": {},
            "subjects": [
                {"subject": f"tiny-{row}", "split": split, "modalities": ["t1", "t2"]}
                for row, split in enumerate(splits)
            ],
            "left_out": [],
        },
    )
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--until", type=float, metavar="SECONDS", help="start no test after this time since the epoch")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The workflow's tests first: they take longest, and other workers have the rest meanwhile. Last with `--until`."""
    late = config.getoption("--until") is not None
    items.sort(key=lambda item: (item.path.name == "test_workflow.py") == late)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what a slow runner does not reach in the time it has; the summary counts it."""
    until = item.config.getoption("--until")
    if until is not None and time.time() > until:
        pytest.skip("not reached in the time given by --until")
