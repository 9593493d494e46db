"""The environments, the lock file and the package say the same."""

import re
import tomllib
from importlib import metadata

import pytest
import yaml
from packaging.version import Version

from tests.commands import ROOT, python_without
from uadbench.paper import catalogue as paper

CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
#: modules that a package of conda-forge brings, itself and by what it depends on
BROUGHT = {
    "pytorch": {"torch"},
    "matplotlib-base": {"matplotlib"},
    "antspyx": {"ants"},
    "jinja2": {"jinja2", "markupsafe"},
}
NOT_ON_PYPI = {"python", "c-compiler", "pip"}
LOCK = {
    name.lower().replace("_", "-"): Version(version)
    for name, version in re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: requirements of each extra
EXTRAS = PROJECT["optional-dependencies"]
EVERY = re.fullmatch(r"uadbench\[(.*)\]", *EXTRAS["all"])[1].split(",")
LOWER = dict(entry.split(">=") for entry in sum([EXTRAS[extra] for extra in EVERY], PROJECT["dependencies"]))


def test_the_lock_satisfies_the_package():
    for name, lowest in LOWER.items():
        assert LOCK[name] >= Version(lowest), name
    assert "torchvision" not in LOCK  # it breaks diffusers' import beside a CPU build of torch


def test_the_package_uses_what_it_depends_on():
    code = "".join(path.read_text() for folder in ("uadbench", "baselines") for path in (ROOT / folder).rglob("*.py"))
    modules = {}
    for module, distributions in metadata.packages_distributions().items():
        for name in distributions:
            modules.setdefault(name.lower().replace("_", "-"), []).append(re.escape(module))
    for name in (dependency.split(">=")[0] for dependency in PROJECT["dependencies"]):
        used = rf"""(?:import |from |find_spec\(["'])(?:{"|".join(modules[name])})\b"""
        assert re.search(used, code), f"{name}: remove it from dependencies, or use it"


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_environments_are_in_step_with_the_lock(path):
    environment = yaml.safe_load(path.read_text())
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    for dependency in environment["dependencies"]:
        if isinstance(dependency, dict):
            for name, _, version in (entry.partition(" ==") for entry in dependency["pip"]):
                assert Version(version) == LOCK[name], name
            continue
        name, _, bounds = dependency.partition(" ")
        if name not in NOT_ON_PYPI:
            name = CONDA_NAMES.get(name, name)
            assert bounds == f">={LOWER[name]},<={LOCK[name]}", dependency


def test_every_stage_has_an_environment():
    used = set()
    for rules in (ROOT / "workflow" / "rules").glob("*.smk"):
        used |= set(re.findall(r"\{ENVS\}/([\w-]+)\.yaml", rules.read_text()))
    assert used == {path.stem for path in (ROOT / "envs").glob("*.yaml")}


#: what the jobs of a stage import of the library
STAGES = {
    "evaluation": "evaluation.summary.tidy_results evaluation.summary.comparisons "
    "evaluation.detection.detection_metrics",
    "training": "training.job evaluation.inference.inference evaluation.inference.illustration sharing.download",
    "data": "data.download.download data.index.sheet data.index.release simulation.cohort "
    "data.preprocessing.preprocess data.packing.pack data.quality.page",
    "paper": "paper.inputs paper.writers.tidy paper.claims.page report.page "
    + " ".join(f"paper.{kind}.{name}" for kind in ("tables", "figures") for name in paper.names(kind)),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_only_what_its_file_names(stage):
    """Quick, where the nightly test installs the packages: others that a whole environment has are hidden."""
    listed = {line.split()[1] for line in (ROOT / "envs" / f"{stage}.yaml").read_text().splitlines() if "  - " in line}
    hidden = {"scipy", "torch", "sklearn", "nibabel", "matplotlib", "diffusers", "ants"}
    hidden |= {"pandas", "jinja2", "markupsafe", "pydantic", "safetensors", "tensorboard", "requests", "urllib3"}
    hidden -= set().union(*(BROUGHT.get(name, {name}) for name in listed))
    done = python_without(hidden, "\n".join(f"import uadbench.{name}" for name in STAGES[stage].split()), cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]


def test_every_release_of_the_lock_but_torch_has_checksums():
    """docs/contributing.md has the command that writes them."""
    text = re.sub(r" \\\n +", " ", (ROOT / "requirements.hashes").read_text())
    found = re.findall(r"^([\w.-]+)==(\S+)((?: --hash=sha256:[0-9a-f]{64})+)$", text, re.MULTILINE)
    assert {name: Version(version) for name, version, _ in found} == {
        name: version for name, version in LOCK.items() if name != "torch"
    }
    assert len(found) == len([line for line in text.splitlines() if line and not line.startswith("#")])
