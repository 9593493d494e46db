"""Baseline registry: discovery by file name and declarations, read without import.

A baseline is `baselines/NAME.py`; a file `_NAME.py` beside it is a helper, which baselines import. The literals of a
baseline (REVISION, TITLE, …) are read from the source, and its `Params`, with what that uses, is the only part that is
executed here: listing and checking need no torch, and a broken baseline breaks only itself.
A baseline may declare VARIANTS, other hyper-parameters under another title: the variant `upd` of `dae` is the method
`dae-upd`, a row of its own beside `dae`.
"""

import ast
import copy
import functools
import sys
import traceback
import types
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

from uadbench.core import excerpt, extras, latex_text, validation
from uadbench.core.errors import HarnessError, choices
from uadbench.core.plugins import Plugins, syntax_tree
from uadbench.methods import declarations
from uadbench.methods.params import NoParams

ELSEWHERE = ", nor in a folder of your own (`uadbench --baselines FOLDER …`, or `baselines` in the config)"
BASELINES = Plugins("method", "uadbench.baselines", place="baselines", elsewhere=ELSEWHERE)
CONTROL = "control"  # family of reference methods, which are not ranked
FAMILIES = {
    "IR": "image reconstruction",
    "FM": "feature modelling",
    "AB": "attention-based",
    "S-S": "self-supervised",
    CONTROL: "control",
}
PARAMS_MODULE = "_params_of_"  # prefix of the modules that hold only a `Params`


@dataclass(frozen=True)
class Description:
    """The declarations of a baseline's file."""

    name: str  # the file name, with -VARIANT for a variant; used in configs and paths
    title: str  # the name printed in tables
    family: str  # a key of FAMILIES
    paper: str  # where the method was published
    summary: str  # the first line of the file's docstring, without the name
    revision: int  # raised when a code change alters the method's results: retrains only this method
    trains: bool  # False where the file shows that there is nothing to train
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


def describe(name: str, variants: Mapping[str, Mapping[str, Any]] | None = None) -> Description:
    """Read a baseline's declarations.

    variants: further variants by their full names, each with its hyper-parameters and maybe a `title`.
    Raises HarnessError for an unknown baseline or variant, or an invalid declaration.
    """
    path = BASELINES.path(base(name))
    variant = name.partition("-")[2]
    declared = declarations.read(path)
    family = declared.get("FAMILY", CONTROL)
    if family not in FAMILIES:
        raise HarnessError(f"{path}: FAMILY {family!r} is unknown; {choices(family, FAMILIES)}")
    own, listed = {}, declared.get("VARIANTS", {})
    if variants and name in variants:
        params = dict(variants[name])
        own = {"title": params.pop("title", f"{declared.get('TITLE', base(name))} ({variant})"), "params": params}
    elif "-" in name:
        if variant not in listed:
            known = choices(variant, listed)
            raise HarnessError(
                f"method {name!r}: {path} has no variant {variant!r}; {known}; `variants` in a config defines others"
            )
        own = listed[variant]
    title = own.get("title", declared.get("TITLE", name))
    check_title(f"variants.{name}.title" if variants and name in variants else str(path), title)
    return Description(
        name=name,
        title=title,
        family=family,
        paper=declared.get("PAPER", ""),
        summary=(ast.get_docstring(syntax_tree(path)) or "").partition("\n")[0].partition(": ")[2],
        revision=declared["REVISION"],
        trains=declarations.trains(syntax_tree(path)),
        requires=own.get("requires", declared.get("REQUIRES")),
        small=declared.get("SMALL", {}),
        variants=tuple(listed),
        params=own.get("params", {}),
    )


def check_title(where: str, title: object) -> None:
    """Raise HarnessError, which begins with `where`, for a title that is no text, or that tables cannot print."""
    if not isinstance(title, str):
        raise HarnessError(f"{where}: the title {title!r} is no text; put it in quotation marks")
    if odd := latex_text.unknown(title):
        signs = " ".join(map(repr, odd))
        raise HarnessError(f"{where}: LaTeX cannot print {signs} of the title {title!r}; spell it in other letters")


