"""The wheel by itself: commands, schemas, resources and baselines without a checkout."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml

from tests.commands import snakemake

BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def unpacked(root, tmp_path_factory) -> Path:
    """A folder with the content of the wheel."""
    made = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-c", BUILD, str(made)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    with zipfile.ZipFile(made / done.stdout.split()[-1]) as wheel:
        wheel.extractall(made / "site-packages")
    return made / "site-packages"


@pytest.fixture
def uadbench(unpacked, tmp_path):
    """Runs a command of the unpacked wheel in an empty folder, far from the checkout."""

    def run(*arguments: object) -> subprocess.CompletedProcess:
        # Without the site's paths, an editable installation of the checkout is not found; its packages are added.
        code = "import sys; from uadbench.cli import main; sys.argv[0] = 'uadbench'; main()"
        paths = [str(unpacked), *(path for path in sys.path if path.endswith("site-packages"))]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-S", "-P", "-c", code, *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return run


def test_the_wheel_is_one_package_with_every_baseline(root, unpacked):
    assert {path.name for path in unpacked.iterdir() if not path.name.endswith(".dist-info")} == {"uadbench"}
    here, there = (
        {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}
        for folder in (root / "uadbench", unpacked / "uadbench")
    )
    assert there == here | {f"baselines/installed/{path.name}" for path in (root / "baselines").glob("*.py")}
    (metadata,) = unpacked.glob("*.dist-info")
    assert "uadbench = uadbench.cli:main" in (metadata / "entry_points.txt").read_text()
    others = {path.parent.name for path in (metadata / "licenses").rglob("LICENSE.txt")}
    assert others == {"niivue", "mni152"}


def test_commands_read_their_files_from_the_package(uadbench, unpacked, tmp_path):
    listed = json.loads(uadbench("list", "--json").stdout)
    assert {"disyre", "dae-upd"} <= {about["name"] for about in listed}
    assert uadbench("parameters").stdout.startswith("# Hyper-parameters")
    scan = nib.Nifti1Image(np.ones((4, 4, 4), np.float32), np.eye(4))
    (tmp_path / "raw").mkdir()
    for name in ("IXI002-Guys-0828-T1.nii.gz", "IXI012-HH-1211-T1.nii.gz"):
        scan.to_filename(tmp_path / "raw" / name)
    done = uadbench("index", "--dataset", "ixi", "--layout", "ixi", "--root", "raw", "--out", "sheet.csv")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sheet.csv").read_text().count("\n") == 3
    assert "2 found" in done.stdout + done.stderr  # compared with the release in resources/datasets.csv


def test_a_baseline_of_ones_own_conforms(root, uadbench, tmp_path):
    (tmp_path / "own").mkdir()
    text = (root / "baselines" / "intensity.py").read_text()
    (tmp_path / "own" / "mine.py").write_text(text)
    done = uadbench("conformance", tmp_path / "own" / "mine.py")
    assert done.returncode == 0, done.stdout + done.stderr
    names = [about["name"] for about in json.loads(uadbench("--baselines", "own", "list", "--json").stdout)]
    assert "mine" in names
    (tmp_path / "own" / "mine.py").rename(tmp_path / "own" / "dae.py")
    done = uadbench("--baselines", "own", "list")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {tmp_path / 'own' / 'dae.py'}: the method dae exists already in ")


def test_a_study_finds_baselines_of_ones_own(root, tmp_path):
    """The config's key `baselines` alone: the file is in no other folder."""
    (tmp_path / "own").mkdir()
    shutil.copy(root / "baselines" / "intensity.py", tmp_path / "own" / "mine.py")
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"methods": ["mine"], "baselines": str(tmp_path / "own")}))
    options = ["--cores", 1, "--dry-run", "--quiet", "rules", "--directory", tmp_path]
    options += ["--configfile", root / "config.yaml", tmp_path / "own.yaml"]
    done = snakemake(*options)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "own" / "mine.py").unlink()
    done = snakemake(*options)
    assert "method 'mine' is unknown" in done.stdout + done.stderr
