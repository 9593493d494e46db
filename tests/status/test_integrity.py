"""The verb `check`: every kind of damage is found and named, and what is removed is what must be made again."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from tests.commands import call, ended, fails
from uadbench.core import folder_lock
from uadbench.core.archive import HISTOGRAMS
from uadbench.core.files import sha256, write_json
from uadbench.core.study_folder import LOCK
from uadbench.status import integrity

pytestmark = pytest.mark.usefixtures("unlock")


@pytest.fixture
def study(tmp_path) -> Path:
    """The files of a tiny study, as the workflow lays them."""
    root = tmp_path / "demo"
    files = {
        "data/atlas/registered/a/t1.nii.gz": gzip.compress(b"volume a"),
        "data/atlas/registered/b/t1.nii.gz": gzip.compress(b"volume b"),
        "data/atlas/chunks/1-of-2.csv": b"subject,status,file,reason\na,done,,\n",
        "data/atlas/chunks/2-of-2.csv": b"subject,status,file,reason\nb,done,,\n",
        "data/atlas/packed/t1.npy": b"array",
        "training/dae/t1/seed-1/weights/unet.safetensors": b"weights",
        "training/dae/t1/seed-1/weights/.snakemake_timestamp": b"",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    for subject in ("a", "b"):
        folder = root / "data/atlas/registered" / subject
        write_json(folder / "subject.json", {"volumes": {"t1": sha256(folder / "t1.nii.gz")}})
    packed, run = root / "data/atlas/packed", root / "training/dae/t1/seed-1"
    write_json(packed / "index.json", {"arrays": {"t1": sha256(packed / "t1.npy")}})
    write_json(run / "run.json", {"weights": {"unet.safetensors": sha256(run / "weights/unet.safetensors")}})
    write_json(root / "training/random/t1/seed-1/run.json", {"weights": {}})
    HISTOGRAMS.save(root / "evaluation/dae/ATLAS/seed-1/full.npz", {"counts": np.arange(1000)})
    return root


DAMAGE = {
    "data/atlas/registered/b/t1.nii.gz": ["data/atlas/registered/b/subject.json", "data/atlas/chunks/2-of-2.csv"],
    "data/atlas/registered/b/subject.json": ["data/atlas/registered/b/subject.json", "data/atlas/chunks/2-of-2.csv"],
    "data/atlas/packed/t1.npy": ["data/atlas/packed/index.json"],
    "data/atlas/packed/index.json": ["data/atlas/packed/index.json"],
    "training/dae/t1/seed-1/weights/unet.safetensors": ["training/dae/t1/seed-1/run.json"],
    "training/dae/t1/seed-1/run.json": ["training/dae/t1/seed-1/run.json"],
    "evaluation/dae/ATLAS/seed-1/full.npz": ["evaluation/dae/ATLAS/seed-1/full.npz"],
}


def test_a_whole_study_has_no_damage(study):
    assert list(integrity.check(study)) == []
    said = call("check", study).output.splitlines()
    assert re.match(".*demo: 8 files have no checksum, the first .*: only their form was read", said[0])
    assert said[1] == "all files with a checksum are as they were written"
    assert not (study / LOCK).exists()


@pytest.mark.parametrize("kind", ["bit", "half", "gone"])
@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found_and_what_is_made_again_removed(study, name, kind, unlock):
    path = study / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x80  # no ASCII, hence no JSON either
    if kind == "gone":
        if name.endswith((".json", ".npz")):
            pytest.skip("the workflow itself makes a missing output again")
        path.unlink()
    else:
        path.write_bytes(content if kind == "bit" else content[: len(content) // 2])
    before = {file: file.is_file() for file in study.rglob("*") if file.is_file()}
    (damage,) = integrity.check(study)
    assert damage.path == path
    result = ended("check", study)
    assert str(path) in result.output
    assert "give --remove" in str(result.exception)
    assert {file: file.is_file() for file in before} == before
    unlock()
    fails("check", study, "--remove")
    gone = sorted(str(file.relative_to(study)) for file in before if not file.is_file())
    assert gone == sorted(DAMAGE[name])


def test_a_record_without_checksums_is_damaged(study):
    write_json(study / "data/atlas/packed/index.json", {"modalities": ["t1"]})
    (damage,) = integrity.check(study)
    assert damage.remove == (study / "data/atlas/packed/index.json",)


def test_a_running_study_is_not_touched(study):
    folder_lock.hold(study)
    assert "runs this experiment" in fails("check", study, "--remove")


def test_a_folder_that_is_none_is_named(tmp_path):
    assert "no such folder" in fails("check", tmp_path / "no")
