"""Registry of the paper's tables and figures by file name: `figures/figure2.py` is the figure `figure2`."""

from collections.abc import Collection, Iterable
from types import ModuleType

from uadbench.core.packaged import RESOURCES
from uadbench.core.plugins import Plugins

KINDS = {"tables": Plugins("table", "uadbench.paper.tables"), "figures": Plugins("figure", "uadbench.paper.figures")}


REPORTED = RESOURCES / "reported"  # benchmarks that Table 2 may quote, one file each


def references() -> list[str]:
    """Names of the benchmarks, sorted."""
    return sorted(path.stem for path in REPORTED.glob("*.yaml"))


def names(kind: str, methods: Iterable[str] | None = None, protocols: Collection[str] = ()) -> list[str]:
    """Names of all tables or figures (`kind` is "tables" or "figures"), without importing them.

    With `methods`, only those that an experiment with these methods and evaluation protocols can fill: a file may
    declare `REQUIRES = "disyre"`, or `MIN_PROTOCOLS = 2` if it compares protocols.
    """
    files = KINDS[kind]
    if methods is None:
        return files.names()
    declared = {name: files.literals(name) for name in files.names()}
    present = {None, *methods}
    return [
        name
        for name, literals in declared.items()
        if literals.get("REQUIRES") in present and literals.get("MIN_PROTOCOLS", 0) <= len(protocols)
    ]


def needs(kind: str, name: str) -> list[str]:
    """What a table or figure alone waits for, besides results: `NEEDS = ["synthesis"]` in its file."""
    found: list[str] = KINDS[kind].literals(name).get("NEEDS", [])
    return found


def load(kind: str, name: str) -> ModuleType:
    """Import a table or figure. Raises HarnessError that lists the known names for an unknown one."""
    return KINDS[kind].load(name)
