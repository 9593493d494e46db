"""Command lines that many tests run: of the package in this process, and of Snakemake."""

import subprocess
import sys
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
