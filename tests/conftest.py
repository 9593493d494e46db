"""Fixtures that every test may use: the repository root and real MRI where it is there."""

import functools
import hashlib
import os
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from uadbench.conformance import cohort
from uadbench.core import folder_lock
from uadbench.core.files import atomic
from uadbench.data.preprocessing.registration import ants_registration, initialisation

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("any runner", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any runner")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


def remembered(function: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    """The function, which computes its result for equal arguments once and stores it in a folder."""

    @functools.wraps(function)
    def once(*arguments: Any) -> Any:
        path = folder / hashlib.blake2b(pickle.dumps(arguments), digest_size=16).hexdigest()
        if not path.is_file():
            with atomic(path) as partial:
                partial.write_bytes(pickle.dumps(function(*arguments)))
        return pickle.loads(path.read_bytes())

    return once


@pytest.fixture(scope="session", autouse=True)
def registered_once(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[None]:
    """Many tests preprocess the same few scans, and their registration takes nearly all of the time.

    All workers of a run share the results.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if hasattr(request.config, "workerinput") else base) / "registrations"
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((ants_registration, "align"), (initialisation, "guesses")):
            patch.setattr(module, name, remembered(getattr(module, name), folder / name))
        yield


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
    return cohort.write(tmp_path_factory.mktemp("tiny") / "packed")


@pytest.fixture
def unlock() -> Iterator[Callable[[], None]]:
    """Gives up the locks that this process holds, also after the test."""

    yield folder_lock.release
    folder_lock.release()


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
