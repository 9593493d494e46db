"""Baseline registry: discovery by file name and declarations, read without import.

A baseline is `baselines/NAME.py`. Its literals (REVISION, TITLE, …) are read from the source, and its `Params` is
the only part that is executed here: listing and checking need no torch, and a broken baseline breaks only itself.
A baseline may declare VARIANTS, other hyper-parameters under another title: the variant `upd` of `dae` is the method
`dae-upd`, a row of its own beside `dae`.
"""

from __future__ import annotations

import ast
import sys
import types
from dataclasses import dataclass
from typing import Any

from uadbench import validation
from uadbench.errors import HarnessError, choices
from uadbench.methods.params import NoParams
from uadbench.modalities import NAMES
from uadbench.plugins import Plugins, syntax_tree

BASELINES = Plugins("method", "uadbench.baselines", place="baselines")
CONTROL = "control"  # family of reference methods, which are not ranked
FAMILIES = {
    "IR": "image reconstruction",
    "FM": "feature modelling",
    "AB": "attention-based",
    "S-S": "self-supervised",
    CONTROL: "control",
}
PARAMS_MODULE = "_params_of_"  # prefix of the modules that hold only a `Params`
_PARAMS_IMPORTS = ("__future__", "dataclasses", "typing", "pydantic", "uadbench.methods.params")


@dataclass(frozen=True)
class Description:
    """The declarations of a baseline's file."""

    name: str  # the file name, with -VARIANT for a variant; used in configs and paths
    title: str  # the name printed in tables
    family: str  # a key of FAMILIES
    paper: str  # where the method was published
    summary: str  # the first line of the file's docstring, without the name
    revision: int  # raised when a code change alters the method's results: retrains only this method
    requires: str | None  # a method whose run of the same seed and modality this one builds on
    small: dict[str, Any]  # hyper-parameters that train in seconds on a CPU, for tests
    variants: tuple[str, ...]  # names of its variants
    params: dict[str, Any]  # hyper-parameters that define the variant; empty for the method as published


def names() -> list[str]:
    """Names of all baselines, sorted."""
    return BASELINES.names()


def every() -> list[str]:
    """Names of all baselines, each followed by its variants."""
    return [name for base in names() for name in (base, *(f"{base}-{variant}" for variant in describe(base).variants))]


def base(name: str) -> str:
    """The baseline that a variant belongs to; its own name for a baseline."""
    return name.partition("-")[0]


def describe(name: str) -> Description:
    """Read a baseline's declarations. Raises HarnessError for an unknown baseline or an invalid declaration."""
    path = BASELINES.path(base(name))
    variant = name.partition("-")[2]
    declared = BASELINES.literals(base(name))
    if not isinstance(declared.get("REVISION"), int):
        raise HarnessError(f"{path}: no REVISION; add a line such as REVISION = 1 at the top level")
    family = declared.get("FAMILY", "control")
    if family not in FAMILIES:
        raise HarnessError(f"{path}: FAMILY {family!r} is unknown; {choices(family, FAMILIES)}")
    variants = declared.get("VARIANTS", {})
    if "-" in name and variant not in variants:
        raise HarnessError(f"method {name!r}: {path} has no variant {variant!r}; {choices(variant, variants)}")
    own = variants.get(variant, {})
    return Description(
        name=name,
        title=own.get("title", declared.get("TITLE", name)),
        family=family,
        paper=declared.get("PAPER", ""),
        summary=(ast.get_docstring(syntax_tree(path)) or "").partition("\n")[0].partition(": ")[2],
        revision=declared["REVISION"],
        requires=declared.get("REQUIRES"),
        small=declared.get("SMALL", {}),
        variants=tuple(variants),
        params=own.get("params", {}),
    )


def params_class(name: str) -> type:
    """The `Params` of a baseline, without importing the rest of the file.

    `Params` may build on classes of `uadbench.methods.params` and on the `Params` of another baseline.
    """
    path = BASELINES.path(base(name))
    # A separate module, because dataclasses resolve type hints in the module of a class.
    module = types.ModuleType(f"{PARAMS_MODULE}{base(name)}")
    sys.modules[module.__name__] = module
    body: list[ast.stmt] = []
    for node in syntax_tree(path).body:
        if isinstance(node, ast.ImportFrom) and node.module in _PARAMS_IMPORTS:
            body.append(node)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{BASELINES.package}."):
            for alias in node.names:
                if alias.name == "Params":
                    inherited = str(node.module).removeprefix(f"{BASELINES.package}.")
                    module.__dict__[alias.asname or alias.name] = params_class(inherited)
        elif isinstance(node, ast.ClassDef) and node.name == "Params":
            body.append(node)
    exec(compile(ast.Module(body=body, type_ignores=[]), str(path), "exec"), module.__dict__)
    return getattr(module, "Params", NoParams)


def params(name: str, overrides: dict[str, Any], modality: str, where: str = "params") -> Any:
    """The hyper-parameters of a method for one modality.

    `overrides` maps names to values; entries under a modality (`t1`, `t2`, …) take precedence over the others. Defaults
    per modality come from `Params.MODALITY`, a mapping of modality to values. Values of a variant override them.
    Raises HarnessError naming the key.
    """
    cls = params_class(name)
    declared = (getattr(cls, "MODALITY", {}).get(modality, {}), describe(name).params)
    values = {**declared[0], **declared[1], **of_modality(overrides, modality, f"{where}.{name}")}
    return validation.build(cls, values, f"{where}.{name}")


def of_modality(overrides: dict[str, Any], modality: str, where: str) -> dict[str, Any]:
    """Overrides for one modality: those under its name take precedence. Raises HarnessError for a non-mapping."""
    common = {key: value for key, value in overrides.items() if key not in NAMES}
    own = overrides.get(modality) or {}
    if not isinstance(own, dict):
        raise HarnessError(f"{where}.{modality}: must be a mapping of parameters, not {own!r}")
    return {**common, **own}


def load(name: str) -> types.ModuleType:
    """Import a baseline: a module with `Params` and `Baseline`. Raises HarnessError where the latter is missing."""
    module = BASELINES.load(base(name))
    if not hasattr(module, "Baseline"):
        raise HarnessError(f"{module.__file__}: no class Baseline; add class Baseline(SliceMethod)")
    if not hasattr(module, "Params"):
        module.Params = NoParams  # type: ignore[attr-defined]
    return module
