"""Inputs of a command, which its outputs must not replace."""

import os
from collections.abc import Iterable
from pathlib import Path

from uadbench.core.errors import HarnessError
from uadbench.core.study_folder import HISTORY, INDEX, RESULTS, RUN, SUBJECT
from uadbench.core.volume_names import stem

#: what a file in an input folder is, by suffix or name, besides NIfTI; other files there may be of an earlier call
DATA = (".npy", ".npz", ".safetensors", ".mgz", ".mgh", ".img", ".hdr", ".tsv", HISTORY, INDEX, RESULTS, RUN, SUBJECT)


def keep(inputs: Iterable[tuple[str, Path]], outputs: Iterable[tuple[str, Path]]) -> None:
    """Raise HarnessError for an output that is an input or another output, however both are spelled or linked.

    Each is the name of an option and its path. An output is refused, too, if it is a file of DATA in an input folder.
    """
    given, made = list(inputs), list(outputs)
    for number, (name, path) in enumerate(made):
        for other, source in [*given, *made[:number]]:
            if _same(path, source):
                raise HarnessError(f"{name} {path}: is {other} itself, which would be lost; name another place")
        if path.is_file() and (stem(path.name) or path.name.lower().endswith(DATA)):
            for other, source in given:
                if source.is_dir() and within(path, source):
                    raise HarnessError(f"{name} {path}: is a file of {other} {source}; name another place")


def possible(name: str, path: Path, file: bool = False) -> None:
    """Raise HarnessError, before anything is computed, for an output whose folder cannot be made or written.

    name: of the option; file: whether the output is one, in whose place a folder is refused.
    """
    if file and path.is_dir():
        raise HarnessError(f"{name} {path}: is a folder; name a file in it")
    folder = next((parent for parent in path.absolute().parents if parent.exists()), None)
    if folder is not None and not folder.is_dir():
        raise HarnessError(f"{name} {path}: {folder} is a file, no folder; name another place")
    if folder is not None and not os.access(folder, os.W_OK | os.X_OK):
        raise HarnessError(f"{name} {path}: {folder} may not be written; change its permissions, or name another place")


def keep_within(folder: Path, inputs: Iterable[Path]) -> None:
    """Raise HarnessError for an input in a folder that is about to be replaced."""
    for path in inputs:
        if within(path, folder):
            raise HarnessError(f"{folder}: holds {path.name}, an input that would be lost; write to another folder")


def _same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file or folder, which need not exist."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)


def within(path: Path, folder: Path) -> bool:
    """Whether a path leads into a folder; links in a circle lead nowhere."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
