"""Declarations of a baseline: literals at the top level of its file, read without running it."""

import ast
import copy
import functools
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from uadbench.core import excerpt, validation
from uadbench.core.errors import HarnessError
from uadbench.core.plugins import assigned, syntax_tree


class Variant(validation.Part):
    """An entry of VARIANTS."""

    title: str = ""
    params: dict[str, Any] = Field(default_factory=dict)
    requires: str | None = None


#: type of each declaration, and an example of it
KNOWN: dict[str, tuple[Any, str]] = {
    "REVISION": (int, "1"),
    "TITLE": (str, '"DAE"'),
    "FAMILY": (str, '"S-S"'),
    "PAPER": (str, '"Kascenas et al., MIDL 2022"'),
    "REQUIRES": (str | None, '"vae"'),
    "SMALL": (dict[str, Any], '{"steps": 8, "batch": 4, "patch": 32}'),
    "VARIANTS": (dict[str, Variant], '{"upd": {"title": "DAE (UPD)", "params": {"steps": 8}}}'),
}
TYPES: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(kind) for name, (kind, _) in KNOWN.items()}


def read(path: Path) -> dict[str, Any]:
    """The declarations in the file of a baseline by name; REVISION is among them.

    Raises HarnessError, with the line, where one of KNOWN is no literal of its type, and for a file that is no
    baseline.
    """
    return copy.deepcopy(_read(syntax_tree(path), path))


@functools.cache
def _read(file: ast.Module, path: Path) -> dict[str, Any]:
    check_baseline(path)
    found: dict[str, Any] = {}
    for node in file.body:
        literals, names = assigned(node), set(excerpt.bound(node))
        for name in (name for name in KNOWN if name in names):
            if name not in literals or not _fits(name, literals[name]):
                raise HarnessError(
                    f"{path}, line {node.lineno}: {name} is read without running the file, so it must be a literal; "
                    f"write it as in {name} = {KNOWN[name][1]}"
                )
            found[name] = literals[name]
    if "REVISION" not in found:
        raise HarnessError(f"{path}: no REVISION; add a line such as REVISION = 1 at the top level")
    return found


def _fits(name: str, value: Any) -> bool:
    try:
        TYPES[name].validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def check_baseline(path: Path) -> None:
    """Raise HarnessError for a file with neither REVISION nor `Baseline`, which is none."""
    names = {name for node in syntax_tree(path).body for name in excerpt.bound(node)}
    if not names & {"REVISION", "Baseline"}:
        raise HarnessError(
            f"{path}: no baseline, since it has neither REVISION nor class Baseline; add both, or begin the name of "
            f"a helper with _, such as _{path.name}"
        )


@functools.cache
def trains(file: ast.Module) -> bool:
    """Whether a method may have something to train or to save.

    It has not where its class is that of `uadbench.methods.base` with neither phases nor networks of its own.
    """
    given = {
        alias.asname or alias.name
        for node in file.body
        if isinstance(node, ast.ImportFrom) and node.module == "uadbench.methods.base"
        for alias in node.names
    }
    own = next((node for node in file.body if isinstance(node, ast.ClassDef) and node.name == "Baseline"), None)
    if own is None or not own.bases:
        return True
    named = {getattr(node, key, None) for node in ast.walk(file) for key in ("name", "id", "attr")}
    return bool(named & {"__init__", "phases"}) or not all(getattr(base, "id", "") in given for base in own.bases)
