"""What commands need beyond `pip install .`: the table of docs/getting-started.md is what they ask for."""

import re
import shutil
from dataclasses import asdict
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.commands import ROOT, ends
from tests.test_environments import EXTRAS
from tests.trainings import trained
from uadbench.cli import COMMANDS
from uadbench.core import extras
from uadbench.core.files import read_json, sha256, write_json
from uadbench.data.index.layout import Files
from uadbench.data.index.sheet import write
from uadbench.data.preprocessing.records.report import Outcome, write_report
from uadbench.data.preprocessing.registration import template
from uadbench.data.preprocessing.settings import Preprocessing
from uadbench.study.config_files import read

#: distributions whose modules have other names
IMPORTED = {"antspyx": "ants", "huggingface-hub": "huggingface_hub"}
HIDDEN = {"sklearn", *sum(extras.MODULES.values(), ())}
RUN = "results/demo/training/random/t1/seed-1"
SAVE = "--save results/demo/evaluation/x/ATLAS/seed-1"
SCORES = f"evaluate --maps maps --labels labels {SAVE} --method x --simulated"
LIGHT = [
    "list",
    "parameters",
    "simulate camcan --subjects 1 --spacing 8 --out simulated",
    "download depression --to new --dry-run",
    "index --dataset a --layout ixi --root raw --out indexed.csv",
    SCORES,
    f"{SCORES} --protocol upd",
    f"{SCORES} --protocol official",
    "summarize results/demo/evaluation/x/ATLAS/seed-1/full.npz --resamples 5 --out results/demo/evaluation/results.csv",
    f"histories {RUN} --out results/demo/training/histories.csv",
    "table table2 --results results/demo/evaluation/results.csv --out results/demo/paper",
    SCORES.replace(f"{SAVE} --method x", "--save other/evaluation/y --method y"),
    "summarize other/evaluation/y/full.npz --resamples 5 --out other/evaluation/results.csv",
    "join results/demo other --out joined",
    "figure froc --results results/demo/evaluation/results.csv --method x --out results/demo/paper",
    "claims results/demo --out claims.md",
    "report results/demo --config config.json",
    "excerpt results/demo --config config.json --out excerpt",
    "plan config.json",
    "status results/demo",
    "cost results/demo",
    "check results/demo",
    "trace results/demo/evaluation/results.csv --method x",
    f"share {RUN} --out shared",
    "quality --dataset a --sheet sheet.csv --registered registered --out quality --reports report.csv",
    "pack --dataset a --sheet sheet.csv --registered registered --out new --reports report.csv",
]
PREPROCESS = "preprocess --sheet sheet.csv --out made --report made.csv"
SCORE = f"score --run {RUN} --image raw/IXI002-Guys-0828-T1.nii.gz --out map.nii.gz"
HEAVY = {
    "train": [
        "train --method vae --modality t1 --seed 1 --data packed --out new",
        f"test --run {RUN} --data packed --task a --modality t1 --out new",
        "synthesis --data packed --modality t1 --out new.npz",
        "bench --method random",
        "conformance random",
        SCORE,
    ],
    "preprocess": [
        "paint --sheet sheet.csv --split train --out painted",
        PREPROCESS,
    ],
    "share": [f"share {RUN} --repo a/b"],
    "tensorboard": ["tensorboard results/demo"],
}


@pytest.fixture(scope="module")
def folder(tiny_cohort, tmp_path_factory) -> Path:
    """Scans, score maps with labels, a preprocessed data set, and a study with one run."""
    made = tmp_path_factory.mktemp("extras")
    rng, grid = np.random.default_rng(0), template.load("mni152").packed(Preprocessing(spacing=8.0))
    rows = [(Files(name, Path(f"{name}-T1.nii.gz")), "train") for name in ("IXI002-Guys-0828", "IXI012-HH-1211")]
    for number, (files, _) in enumerate(rows):
        label = np.zeros((8, 8, 8), np.uint8)
        label[2:4, 2:4, 2:4] = 1
        scan = rng.uniform(size=(24, 24, 24)).astype(np.float32)
        maps = label + scan[0, 0, 0]
        images = {f"raw/{files.t1}": scan, f"labels/{number}.nii.gz": label, f"maps/{number}.nii.gz": maps}
        placed = np.full(grid.shape, 1 + number, np.float32)
        images |= {f"registered/{files.subject}/{name}.nii.gz": placed for name in ("t1", "brain")}
        for name, image in images.items():
            (made / name).parent.mkdir(exist_ok=True, parents=True)
            affine = grid.affine if image is placed else np.diag([8.0, 8.0, 8.0, 1.0])
            nib.Nifti1Image(image, affine).to_filename(made / name)
        folder = made / "registered" / files.subject
        volumes = {name: sha256(folder / f"{name}.nii.gz") for name in ("t1", "brain")}
        record = {"settings": {"spacing": 8.0}, "template_to_scan": {"t1": np.eye(4).tolist()}, "brain_ml": 1.0}
        write_json(folder / "subject.json", record | {"volumes": volumes})
    write(made / "sheet.csv", made / "raw", rows)
    write_report(made / "report.csv", [Outcome(files.subject, "done") for files, _ in rows])
    shutil.copytree(tiny_cohort, made / "packed")
    index = read_json(tiny_cohort / "index.json") | {"preprocessing": asdict(Preprocessing()), "arrays": {}}
    for name in ("camcan", "atlas", "brats"):
        write_json(made / "results/demo/data" / name / "packed/index.json", index)
    trained("random", tiny_cohort, made / RUN)
    write_json(made / "config.json", read(ROOT / "config.yaml") | {"methods": ["random"]})
    return made


def test_the_extras_are_those_of_the_package():
    for extra, modules in extras.MODULES.items():
        names = [entry.partition(">")[0] for entry in EXTRAS[extra]]
        assert sorted(IMPORTED.get(name, name) for name in names) == sorted(modules)
    assert extras.remedy("yaml") is None


def test_commands_need_the_extras_of_the_table(folder):
    found: dict[str, set[str]] = {line.split()[0]: set() for line in LIGHT}
    everything = ends(folder, HIDDEN, [*LIGHT, *(line for lines in HEAVY.values() for line in lines)])
    failed = [f"{line}: {end}" for line in LIGHT if (end := everything.pop(line))]
    assert not failed, "\n".join(failed)
    # Without ants alone: neither the imports nor the template fail before the first registration.
    later = ends(folder, {"ants"}, [PREPROCESS, SCORE])
    events = ends(folder, HIDDEN - set(extras.MODULES["train"]), HEAVY["tensorboard"])
    for line, end in [*everything.items(), *later.items(), *events.items()]:
        name = line.split()[0]
        said = re.fullmatch(rf'{name}: \w+ is not installed; .* run: pip install "\.\[(\w+)\]"', end)
        assert said, f"{line}: {end}"
        found.setdefault(name, set()).add(said[1])
    page = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    table = re.findall(r'^\| `pip install "?\.(?:\[([\w,]+)\]")?"?` \| (.*?)(?::.*)? \|$', page, re.MULTILINE)
    listed: dict[str, set[str]] = {}
    for extra, commands in table[:-1]:
        for name in re.findall(r"`(\w+)[^`]*`", commands.partition(", and runs")[0]):
            listed.setdefault(name, set()).update(filter(None, extra.split(",")))
    assert listed == found
    assert sorted(listed) == COMMANDS.names()
