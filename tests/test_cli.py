"""The command line: whatever ends a verb is said in one readable line."""

import errno
import os
import re

import click
import pytest

from tests.commands import ended
from uadbench import cli
from uadbench.core import faults
from uadbench.core.errors import HarnessError
from uadbench.core.files import atomic
from uadbench.methods.settings import parse


@pytest.fixture
def run(monkeypatch):
    """Runs `python -m uadbench verb`, whose only work is to raise an exception; returns what `main` exits with."""

    def start(error: BaseException) -> str | int | None:
        @click.command()
        def command() -> None:
            raise error

        monkeypatch.setattr(cli.Commands, "get_command", lambda self, ctx, name: command)
        monkeypatch.setattr("sys.argv", ["uadbench", "verb"])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code

    return start


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (HarnessError("x: no such file"), "error: x: no such file"),
        (EOFError("No data left in file"), "error: verb: a file that it reads ends too early (No data left in file); "),
        (KeyboardInterrupt(), "error: verb: interrupted; run it again to finish"),
        (OSError(errno.ENOSPC, "No space left on device", "a/b"), "error: a/b: No space left on device; make room"),
        (OSError(errno.EDQUOT, "Quota exceeded"), "error: the output could not be written: Quota exceeded; make room "),
        (PermissionError(errno.EACCES, "Permission denied", "c"), "error: c: Permission denied; change its"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "d"), "error: d: Not a directory; name another place"),
    ],
)
def test_one_line(error, line, run, capsys):
    code = run(error)
    assert isinstance(code, str)
    assert code.startswith(line)
    assert "\n" not in code
    assert "Aborted" not in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "wrong",
    [
        ["test", "--examples", "0"],
        ["synthesis", "--examples", "0"],
        ["summarize", "--resamples", "-1"],
        ["quality", "--threads", "0"],
        ["pack", "--max-lost", "1.5"],
        ["index", "--validation", "-1"],
        ["train", "--seed", "-1"],
        ["bench", "--steps", "0"],
        ["bench", "--spacing", "0"],
    ],
    ids=" ".join,
)
def test_numbers_have_the_bounds_of_the_config(wrong):
    done = ended(*wrong)
    assert done.exit_code == 2
    assert f"Invalid value for '{wrong[1]}'" in done.output
    assert "is not in the range" in done.output


@pytest.mark.parametrize("name", ["uadbench", *cli.COMMANDS.names()])
def test_helps_of_options_are_sentences_with_one_default_at_most(name):
    """A code word, such as `masks`, may begin one as well as a capital."""
    command = cli.uadbench if name == "uadbench" else cli.COMMANDS.load(name).command
    context = click.Context(command, **cli.uadbench.context_settings)
    for option in (param for param in command.params if isinstance(param, click.Option)):
        assert re.match("[A-Z`]", option.help or ""), option.name
        assert option.help.endswith("."), option.name
        assert option.get_help_record(context)[1].count("default:") <= 1, option.name
        assert '""' not in option.get_help_record(context)[1], f"{option.name}: say what happens by show_default"


def test_every_command_is_in_the_list():
    assert sorted(cli.uadbench.list_commands(click.Context(cli.uadbench))) == cli.COMMANDS.names()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"params": 3}', '"params"'])
def test_settings_that_are_no_mapping_are_named(text):
    with pytest.raises(HarnessError, match=r"--settings .*; give a mapping"):
        parse(text)
    assert parse('{"revision": 1, "params": {"steps": 3}}') == {"steps": 3}
    assert parse("{}") == {}


@pytest.mark.parametrize(("typed", "meant"), [("scor", "score"), ("Lists", "list"), ("table2", "table")])
def test_the_closest_command_is_named_first(typed, meant):
    done = ended(typed, "--run", "x")
    assert done.exit_code == 2
    assert f"No such command '{typed}'; did you mean {meant}? there are score, evaluate, " in done.output


def test_errors_of_the_program_keep_their_traceback(monkeypatch):
    def fail(**_):
        raise KeyError("e")

    monkeypatch.setattr(cli, "uadbench", fail)
    with pytest.raises(KeyError):
        cli.main()


def test_a_fault_without_a_number_is_one_line(run):
    """As libraries raise it, in words of their own."""
    assert run(OSError("the archive is closed")) == f"error: the archive is closed; {faults.DISK}"


@pytest.mark.parametrize("written", [None, 3], ids=["nothing", "a part"])
def test_what_a_full_disk_keeps_from_the_log_is_on_the_terminal(run, tmp_path, monkeypatch, written):
    write, terminal = os.write, os.open(tmp_path / "terminal", os.O_WRONLY | os.O_CREAT)

    def full(handle: int, line: bytes) -> int:
        if handle == terminal:
            return write(handle, line)
        if written is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return written

    monkeypatch.setenv(cli.TERMINAL, str(terminal))
    monkeypatch.setattr(cli.os, "write", full)
    assert run(HarnessError("x: no room")) == 1
    os.close(terminal)
    assert (tmp_path / "terminal").read_text() == "error: x: no room\n"


def test_a_full_disk_names_the_file_that_was_written(tmp_path):
    target = tmp_path / "weights.bin"
    with pytest.raises(OSError, match="No space") as error, atomic(target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert error.value.filename == str(target)
    with pytest.raises(OSError, match="No space") as error, atomic(target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "another")
    assert error.value.filename == "another"
