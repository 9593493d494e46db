"""Parts of public code, executed by name: its scripts parse arguments and load data when they are imported."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path
from types import CodeType
from typing import Any


def define(path: Path, names: Iterable[str], scope: dict[str, Any]) -> None:
    """Execute in `scope` the definitions, assignments and imports of a file that have these names, in its order.

    They may stand anywhere in the file, also in a function.
    """

    def wanted(node: ast.AST) -> bool:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                return name in names
            case ast.Assign(targets=[target]):
                return ast.unparse(target) in names
            case ast.ImportFrom(names=given):
                return any(alias.name in names for alias in given)
        return False

    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if wanted(node)]
    for node in sorted(nodes, key=lambda node: node.lineno):  # type: ignore[attr-defined]
        exec(compile(ast.Module([node], []), path.name, "exec"), scope)  # type: ignore[list-item]


def statements(path: Path, first: str, last: str) -> CodeType:
    """The statements of a file from one that begins with `first` to the next that begins with `last`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        body = getattr(node, "body", None)
        lines = [ast.unparse(line) for line in body] if isinstance(body, list) else []
        start = next((i for i, line in enumerate(lines) if line.startswith(first)), None)
        if start is not None:
            end = next(i for i, line in enumerate(lines) if i >= start and line.startswith(last))
            return compile(ast.Module(body[start : end + 1], []), path.name, "exec")
    raise LookupError(f"{path}: no statement begins with {first!r}")
