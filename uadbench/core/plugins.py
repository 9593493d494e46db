"""Plugins found by file name: baselines, layouts, tables, figures and commands, each one file of its folder.

A file is imported when it is used; the literals at its top level are read without importing it.
"""

import ast
import copy
import functools
import importlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from uadbench.core.errors import HarnessError, choices

NAME = re.compile("[a-z0-9][a-z0-9_]*")  # of a plugin; files with other names, such as _shared.py, are none


@dataclass(frozen=True)
class Plugins:
    """The files of a package whose names match NAME."""

    kind: str  # singular noun for messages
    package: str  # dotted name
    place: str = ""  # folder named in messages where it is not that of the package
    elsewhere: str = ""  # how a folder of one's own is named

    def _folders(self) -> dict[str, str]:
        """The folder of each file by name, sorted. A dry run asks hundreds of times, and a glob takes longer."""
        folders = filter(os.path.isdir, importlib.import_module(self.package).__path__)
        # The first folder takes precedence, as in imports.
        found = {name: folder for folder in reversed([*folders]) for name in os.listdir(folder)}
        return {name[:-3]: found[name] for name in sorted(found) if name.endswith(".py") and NAME.fullmatch(name[:-3])}

    def files(self) -> dict[str, Path]:
        """The files by name, sorted. A package may have several folders: see `uadbench.baselines`."""
        return {name: Path(folder, f"{name}.py") for name, folder in self._folders().items()}

    def names(self) -> list[str]:
        return list(self._folders())

    def path(self, name: str) -> Path:
        """The file of a name. Raises HarnessError that lists the known names for an unknown one."""
        folders = self._folders()
        if name not in folders:
            file = f"{self.place or self.package.replace('.', '/')}/{name}.py"
            further = list(importlib.import_module(self.package).__path__)[1:]
            elsewhere = f", nor in {', '.join(further)}" if further else self.elsewhere
            raise HarnessError(f"{self.kind} {name!r} is unknown: no file {file}{elsewhere}; {choices(name, folders)}")
        return Path(folders[name], f"{name}.py")

    def load(self, name: str) -> ModuleType:
        """Import the file of a name. Raises HarnessError as `path` does."""
        self.path(name)
        return importlib.import_module(f"{self.package}.{name}")

    def literals(self, name: str) -> dict[str, Any]:
        """The literals that the file of a name assigns to names in capitals. Raises HarnessError as `path` does."""
        return literals(self.path(name))


def literals(path: Path) -> dict[str, Any]:
    """The literals that a Python file assigns to names in capitals at its top level."""
    return copy.deepcopy(_literals(syntax_tree(path)))


@functools.cache
def _literals(file: ast.Module) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in file.body:
        found |= assigned(node)
    return found


def assigned(node: ast.stmt) -> dict[str, Any]:
    """The names in capitals that a statement assigns a literal to, each with it."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return {}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    names = [target.id for target in targets if isinstance(target, ast.Name) and target.id.isupper()]
    try:
        return {name: ast.literal_eval(node.value) for name in names}
    except (TypeError, ValueError):  # the former of a key that cannot be one
        return {}


def syntax_tree(path: Path) -> ast.Module:
    """The syntax tree of a Python file. Raises HarnessError with the line of a syntax error, and for another file."""
    return _parsed(path, path.stat().st_mtime_ns)


@functools.cache
def _parsed(path: Path, _changed: int) -> ast.Module:
    """The syntax tree of a file, parsed once per modification: a dry run reads each baseline hundreds of times."""
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise HarnessError(f"{path}: is not encoded in UTF-8 ({error}); save it as UTF-8") from None
    except (SyntaxError, ValueError) as error:  # the latter of null bytes, by some versions of Python
        line = getattr(error, "lineno", None)
        where, reason = f"line {line} " * bool(line), getattr(error, "msg", error)
        raise HarnessError(f"{path}: {where}is not valid Python: {reason}") from None
