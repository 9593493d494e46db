"""Command lines that many tests run: of the package, here or where packages seem not installed, and of Snakemake."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from uadbench.cli import uadbench
from uadbench.core.errors import HarnessError

ROOT = Path(__file__).resolve().parent.parent


def ended(*words: object) -> Result:
    """What a command line of the package prints, and what ends it."""
    return CliRunner().invoke(uadbench, [*map(str, words)])


def call(*words: object) -> Result:
    """The same of one that succeeds."""
    done = ended(*words)
    if isinstance(done.exception, Exception):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


def fails(*words: object) -> str:
    """The one line of the error that a command line ends with."""
    done = ended(*words)
    assert isinstance(done.exception, HarnessError), done.output
    assert "\n" not in str(done.exception)
    return str(done.exception)


def snakemake(*options: object, cwd: Path = ROOT, **environment: Any) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "snakemake", *map(str, options)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, **environment)


HIDE = """
import sys
from importlib.machinery import PathFinder
hidden, find = set(sys.argv.pop(1).split(",")), PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name.partition(".")[0] in hidden else find(name, *rest)
"""
# Runs the command lines of a file, and prints for each what ended it.
CALL = """
import json
from click.testing import CliRunner
from uadbench.cli import uadbench
def call(line):
    done = CliRunner().invoke(uadbench, line.split())
    return (str(done.exception) or done.output) if done.exit_code else ""
print(json.dumps([call(line) for line in json.load(open(sys.argv[1]))]))
"""


def python_without(modules: Iterable[str], code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess:
    """Run Python code, with arguments, where the top-level modules cannot be found."""
    command = [sys.executable, "-c", HIDE + code, ",".join(sorted(modules)), *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)


def ends(folder: Path, modules: Iterable[str], lines: list[str], before: str = "") -> dict[str, str]:
    """What ended each command line, run in a folder after the code `before`; empty for those that succeeded."""
    (folder / "lines.json").write_text(json.dumps(lines))
    done = python_without(modules, before + CALL, "lines.json", cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(lines, json.loads(done.stdout.splitlines()[-1]), strict=True))
