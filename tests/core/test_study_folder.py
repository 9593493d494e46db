"""Folder of a study: one module quotes its names, and docs/architecture.md has one row for each kind of file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from uadbench.core import study_folder
from uadbench.core.modalities import NAMES
from uadbench.evaluation.protocols.protocols import PROTOCOLS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
RULES = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "workflow" / "rules").glob("*.smk"))
OUTPUTS = "\n".join(re.findall(r"output:\n(.*?)\n +(?:log|localrule):", RULES, re.S))
LIBRARY = ROOT / "uadbench"
SOURCES = [path for path in sorted(LIBRARY.rglob("*.py")) if path != LIBRARY / "core" / "study_folder.py"]

#: names by constant; those of folders are also words of other meanings
CONSTANTS = {key: value for key, value in vars(study_folder).items() if key.isupper() and isinstance(value, str)}
FOLDERS = {"CHUNKS", "REGISTERED", "PACKED", "QUALITY", "WEIGHTS", "TENSORBOARD", "PARTIAL"}
FILES = {value for key, value in CONSTANTS.items() if key not in FOLDERS}
#: patterns of the files that functions of study_folder name
FUNCTIONS = {"volume_file": "IMAGE.nii.gz", "array_file": "IMAGE.npy", "histogram_file": "PROTOCOL.npz"}

#: commands of kinds that have a rule for each file, or none
COMMAND = {"tables": "table", "figures": "figure", "tensorboard": "tensorboard", "excerpt": "excerpt"}
#: what words in the patterns of the table stand for; others in capitals are names of the study
WORDS = {"IMAGE": "|".join([*NAMES, "mask", "brain"]), "MODALITY": "|".join(NAMES), "PROTOCOL": "|".join(PROTOCOLS)}
WORDS |= {"K": r"\d+", "N": r"\d+", study_folder.SIMULATED: study_folder.SIMULATED}


class Kind(NamedTuple):
    """A row of the table."""

    pattern: str
    always: bool  # whether every study has such a file
    maker: str
    owner: str

    def matches(self, path: str) -> bool:
        """Whether a path below the folder of a study is of this kind."""
        found = re.escape(self.pattern).replace(r"\*\*/", "(?:.+/)?").replace(r"\*\*", ".+").replace(r"\*", "[^/]*")
        found = re.sub(r"\\\{(.*)\\\}", lambda group: f"(?:{group[1].replace(',', '|')})", found)
        return bool(re.fullmatch(re.sub(r"\b[A-Z]+\b", lambda word: f"(?:{WORDS.get(word[0], '[^/]+')})", found), path))


ROW = re.compile(r"^\| `(?P<pattern>[^`]+)`(?P<mark>\*?) \| (?P<maker>[^|]+) \| [^|]+ \| (?P<owner>[^|]+) \|$", re.M)
KINDS = [
    Kind(row["pattern"], not row["mark"], row["maker"], row["owner"].strip("`"))
    for row in ROW.finditer(PAGE.split("## The files of a study")[1].split("\n## ")[0])
]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def quoted(source: ast.Module) -> Iterator[str]:
    """Names of files that a module quotes, alone or at the end of a path, and those of folders in its paths."""
    folders, globs = {CONSTANTS[key] for key in FOLDERS}, ("glob", "rglob", "with_name", "joinpath")
    for node in ast.walk(source):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.rpartition("/")[2] in FILES:
            yield node.value
        parts: list[ast.expr] = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            parts = [node.left, node.right]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in globs:
            parts = [part for argument in node.args for part in ast.walk(argument) if isinstance(part, ast.expr)]
        for part in parts:
            if isinstance(part, ast.Constant) and folders & set(str(part.value).split("/")):
                yield str(part.value)


def test_no_other_module_quotes_a_name():
    found = {str(path.relative_to(ROOT)): names for path in SOURCES if (names := [*quoted(tree(path))])}
    assert not found
    alone = "|".join(map(re.escape, FILES))
    for path in [ROOT / "Snakefile", *(ROOT / "workflow").rglob("*.smk"), *LIBRARY.rglob("*.j2")]:
        assert not re.findall(rf"""['"](?:{alone})['"]""", path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize(
    "line", ['read(folder / "run.json")', 'f"{folder}/run.json"', 'folder / "weights"', 'folder.glob("packed/*")']
)
def test_a_name_that_is_quoted_elsewhere_is_found(line):
    assert [*quoted(ast.parse(line))]


def test_words_of_other_meanings_are_no_names():
    assert not [*quoted(ast.parse('about["weights"], name / "packed.txt", "no run.json"'))]


@cache
def imported(path: Path) -> set[Path]:
    """Files of the library that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    files = {ROOT / f"{name.replace('.', '/')}.py" for name in names if name.startswith("uadbench.")}
    return {file for file in files if file.is_file()}


@cache
def reached(path: Path) -> frozenset[Path]:
    """The file and all that it leads to by imports."""
    found, waiting = set(), [path]
    while waiting:
        if (file := waiting.pop()) not in found:
            found.add(file)
            waiting += imported(file)
    return frozenset(found)


@cache
def names(path: Path) -> set[str]:
    """Variables and attributes in a file."""
    return {name for node in ast.walk(tree(path)) for key in ("id", "attr") if (name := getattr(node, key, None))}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.pattern)
def test_a_kind_is_made_by_its_rule_in_the_module_that_owns_it(kind):
    for maker in re.findall(r"`(\w+)`", kind.maker):
        rule = re.search(rf"\n *rule {maker}:(.*?)(?=\nrule |\Z)", RULES, re.S)
        verb = re.search(r"python -m uadbench (\w+)", rule[1]) if rule else None
        command = verb[1] if verb else COMMAND.get(maker)
        assert rule or command, f"no rule {maker}"
        start = f"commands/{command}.py" if command else "study/checks.py"
        assert LIBRARY / kind.owner in reached(LIBRARY / start), f"{start} does not lead to {kind.owner}"
    assert (LIBRARY / kind.owner).is_file() or kind.owner == "Snakemake"


@pytest.mark.parametrize(("key", "name"), [*CONSTANTS.items(), *FUNCTIONS.items()])
def test_a_name_has_a_row_and_its_owner_writes_it(key, name):
    """Or a module that imports the owner, or the rule hands the whole path over."""
    kinds = [kind for kind in KINDS if name in kind.pattern.split("/")]
    assert kinds
    for owner in (LIBRARY / kind.owner for kind in kinds):
        users = [path for path in SOURCES if path == owner or owner in imported(path)]
        assert key in FOLDERS or f'/{name}"' in OUTPUTS or any(key in names(path) for path in users), owner


STEP = re.compile(r"`([\w/]+\.py)`\s+`([\w.]+)`")


def test_every_step_of_the_walks_names_a_function_that_exists():
    walks = PAGE.split("## One scan, one number")[1].split("## The files of a study")[0]
    steps = STEP.findall(walks)
    assert len(steps) > 20
    for file, name in steps:
        places: list[ast.AST] = [tree(LIBRARY / file)]
        for part in name.split("."):
            kinds = (ast.FunctionDef, ast.ClassDef)
            places = [node for place in places for node in getattr(place, "body", []) if isinstance(node, kinds)]
            places = [node for node in places if node.name == part]
        assert places, f"{file}: no {name}"
