"""The experiments on real data: their workflow resolves on trees of the full releases' sizes, made of empty files."""

import os
import re
from pathlib import Path

import pytest
import yaml

from tests.commands import ROOT, snakemake
from tests.data.conftest import touch
from uadbench.core.packaged import RESOURCES
from uadbench.data.index import layout, release, sheet, splits
from uadbench.study.checks import experiment as checked
from uadbench.study.config_files import read
from uadbench.study.outputs import outputs


@pytest.fixture(scope="module")
def trees(tmp_path_factory) -> dict[str, Path]:
    """Roots of made-up releases with as many subjects as the real ones."""
    top = tmp_path_factory.mktemp("releases")
    roots = {name: top / name for name in ("camcan", "atlas", "brats", "ixi", "arc", "ljubljana")}
    held_out = list(splits.read_list(RESOURCES / "splits" / "camcan.csv"))
    for subject in [*held_out, *(f"sub-CC9{n:05d}" for n in range(653 - len(held_out)))]:
        anat = roots["camcan"] / "cc700/mri/pipeline/release004/BIDS_20190411/anat" / subject / "anat"
        touch(anat, f"{subject}_T1w.nii.gz", f"{subject}_T2w.nii.gz")
    for n in range(655):
        subject = f"sub-r{n // 20:03d}s{n:03d}"
        name = f"ATLAS_2/Training/R{n // 20:03d}/{subject}/ses-1/anat/{subject}_ses-1_space-MNI152NLin2009aSym"
        touch(roots["atlas"], f"{name}_T1w.nii.gz", f"{name}_label-L_desc-T1lesion_mask.nii.gz")
    for n in range(1, 370):
        name = f"BraTS20_Training_{n:03d}"
        folder = roots["brats"] / "MICCAI_BraTS2020_TrainingData" / name
        touch(folder, *(f"{name}_{kind}.nii" for kind in ("t1", "t1ce", "t2", "flair")))
        touch(folder, "W39_1998.09.19_Segm.nii" if n == 355 else f"{name}_seg.nii")
    for n in range(581):
        kinds = ("T1", "T2") if n < 578 else ("T1",)
        touch(roots["ixi"], *(f"IXI{n:03d}-Guys-{n:04d}-{kind}.nii.gz" for kind in kinds))
    for n in range(230):
        anat = f"sub-M{2000 + n}/ses-1/anat/sub-M{2000 + n}_ses-1"
        touch(roots["arc"], f"{anat}_T1w.nii.gz", f"{anat}_T2w.nii.gz")
        if n < 228:
            touch(roots["arc"], f"derivatives/lesion_masks/{anat}_T2w_desc-lesion_mask.nii.gz")
    for n in range(1, 31):
        name = f"patient{n:02d}/patient{n:02d}"
        touch(roots["ljubljana"], *(f"{name}_{kind}.nii.gz" for kind in ("T1W", "T2W", "consensus_gt")))
    return roots


@pytest.mark.parametrize("name", ["camcan", "atlas", "brats", "ixi", "arc", "ljubljana"])
def test_a_whole_release_is_complete(trees, name):
    entry = release.find(name)
    kind = layout.load(entry.layout)
    found = sheet.find(kind, trees[name])
    lines = release.compare(found, kind, entry)
    assert lines
    assert not [line for line in lines if "too few" in line]


def test_camcan_gives_the_splits_of_the_paper(trees):
    rows = sheet.index(layout.load("camcan"), trees["camcan"], listed=RESOURCES / "splits" / "camcan.csv")
    parts = [part for _, part in rows]
    assert (parts.count("train"), parts.count("validation"), len(parts)) == (602, 50, 652)


@pytest.fixture
def variables(trees, tmp_path) -> dict[str, str]:
    """Those that the configs name: the roots of the releases, and a template."""
    (tmp_path / "sri24.nii.gz").touch()
    return {"SRI24": str(tmp_path / "sri24.nii.gz"), **{name.upper(): str(root) for name, root in trees.items()}}


@pytest.mark.parametrize("config", ["paper", "paper-own", "paper-upd"])
def test_the_config_is_sound(variables, config, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    study = checked(read(ROOT / "config" / f"{config}.yaml"))
    assert "table2" in study.tables
    assert outputs(study)


SLOW = [pytest.param(config, marks=pytest.mark.slow) for config in ("paper-own", "paper-upd")]


@pytest.mark.parametrize("config", ["paper", *SLOW])
def test_the_workflow_resolves(variables, config):
    options = ["--cores", 2, "-n", "--quiet", "rules", "--configfile", f"config/{config}.yaml"]
    done = snakemake(*options, env={**os.environ, **variables})
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    assert "table2" in said


def test_lists_and_files_of_ones_own_are_inputs(tmp_path):
    """A line added to a CSV or the list of a split, another template and other weights rerun what depends on them."""
    (tmp_path / "own.csv").write_text("subject,t1,mask\na,a.nii,m.nii\n")
    (tmp_path / "held.csv").write_text("subject,split\nsub-CC000001,validation\n")
    for name in ("template.nii.gz", "resnet.pth"):
        (tmp_path / name).touch()
    config = {
        "experiment": "own",
        "datasets": {
            "healthy": {"layout": "camcan", "root": str(tmp_path), "split": str(tmp_path / "held.csv")},
            "own": {"layout": "sheet", "root": str(tmp_path / "own.csv"), "unmasked": "leave_out"},
        },
        "preprocessing": {"template": str(tmp_path / "template.nii.gz")},
        "chunks": 1,
        "train": "healthy",
        "tasks": [{"name": "Own", "dataset": "own", "modality": "t1"}],
        "methods": ["fae"],
        "params": {"fae": {"weights": str(tmp_path / "resnet.pth")}},
        "seeds": [1],
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(config))
    done = snakemake("--cores", 1, "-n", "--printshellcmds", "--configfile", tmp_path / "study.yaml")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    jobs = re.findall(r"rule (\w+):\n    input: (.*)", done.stdout)
    inputs = {rule: [line for name, line in jobs if name == rule] for rule, _ in jobs}
    assert any("own.csv" in line for line in inputs["index"])
    assert any("held.csv" in line for line in inputs["index"])
    assert all("template.nii.gz" in line for line in inputs["preprocess"])
    assert all("resnet.pth" in line for line in inputs["train"])
    assert "--unmasked leave_out" in done.stdout.replace("'", "")
