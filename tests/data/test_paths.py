"""Folders as people have them: linked in a circle, with spaces and letters of any script in their names."""

import os
import subprocess
import sys

import pytest

from tests.commands import call
from tests.data.conftest import SETTINGS, Cohort, nifti, random_volume
from uadbench.core.errors import HarnessError
from uadbench.data.index import layout, sheet
from uadbench.data.packing.store import Store


def test_folders_linked_in_a_circle_are_walked_once(tmp_path):
    scan = tmp_path / "sub-CC100001" / "anat" / "sub-CC100001_T1w.nii.gz"
    scan.parent.mkdir(parents=True)
    nifti(scan, random_volume())
    (scan.parent / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "itself").symlink_to("itself")
    arguments = ["--dataset", "camcan", "--layout", "camcan", "--root", tmp_path]
    said = call("index", *arguments, "--out", tmp_path / "s.csv")
    assert said.output.startswith("camcan: 1 subjects")
    (row,) = sheet.read(tmp_path / "s.csv").rows
    assert (row.t1, row.problem) == ("sub-CC100001/anat/sub-CC100001_T1w.nii.gz", "")


def test_a_folder_that_cannot_be_listed_stops_the_index(tmp_path, monkeypatch):
    (tmp_path / "sub-CC100001").mkdir()
    nifti(tmp_path / "sub-CC100001" / "sub-CC100001_T1w.nii.gz", random_volume())
    closed, listed = tmp_path / "sub-CC100002", os.scandir
    closed.mkdir()

    def scandir(path):  # the tests may run as root, whom no permission stops
        if os.fspath(path) == str(closed):
            raise PermissionError(13, "Permission denied", str(closed))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(HarnessError, match=r"sub-CC100002: cannot be listed \(Permission denied\); give read access"):
        layout.load("camcan").subjects(tmp_path)


def test_paths_may_have_spaces_and_any_letters(sound, tmp_path, root):
    """The three verbs as typed in a shell whose locale knows ASCII only."""
    folder = tmp_path / "Köpfe & Hüte, 頭 (1)"
    cohort = Cohort(folder, sound)
    place = cohort.add("BraTS20_Training_001")
    for kind, name in (("t1", "t1"), ("t2", "t2"), ("mask", "seg")):
        (place / f"{kind}.nii.gz").rename(place / f"BraTS20_Training_001_{name}.nii.gz")
    listed, registered, report = folder / "Übersicht 1.csv", folder / "auf Vorlage", folder / "1 von 1.csv"
    packed, brats = folder / "ge packt", ["--dataset", "brats"]
    verbs = [
        ["index", *brats, "--layout", "brats", "--role", "test", "--root", folder / "raw", "--out", listed],
        ["preprocess", "--sheet", listed, "--out", registered, "--report", report, "--settings", SETTINGS],
        ["pack", *brats, "--sheet", listed, "--registered", registered, "--reports", report, "--out", packed],
    ]
    environment = {**os.environ, "LC_ALL": "C", "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    for verb in verbs:
        command = [sys.executable, "-m", "uadbench", *map(str, verb)]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    store = Store.open(packed)
    assert (store.subjects, store.modalities) == (["BraTS20_Training_001"], ["t1", "t2"])
    assert store.images("t1").any()
