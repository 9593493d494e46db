"""The part of a Python file that one of its names needs: the rest of the file need not be executed."""

import ast
import builtins
from collections.abc import Iterator


def needed(file: ast.Module, name: str) -> list[ast.stmt]:
    """The statements at the top level that bind `name`, and those that bind what these name, in the file's order.

    An import has a statement for each of its names. A name that nothing else binds may come from `from … import *`.
    Names in annotations count, also in quotation marks.
    """
    body = [part for node in file.body for part in _parts(node)]
    binding: dict[str, list[ast.stmt]] = {}
    for node in body:
        for own in bound(node):
            binding.setdefault(own, []).append(node)
    wanted, seen, chosen = [name], {name}, set[ast.stmt]()
    while wanted:
        for node in set(binding.get(wanted.pop(), binding.get("*", []))) - chosen:
            chosen.add(node)
            found = {used for used in _used(node) if used in binding or used not in vars(builtins)} - seen
            seen |= found
            wanted += found
    return [node for node in body if node in chosen or getattr(node, "module", "") == "__future__"]


def _parts(node: ast.stmt) -> list[ast.stmt]:
    """A statement, or one for each name of an import."""
    if isinstance(node, ast.Import):
        return [ast.copy_location(ast.Import([alias]), node) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        parts = [ast.ImportFrom(node.module, [alias], node.level) for alias in node.names]
        return [ast.copy_location(part, node) for part in parts]
    return [node]


def bound(node: ast.AST) -> Iterator[str]:
    """Names that a statement binds, or changes a part of: `A.b = 1`, `A["b"] = 1`."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or (alias.name if isinstance(node, ast.ImportFrom) else alias.name.partition(".")[0])
    elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name
    elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
        yield from (part.id for part in ast.walk(node.value) if isinstance(part, ast.Name))
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif not isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        for child in ast.iter_child_nodes(node):
            yield from bound(child)


def _used(node: ast.AST) -> Iterator[str]:
    """Names that a statement reads."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.AnnAssign):
            for quoted in ast.walk(part.annotation):
                if isinstance(quoted, ast.Constant) and isinstance(quoted.value, str):
                    yield from _quoted(quoted.value)


def _quoted(text: str) -> Iterator[str]:
    """Names of an annotation in quotation marks; none of another text, such as a value of Literal."""
    try:
        yield from _used(ast.parse(text, mode="eval"))
    except SyntaxError:
        return
