"""The command line: one verb per file in `harness/verbs/`, found by file name and imported only when called."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

from harness import __version__
from harness.errors import HarnessError
from harness.files import FULL

VERBS = Path(__file__).parent / "verbs"


class Verbs(click.Group):
    """A group whose commands are the files of `harness/verbs`: `verbs/bench.py` holds the function `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(path.stem for path in VERBS.glob("[a-z]*.py"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        return importlib.import_module(f"harness.verbs.{cmd_name}").command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__)
def harness() -> None:
    """Unsupervised anomaly detection in brain MRI: each step of the study is one verb."""


def main() -> None:
    """Run the command line; a mistake of the user ends in one line on standard error and exit status 1."""
    try:
        harness(prog_name="python -m harness")
    except HarnessError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno not in FULL:
            raise
        where = error.filename or "output"
        sys.exit(f"error: {where}: {error.strerror}; make room and run again, what is done is kept")
