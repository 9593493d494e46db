"""Command line: one command per file in `harness/commands/`, found by file name and imported only when called."""

from __future__ import annotations

import errno
import sys
from typing import Any

import click

from harness import __version__
from harness.errors import HarnessError
from harness.files import FULL
from harness.plugins import Plugins

COMMANDS = Plugins("command", "harness.commands")
#: errno of paths without write permission, or of the wrong kind (file or folder)
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOTDIR)


class Commands(click.Group):
    """A group whose commands are the files of `harness/commands`: `commands/bench.py` holds the function `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return COMMANDS.names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        return COMMANDS.load(cmd_name).command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises HarnessError for a truncated file or an interrupt, not just click's "Aborted!"."""
        try:
            return super().invoke(ctx)
        except EOFError as error:
            raise HarnessError(
                f"{ctx.invoked_subcommand}: a file that it reads ends too early ({error or 'no reason given'}); "
                "see which of its inputs was cut short by a full disk or a broken copy, and make that again"
            ) from error
        except KeyboardInterrupt:
            raise HarnessError(f"{ctx.invoked_subcommand}: interrupted; run it again to finish") from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__)
def harness() -> None:
    """Unsupervised anomaly detection in brain MRI: each step of the study is one command."""


def main() -> None:
    """Run the command line; a user error ends in one line on standard error and exit status 1."""
    try:
        harness(prog_name="python -m harness")
    except HarnessError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno in FULL:
            remedy = "make room and run again, what is done is kept"
        elif error.errno in CLOSED and error.filename:
            remedy = "change its permissions, or name another place"
        else:
            raise
        sys.exit(f"error: {error.filename or 'the output could not be written'}: {error.strerror}; {remedy}")
