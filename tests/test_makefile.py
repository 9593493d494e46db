"""The Makefile: which interpreter it takes, what it says where none fits, what it installs, and its help."""

import re
import shutil
import subprocess
import tomllib

import pytest
import yaml

from tests.commands import ROOT

TOOLS = ("sh", "sed", "awk", "grep", "uname", "touch", "mkdir", "cp", "dirname")
# Prints its version, makes a .venv out of itself, and has a pip that can be made to fail.
INTERPRETER = """#!/bin/sh
for last; do :; done
case "$*" in
    -c*) echo {version} ;;
    *venv*) mkdir -p "$last/bin" && cp "$0" "$last/bin/python" && echo "$@" >> calls ;;
    *pip*) echo "$@" >> calls; test ! -e offline ;;
esac
"""


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Runs make in a folder with the Makefile, the lock and no interpreter but those that `python` has made."""
    (tmp_path / "bin").mkdir()
    for name in ("Makefile", "requirements.lock", "requirements.hashes", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))

    def run(*words: str) -> subprocess.CompletedProcess:
        environment = {"PATH": str(tmp_path / "bin")}
        program = shutil.which("make")
        return subprocess.run([program, *words], cwd=tmp_path, env=environment, capture_output=True, text=True)

    return run


@pytest.fixture
def python(tmp_path):
    """Puts an interpreter of a version on PATH; None stands for one that cannot be started."""

    def add(name: str, version: str | None) -> None:
        text = "#!/bin/sh\nexit 127\n" if version is None else INTERPRETER.format(version=version)
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)

    return add


def chosen(done: subprocess.CompletedProcess) -> str:
    """The interpreter that makes the environment, from the commands that make prints."""
    assert done.returncode == 0, done.stderr
    return done.stdout.split(" -m venv ")[0]


def test_make_alone_prints_every_target(make):
    done = make()
    assert done.returncode == 0
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE).group(1).split()
    described = re.findall(r"^  (\S+) +\S.*$", done.stdout, re.MULTILINE)
    assert described == [*targets, "PYTHON", "TORCH"]
    assert max(len(line) for line in done.stdout.splitlines()) <= 100


@pytest.mark.parametrize(
    ("version", "found"), [("3.11", "python3"), ("3.10", "python3.12"), ("3.14", "python3.12"), (None, "python3.12")]
)
def test_the_default_interpreter_is_taken_if_it_fits(version, found, make, python):
    python("python3", version)
    python("python3.13", None)
    python("python3.12", "3.12")
    assert chosen(make("-n", "setup")) == found


def test_a_named_one_goes_before_all(make, python):
    python("python3", "3.13")
    python("mine", "3.11")
    assert chosen(make("-n", "setup", "PYTHON=mine")) == "mine"
    done = make("-n", "demo", "PYTHON=other")
    assert done.returncode != 0
    assert "other is missing; install Python 3.13, or name an interpreter: make demo PYTHON=/path/to" in done.stderr


def test_missing_old_and_new_ones_are_told_apart(make, python):
    python("python3", "3.14")
    python("python3.12", "3.9")
    python("python3.11", "2.7")
    done = make("setup")
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    for part in (
        "Python 3.11 to 3.13 is needed: ",
        "python3 is Python 3.14 (too new); python3.13 is missing; ",
        "python3.12 is Python 3.9 (too old); python3.11 is Python 2.7 (too old); ",
        "make setup PYTHON=/path/to/python3.13",
    ):
        assert part in done.stderr


def test_an_interrupted_setup_goes_on(make, python, tmp_path):
    python("python3", "3.12")
    (tmp_path / "offline").touch()
    assert make("setup").returncode != 0
    assert not (tmp_path / ".venv" / "ready").exists()
    (tmp_path / "offline").unlink()
    assert make("setup").returncode == 0
    calls = (tmp_path / "calls").read_text().splitlines()
    begun = ["-m venv .venv", "-m pip install --no-deps --require-hashes --requirement requirements.hashes"]
    assert calls == [*begun, *begun, "-m pip install --requirement requirements.lock --editable .[all]"]
    assert make("setup").returncode == 0
    assert len((tmp_path / "calls").read_text().splitlines()) == 5


def test_an_environment_keeps_its_version_unless_another_is_named(make, python, tmp_path):
    python("python3.12", "3.12")
    assert make("setup").returncode == 0
    python("python3", "3.13")
    (tmp_path / ".venv" / "ready").unlink()
    assert make("-n", "setup").stdout.startswith("python3.12 -m venv  .venv")
    assert make("-n", "setup", "PYTHON=python3").stdout.startswith("python3 -m venv --clear .venv")


def test_torch_without_cuda(make, python, tmp_path):
    python("python3", "3.12")
    assert "torch" not in make("-n", "setup").stdout
    torch = re.search(r"^torch==\S+$", (ROOT / "requirements.lock").read_text(), re.MULTILINE).group()
    command = f"--extra-index-url https://download.pytorch.org/whl/cpu '{torch}+cpu'"
    assert command in make("-n", "demo", "TORCH=cpu").stdout
    assert "TORCH=gpu: there is cpu" in make("-n", "demo", "TORCH=gpu").stderr
    (tmp_path / "bin" / "uname").unlink()
    python("uname", "Darwin")  # whose builds have no CUDA, and no other name
    (tmp_path / "bin" / "uname").write_text("#!/bin/sh\necho Darwin\n")
    assert "torch" not in make("-n", "demo", "TORCH=cpu").stdout


def test_everything_names_the_same_versions():
    named = re.search(r"^VERSIONS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE).group(1).split()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={named[0]},<3.{int(named[-1].split('.')[1]) + 1}"
    assert [text.split(" :: ")[-1] for text in project["classifiers"] if ":: Python ::" in text] == named
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yaml").read_text())
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == named
