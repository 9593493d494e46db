"""`--use-conda`: every job runs in the environment of its stage, whose packages are enough; stand-ins for conda."""

import os
import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.commands import ROOT, snakemake
from tests.data.conftest import nifti, random_volume
from tests.test_environments import CONDA_NAMES, NOT_ON_PYPI
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
# `env create` makes a venv of the packages' names on PyPI in the versions of requirements.lock.
INSTALLING = """#!{python}
import json, subprocess, sys
import yaml
arguments = sys.argv[1:]
if arguments[:2] == ["info", "--json"]:
    print(json.dumps({{"conda_prefix": "{base}", "platform": "linux-64"}}))
elif arguments[0] == "--version":
    print("conda 25.1.0")
elif arguments[:2] == ["config", "--get"]:
    print(json.dumps({{"get": {{"channel_priority": "strict"}}}}))
elif arguments[:2] == ["env", "create"]:
    value = lambda option: next(b for a, b in zip(arguments, arguments[1:]) if a == option)
    listed = yaml.safe_load(open(value("--file")))["dependencies"]
    names = [entry.partition(" ")[0] for entry in listed if isinstance(entry, str)]
    names = [{names}.get(name, name) for name in names if name not in {left_out}]
    names += [name.replace(" ", "") for entry in listed if not isinstance(entry, str) for name in entry["pip"]]
    # Not symlinks: the interpreter of a venv is found by its own path.
    subprocess.run(["{python}", "-m", "venv", value("--prefix")], check=True)
    pip = [value("--prefix") + "/bin/python", "-m", "pip", "install", "--quiet", "--constraint", "{lock}"]
    subprocess.run([*pip, *names], check=True, stdout=sys.stderr)
elif arguments[0] != "clean":
    sys.exit("the stand-in does not know: conda " + " ".join(arguments))
"""


def study(base: Path, script: str, work: Path, config: dict, *options: object) -> str:
    """Run a study in a folder with a stand-in for conda in another; returns what Snakemake said."""
    (base / "bin").mkdir(parents=True)
    (base / "bin" / "conda").write_text(script)
    (base / "bin" / "conda").chmod(0o755)
    (base / "bin" / "activate").write_text('export PATH="$1/bin:$PATH"\n')
    work.mkdir(exist_ok=True)
    (work / "tiny.yaml").write_text(yaml.safe_dump(config))
    bare = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
    given = ["--snakefile", ROOT / "Snakefile", "--configfile", "tiny.yaml", "--use-conda", *options]
    done = snakemake(*given, cwd=work, env={**bare, "PATH": f"{base / 'bin'}:{os.environ['PATH']}"})
    logs = "".join(path.read_text()[-1500:] for path in (work / "results").rglob("*.log")) if done.returncode else ""
    assert done.returncode == 0, done.stderr[-6000:] + logs
    return done.stderr


def test_jobs_run_in_the_environment_of_their_stage(tmp_path):
    base = tmp_path / "conda"
    work = tmp_path / "a study"
    work.mkdir()
    scan = work / "raw" / "ATLAS_2/Training/R001/sub-r001s001/ses-1/anat" / f"{NAME}_T1w.nii.gz"
    scan.parent.mkdir(parents=True)
    for path in (scan, scan.with_name(f"{NAME}_label-L_desc-T1lesion_mask.nii.gz")):
        nifti(path, random_volume())
    datasets = {**TINY["datasets"], "atlas": {"layout": "atlas", "root": "raw"}}
    simulated = {**TINY["simulate"], "subjects": {"camcan": 4, "brats": 1}}
    config = {**TINY, "datasets": datasets, "simulate": simulated}
    target = "results/demo/data/atlas/subjects.csv"
    script = CONDA.replace("BASE", str(base)).replace("PYTHON", sys.executable)
    said = study(base, script, work, config, "--cores", 1, target)
    assert (work / target).is_file()
    marks = [line.split()[:4] for line in (base / "marks").read_text().splitlines()]
    assert marks == [["disyre-data", "-m", "uadbench", "index"]]
    assert len(re.findall(r"Finished jobid: \d+ ", said)) == len(marks)


@pytest.mark.slow
def test_the_study_runs_with_the_packages_of_each_stage_alone(tmp_path):
    """Slow, since it installs torch and antspyx anew: `make nightly` runs it."""
    base, work = tmp_path / "conda", tmp_path / "study"
    facts = {"names": CONDA_NAMES, "left_out": sorted(NOT_ON_PYPI), "lock": ROOT / "requirements.lock"}
    study(base, INSTALLING.format(python=sys.executable, base=base, **facts), work, TINY, "--cores", 2)
    made = sorted(path.name for path in (work / ".snakemake" / "conda").glob("*.yaml"))
    assert len(made) == len(list((ROOT / "envs").glob("*.yaml")))
    assert (work / "results" / "demo" / "paper" / "table2.md").is_file()