def params_class(name: str) -> type:
    """The `Params` of a baseline: that of the imported file, else cut out of it without executing the rest.

    It may use whatever the file imports or defines; of another baseline, its `Params` is likewise cut out.
    Raises HarnessError with file and line where it cannot be read.
    """
    if imported := sys.modules.get(f"{BASELINES.package}.{base(name)}"):
        return getattr(imported, "Params", NoParams)
    path = BASELINES.path(base(name))
    return _cut_out(syntax_tree(path), path)


@functools.cache
def _cut_out(file: ast.Module, path: Path) -> type:
    # A separate module, because dataclasses resolve type hints in the module of a class.
    module = types.ModuleType(f"{PARAMS_MODULE}{path.stem}")
    module.__dict__.update(__package__=BASELINES.package, _Other=_Other)
    sys.modules[module.__name__] = module
    try:
        exec(_params_code(file, path), module.__dict__)
        found: type = module.__dict__.get("Params", NoParams)
        if "__dataclass_fields__" not in vars(found) and ("__annotations__" in vars(found) or not is_dataclass(found)):
            raise HarnessError("Params is no dataclass; put @dataclass(frozen=True) on the line above it")
        validation.model(found)
    except Exception as error:
        frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
        lines = [node.lineno for node in file.body if getattr(node, "name", "") == "Params"]
        lines += [line or 1 for place, line in frames if place == path]
        where = ", line ".join(map(str, [path, *lines[-1:]]))
        beside = [(place, line) for place, line in frames if place.parent == path.parent]
        helpers = [f": {place}, line {line}" for place, line in beside if place.name[0] == "_"]
        where += "".join(helpers[-1:])
        circle = str(path) in str(error)  # of another baseline, which builds on this one
        raise HarnessError(f"{where}: {'Params builds on itself' if circle else _unreadable(error)}") from error
    return found


def _params_code(file: ast.Module, path: Path) -> types.CodeType:
    """The part of a baseline's file that its `Params` needs."""
    part = _Others().visit(copy.deepcopy(ast.Module(excerpt.needed(file, "Params"), [])))
    return compile(part, str(path), "exec")


def _unreadable(error: Exception) -> str:
    """Why `Params` cannot be read, and the remedy."""
    if isinstance(error, HarnessError):
        return str(error)
    remedy = "import or define it at the top of the file" if isinstance(error, NameError) else "mend this line"
    if isinstance(error, ModuleNotFoundError):
        remedy = extras.remedy(error.name or "") or "install it"
    return f"Params cannot be read: {type(error).__name__}: {' '.join(str(error).split())}; {remedy}"


class _Other:
    """Another baseline as `Params` sees it: its `Params` without an import of its file, all else with it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, key: str) -> Any:
        return params_class(self._name) if key == "Params" else getattr(load(self._name), key)


class _Others(ast.NodeTransformer):
    """Imports of other baselines become assignments of `_Other`; those of helpers stay imports."""

    def visit_Import(self, node: ast.Import) -> Any:
        return [self._assigned(node, alias, alias.name if alias.asname else "", "") for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        module = resolve_name("." * node.level + (node.module or ""), BASELINES.package)
        whole = module == BASELINES.package
        return [
            self._assigned(node, alias, *((f"{module}.{alias.name}", "") if whole else (module, f".{alias.name}")))
            for alias in node.names
        ]

    def _assigned(self, node: ast.Import | ast.ImportFrom, alias: ast.alias, module: str, attribute: str) -> ast.stmt:
        """The statement for one name of an import, from a module or of an attribute of it."""
        package, _, name = module.rpartition(".")
        if package != BASELINES.package or name[:1] == "_" or alias.name == "*":
            alone = (
                ast.Import([alias])
                if isinstance(node, ast.Import)
                else ast.ImportFrom(node.module, [alias], node.level)
            )
            return ast.copy_location(alone, node)
        (made,) = ast.parse(f"{alias.asname or alias.name} = _Other({name!r}){attribute}").body
        for part in ast.walk(made):
            ast.copy_location(part, node)
        return made


def load(name: str) -> types.ModuleType:
    """Import a baseline: a module with `Params` and `Baseline`. Raises HarnessError where the latter is missing."""
    declarations.check_baseline(BASELINES.path(base(name)))
    module = BASELINES.load(base(name))
    if not hasattr(module, "Baseline"):
        raise HarnessError(f"{module.__file__}: no class Baseline; add class Baseline(SliceMethod)")
    if not hasattr(module, "Params"):
        module.Params = NoParams  # type: ignore[attr-defined]
    return module
