"""Finding tables and figures by file name: `figures/figure2.py` is the figure `figure2`, with nothing to register."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from harness.errors import HarnessError

HERE = Path(__file__).parent


def names(kind: str, methods: Iterable[str] | None = None) -> list[str]:
    """Names of all tables or figures (`kind` is "tables" or "figures"), without importing them.

    With `methods`, only those that an experiment with these methods can fill: a file may say `REQUIRES = "disyre"`.
    """
    found = sorted(path.stem for path in (HERE / kind).glob("*.py") if not path.stem.startswith("_"))
    if methods is None:
        return found
    present = {None, *methods}
    return [name for name in found if _requires(HERE / kind / f"{name}.py") in present]


def load(kind: str, name: str) -> ModuleType:
    """Import a table or figure. Raises HarnessError that lists those that exist if there is none of this name."""
    known = names(kind)
    if name not in known:
        raise HarnessError(f"{name}: no such {kind.removesuffix('s')}; there are {', '.join(known)}")
    return importlib.import_module(f"harness.paper.{kind}.{name}")


def _requires(path: Path) -> str | None:
    """The literal `REQUIRES` of a file, None if it has none."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "REQUIRES":
            return ast.literal_eval(node.value)
    return None
