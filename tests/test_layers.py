"""Imports run downwards: a module knows those of its own layer and of the layers below, never those above."""

import ast
from pathlib import Path

import pytest

#: from the ground up; what stands on one line does not import one another
LAYERS = (
    ("core",),
    ("baselines", "compute", "viewer"),
    ("data", "methods"),
    ("simulation", "training"),
    ("evaluation",),
    ("conformance", "own", "paper"),
    ("study",),
    ("report", "status"),
    ("sharing",),
    ("commands",),
    ("cli",),
    ("__main__",),
)
LEVELS = {name: level for level, names in enumerate(LAYERS) for name in names}


def imports(path: Path) -> set[str]:
    """Modules, in full, that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def layer(module: str) -> str:
    """The second part of a dotted name: the file or folder of the library."""
    return [*module.split("."), "__init__"][1]


def upward(source: str, imported: set[str]) -> list[str]:
    """Imports of the layer `source` that are not below it, its own aside."""
    others = {layer(name) for name in imported if name.startswith("uadbench.")} - {source, "__init__", "__version__"}
    return sorted(name for name in others if LEVELS[name] >= LEVELS[source])


def test_every_part_of_the_library_has_a_layer(root):
    parts = {
        path.stem for path in (root / "uadbench").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert parts - {"__init__"} == set(LEVELS)


def test_the_architecture_page_has_every_layer_that_is_a_folder(root):
    page = (root / "docs" / "architecture.md").read_text(encoding="utf-8").split("## The layers")[1]
    for path in (root / "uadbench").iterdir():
        if (path / "__init__.py").exists():
            assert f"`uadbench/{path.name}/`" in page, path.name


def test_no_import_runs_upwards(root):
    wrong = {}
    for path in sorted((root / "uadbench").rglob("*.py")):
        source = path.relative_to(root / "uadbench").parts[0].removesuffix(".py")
        above = upward(source, imports(path)) if source != "__init__" else []
        if above:
            wrong[str(path.relative_to(root))] = above
    assert not wrong


def test_baselines_stand_on_methods_alone(root):
    for path in sorted((root / "baselines").glob("*.py")):
        own = {name for name in imports(path) if name.startswith("uadbench.")}
        assert {layer(name) for name in own} <= {"baselines", "methods"}, path.name


def test_a_library_needs_no_baseline(root):
    for path in (root / "uadbench").rglob("*.py"):
        assert not any(name.startswith("uadbench.baselines.") for name in imports(path)), path.name


@pytest.mark.parametrize(
    ("source", "imported", "above"),
    [
        ("methods", {"uadbench.training.loop.step"}, ["training"]),
        ("data", {"uadbench.methods.seeds.Streams"}, ["methods"]),
        ("training", {"uadbench.methods.base.Method", "uadbench.core.files.atomic", "torch.nn"}, []),
    ],
)
def test_an_import_that_runs_upwards_is_found(source, imported, above):
    assert upward(source, imported) == above
