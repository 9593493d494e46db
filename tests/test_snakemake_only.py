"""Submitting: an environment that holds Snakemake alone reads the workflow, and finds every job."""

import os
import re
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

from packaging.requirements import Requirement

from tests.commands import ROOT, python_without
from tests.test_environments import LOWER

RUN = "from snakemake.cli import main; sys.exit(main(sys.argv[1:]))"


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
    packages = {name.lower() for name in LOWER} - needed("snakemake")
    by_module = packages_distributions()
    return sorted(m for m, owners in by_module.items() if packages & {owner.lower() for owner in owners})


def test_the_study_needs_more_than_snakemake_brings():
    own = {"ants", "diffusers", "matplotlib", "nibabel", "numpy", "pandas", "scipy", "torch"}
    assert own <= set(hidden())


def test_the_workflow_is_read_with_snakemake_alone(tmp_path):
    options = ["--cores", "1", "--dry-run", "--quiet", "rules", "--workflow-profile", "none"]
    files = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", str(ROOT / "config" / "all-methods.yaml")]
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    done = python_without(hidden(), RUN, *files, *options, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr[-4000:]
