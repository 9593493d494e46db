"""The packages of each file in envs/ are enough for its stage: the study, with `--use-conda`, in real environments.

Slow, since it installs torch and antspyx anew: `make nightly` runs it. A stand-in for conda makes a venv of each file,
with the packages' names on PyPI in the versions of requirements.lock.
"""

from __future__ import annotations

import os
import sys

import pytest
import yaml

from tests.commands import ROOT, snakemake
from tests.test_environments import CONDA_NAMES, NOT_ON_PYPI
from tests.test_workflow import TINY

CONDA = """#!{python}
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


@pytest.mark.slow
def test_the_study_runs_with_the_packages_of_each_stage_alone(tmp_path):
    base = tmp_path / "conda"
    (base / "bin").mkdir(parents=True)
    script = base / "bin" / "conda"
    lock = ROOT / "requirements.lock"
    script.write_text(
        CONDA.format(python=sys.executable, base=base, lock=lock, names=CONDA_NAMES, left_out=sorted(NOT_ON_PYPI))
    )
    script.chmod(0o755)
    (base / "bin" / "activate").write_text('export PATH="$1/bin:$PATH"\n')
    work = tmp_path / "study"
    work.mkdir()
    (work / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    bare = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
    options = ["--snakefile", ROOT / "Snakefile", "--configfile", "tiny.yaml", "--cores", 2, "--use-conda"]
    done = snakemake(*options, cwd=work, env={**bare, "PATH": f"{base / 'bin'}:{os.environ['PATH']}"})
    logs = "".join(path.read_text()[-1500:] for path in (work / "results").rglob("*.log")) if done.returncode else ""
    assert done.returncode == 0, done.stderr[-6000:] + logs
    made = sorted(path.name for path in (work / ".snakemake" / "conda").glob("*.yaml"))
    assert len(made) == len(list((ROOT / "envs").glob("*.yaml")))
    assert (work / "results" / "demo" / "paper" / "table2.md").is_file()
