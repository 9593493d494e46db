"""Submitting: an environment that holds Snakemake alone reads the workflow, and finds every job."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent

# Imports of the modules named in the first argument fail, as if they were not installed; then Snakemake runs.
WITHOUT = """
import importlib.abc, sys
missing = set(sys.argv.pop(1).split(","))
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r} in an environment with Snakemake alone", name=name)
sys.meta_path.insert(0, Missing())
from snakemake.cli import main
sys.exit(main(sys.argv[1:]))
"""


def needed(package: str, found: set[str] | None = None) -> set[str]:
    """The distributions that a package needs, itself and those of its extras left out, names normalised."""
    found = set() if found is None else found
    name = re.sub(r"[-_.]+", "-", package).lower()
    if name in found:
        return found
    found.add(name)
    try:
        listed = requires(name) or []
    except PackageNotFoundError:
        return found
    for requirement in map(Requirement, listed):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            needed(requirement.name, found)
    return found


def hidden() -> list[str]:
    """Top-level modules of the study's own dependencies that Snakemake does not bring."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    packages = {re.split(r"[>=]", entry)[0].lower() for entry in listed} - needed("snakemake")
    by_module = packages_distributions()
    return sorted(m for m, owners in by_module.items() if packages & {owner.lower() for owner in owners})


def test_the_study_needs_more_than_snakemake_brings():
    own = {"ants", "diffusers", "matplotlib", "nibabel", "numpy", "pandas", "scipy", "sklearn", "torch"}
    assert own <= set(hidden())


def test_the_workflow_is_read_with_snakemake_alone(tmp_path):
    options = ["--cores", "1", "--dry-run", "--quiet", "rules", "--workflow-profile", "none"]
    command = [
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--configfile",
        str(ROOT / "config" / "all-methods.yaml"),
        *options,
    ]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, ",".join(hidden()), *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
