"""Command line: one command per file in `uadbench/commands/`, found by file name and imported only when called."""

import contextlib
import gzip
import os
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any, NoReturn

import click

from uadbench import baselines
from uadbench.core import extras, faults
from uadbench.core.errors import HarnessError, choices
from uadbench.core.plugins import Plugins
from uadbench.core.version import VERSION

COMMANDS = Plugins("command", "uadbench.commands")
#: the list of commands, in sections
SECTIONS = {
    "Your own scans and anomaly maps": ("score", "evaluate", "share"),
    "Methods": ("list", "parameters", "conformance", "bench"),
    "Data": ("download",),
    "Studies": ("plan", "status", "cost", "check", "trace", "excerpt", "join", "claims", "tensorboard"),
    "Steps of a study, in their order; the workflow runs them": (
        *("simulate", "paint", "index", "preprocess", "quality", "pack", "train", "test"),
        *("histories", "summarize", "table", "synthesis", "figure", "report"),
    ),
}
#: descriptor for the last error where standard error cannot be written, which the workflow sets to the terminal
TERMINAL = "UADBENCH_TERMINAL"


class Commands(click.Group):
    """A group whose commands are the files of `uadbench/commands`: `commands/bench.py` holds the function `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for names in SECTIONS.values() for name in names]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands of each section with the first sentences of their help texts, uncut."""
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, COMMANDS.load(name).command.get_short_help_str(500)) for name in names])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS.names():
            return COMMANDS.load(cmd_name).command
        if not ctx.resilient_parsing:  # which completes a line, whatever its mistakes
            ctx.fail(f"No such command {cmd_name!r}; {choices(cmd_name, self.list_commands(ctx))}")
        return None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises HarnessError for a missing extra, a truncated file and an interrupt."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            if remedy := extras.remedy(error.name or ""):
                raise HarnessError(f"{ctx.invoked_subcommand}: {remedy}") from error
            raise
        except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
            fault = "ends too early" if isinstance(error, EOFError) else "is damaged"
            raise HarnessError(
                f"{ctx.invoked_subcommand}: a file that it reads {fault} ({error or 'no reason given'}); "
                "see which of its inputs was cut short by a full disk or a broken copy, and make that again"
            ) from error
        except KeyboardInterrupt:
            raise HarnessError(f"{ctx.invoked_subcommand}: interrupted; run it again to finish") from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(VERSION)
@click.option(
    "--baselines",
    "folders",
    type=click.Path(path_type=Path),
    multiple=True,
    envvar=baselines.VARIABLE,
    show_envvar=True,
    help="Folder with baselines of your own, beside those of the project.",
)
def uadbench(folders: tuple[Path, ...]) -> None:
    """Unsupervised anomaly detection in brain MRI: each step of the study is one command."""
    baselines.add_named()
    for folder in folders:
        baselines.add(folder)


def main() -> None:
    """Run the command line; an error of the user, the disk or the memory ends in one line and exit status 1."""
    try:
        uadbench(prog_name="uadbench")
    except HarnessError as error:
        _end(str(error))
    except Exception as error:
        said = faults.line(error, " ".join(sys.argv[1:2]) or None)
        if said is None and isinstance(error, OSError):
            said = f"{error}; {faults.DISK}"
        if said is None:
            raise
        _end(said)


def _end(message: str) -> NoReturn:
    """Exit with one line on standard error; of a job, whose log may be on a full disk, then on the terminal."""
    text = f"error: {' '.join(message.splitlines())}"
    if TERMINAL not in os.environ:
        sys.exit(text)
    line = f"{text}\n".encode()
    try:
        whole = os.write(2, line) == len(line)
    except OSError:
        whole = False
    if not whole:
        with contextlib.suppress(OSError, ValueError):
            os.write(int(os.environ[TERMINAL]), line)
    sys.exit(1)
