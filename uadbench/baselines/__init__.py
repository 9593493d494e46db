"""Baselines as one package: the files of the project's folder `baselines` and of folders of one's own.

`uadbench.baselines.NAME` is the file NAME.py of the first of these folders that has it. Files `_NAME.py` are helpers,
which baselines import, and no methods. An installed package holds the
project's folder inside this one.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from pathlib import Path

from uadbench.core.errors import HarnessError
from uadbench.core.plugins import NAME

VARIABLE = "UADBENCH_BASELINES"  # folders of one's own, separated as those of PATH; passed on to the jobs of a study
INSTALLED = Path(__file__).resolve().parent / "installed"
OURS = INSTALLED if INSTALLED.is_dir() else Path(__file__).resolve().parents[2] / "baselines"

__path__ = [str(OURS)]


def add(folder: Path | str) -> None:
    """Find baselines in another folder, too, in this process and in those that it starts.

    Raises HarnessError for a missing folder, a file whose name cannot be a method's, and one that stands in another
    folder already.
    """
    folder = Path(folder).expanduser().resolve()
    if not folder.is_dir():
        raise HarnessError(f"baselines: no folder {folder}; name a folder that holds files NAME.py")
    if os.pathsep in str(folder):
        raise HarnessError(f"baselines: {folder}: the name has {os.pathsep!r}, which separates folders; rename it")
    if str(folder) in __path__:
        return
    for path in sorted(folder.glob("[!_]*.py")):
        _check_name(path)
    _append(folder)
    os.environ[VARIABLE] = os.pathsep.join(__path__[1:])


def _append(folder: Path) -> None:
    """Raises HarnessError for a helper with a namesake, which baselines would import instead."""
    for path in sorted(folder.glob("_[!_]*.py")):
        _check_free(path, "helper")
    __path__.append(str(folder))
    importlib.invalidate_caches()


def _check_name(path: Path) -> None:
    if not NAME.fullmatch(path.stem):
        reason = "names of methods have small letters, digits and _ alone, first no _"
        raise HarnessError(f"{path}: {reason}; rename the file, that of a helper with _ first")
    _check_free(path, "method")


def _check_free(path: Path, kind: str) -> None:
    taken = next((found for each in __path__ if (found := Path(each, path.name)).exists()), path)
    if taken != path:
        raise HarnessError(f"{path}: the {kind} {path.stem} exists already in {taken.parent}; rename the file")


def add_file(path: Path | str) -> str:
    """Find the baseline of one file, whatever else its folder holds; returns its name.

    Raises HarnessError for a folder, a missing file or one of another kind, and as `add` does.
    """
    path = Path(path).expanduser().resolve()
    if path.is_dir():
        raise HarnessError(f"{path}: a folder; name its files, such as {path / '*.py'}")
    if path.suffix != ".py":
        raise HarnessError(f"{path}: no Python file; name a file NAME.py, or a method")
    if not path.is_file():
        raise HarnessError(f"{path}: no such file; name a file NAME.py, or a method")
    _check_name(path)
    if str(path.parent) not in __path__:
        _append(path.parent)
    return path.stem


#: folders named by the environment, before `add` names its own there
_named = [folder for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]


def add_named() -> None:
    """Find baselines in the folders that the environment variable named. Raises HarnessError as `add` does."""
    for folder in _named:
        add(folder)


# An error would end an import in a traceback; commands and configs call `add_named` again.
with contextlib.suppress(HarnessError):
    add_named()
