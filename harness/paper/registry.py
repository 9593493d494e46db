"""Finding tables and figures by file name: `figures/figure2.py` is the figure `figure2`, with nothing to register."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable
from pathlib import Path
from types import ModuleType

from harness.errors import HarnessError
from harness.registry import literal

HERE = Path(__file__).parent


def names(kind: str, methods: Iterable[str] | None = None, protocols: Collection[str] = ()) -> list[str]:
    """Names of all tables or figures (`kind` is "tables" or "figures"), without importing them.

    With `methods`, only those that an experiment with these methods and evaluation protocols can fill: a file may say
    `REQUIRES = "disyre"`, or `MIN_PROTOCOLS = 2` where it compares protocols.
    """
    found = sorted(path.stem for path in (HERE / kind).glob("*.py") if not path.stem.startswith("_"))
    if methods is None:
        return found
    present = {None, *methods}
    return [
        name
        for name in found
        if literal(HERE / kind / f"{name}.py", "REQUIRES") in present
        and (literal(HERE / kind / f"{name}.py", "MIN_PROTOCOLS") or 0) <= len(protocols)
    ]


def load(kind: str, name: str) -> ModuleType:
    """Import a table or figure. Raises HarnessError that lists those that exist if there is none of this name."""
    known = names(kind)
    if name not in known:
        raise HarnessError(f"{name}: no such {kind.removesuffix('s')}; there are {', '.join(known)}")
    return importlib.import_module(f"harness.paper.{kind}.{name}")
