"""`--use-conda`: every job runs in the environment of its stage; a stand-in for conda needs no channel."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.commands import ROOT, snakemake
from tests.data.conftest import nifti, random_volume
from tests.test_workflow import TINY

NAME = "sub-r001s001_ses-1_space-MNI152NLin2009aSym"

# `env create` makes a python that appends the name of its environment and its arguments to a file, then hands over.
CONDA = """#!/bin/bash
case "$1 $2" in
  "info --json") echo '{"conda_prefix": "BASE", "platform": "linux-64"}' ;;
  "--version ") echo "conda 25.1.0" ;;
  "config --get") echo '{"get": {"channel_priority": "strict"}}' ;;
  "env create")
    for argument; do
      [[ $previous == --file ]] && name=$(sed -n 's/^name: //p' "$argument")
      [[ $previous == --prefix ]] && prefix=$argument
      previous=$argument
    done
    mkdir -p "$prefix/bin"
    printf '#!/bin/bash\\necho "%s $*" >> "BASE/marks"\\nexec "PYTHON" "$@"\\n' "$name" > "$prefix/bin/python"
    chmod +x "$prefix/bin/python" ;;
  "clean -y") ;;
  *) echo "the stand-in does not know: conda $*" >&2; exit 1 ;;
esac
"""
ACTIVATE = 'export PATH="$1/bin:$PATH"\n'


@pytest.fixture
def conda(tmp_path: Path) -> Path:
    """The folder of a stand-in for conda."""
    base = tmp_path / "conda"
    (base / "bin").mkdir(parents=True)
    (base / "marks").touch()
    script = base / "bin" / "conda"
    script.write_text(CONDA.replace("BASE", str(base)).replace("PYTHON", sys.executable))
    script.chmod(0o755)
    (base / "bin" / "activate").write_text(ACTIVATE)
    return base


def test_jobs_run_in_the_environment_of_their_stage(conda, tmp_path):
    work = tmp_path / "a study"
    work.mkdir()
    scan = work / "raw" / "ATLAS_2/Training/R001/sub-r001s001/ses-1/anat" / f"{NAME}_T1w.nii.gz"
    scan.parent.mkdir(parents=True)
    for path in (scan, scan.with_name(f"{NAME}_label-L_desc-T1lesion_mask.nii.gz")):
        nifti(path, random_volume())
    datasets = {**TINY["datasets"], "atlas": {"layout": "atlas", "root": "raw"}}
    simulated = {**TINY["simulate"], "subjects": {"camcan": 4, "brats": 1}}
    (work / "tiny.yaml").write_text(yaml.safe_dump({**TINY, "datasets": datasets, "simulate": simulated}))
    target = "results/demo/data/atlas/subjects.csv"
    options = ["--snakefile", ROOT / "Snakefile", "--configfile", "tiny.yaml", "--cores", 1, "--use-conda", target]
    done = snakemake(*options, cwd=work, env={**os.environ, "PATH": f"{conda / 'bin'}:{os.environ['PATH']}"})
    assert done.returncode == 0, done.stderr[-6000:]
    assert (work / target).is_file()
    marks = [line.split()[:4] for line in (conda / "marks").read_text().splitlines()]
    assert marks == [["disyre-data", "-m", "uadbench", "index"]]
    assert len(re.findall(r"Finished jobid: \d+ ", done.stderr)) == len(marks)
