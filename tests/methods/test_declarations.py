"""Declarations in the file of a baseline, and helpers beside it."""

import sys

import pytest

from tests.commands import ended
from uadbench import baselines
from uadbench.core.errors import HarnessError
from uadbench.methods import registry

BASELINE = """
class Baseline: pass
"""


@pytest.fixture
def add(tmp_path, monkeypatch):
    """Write files by name to a folder of one's own, and find its baselines."""
    monkeypatch.setattr(baselines, "__path__", [*baselines.__path__])
    monkeypatch.setenv(baselines.VARIABLE, "")
    before = set(sys.modules)

    def added(folder: str = "mine", **files: str) -> None:
        (tmp_path / folder).mkdir()
        for name, text in files.items():
            (tmp_path / folder / f"{name}.py").write_text(text)
        baselines.add(tmp_path / folder)

    yield added
    for name in set(sys.modules) - before:
        if name.startswith(baselines.__name__):
            del sys.modules[name]
            vars(baselines).pop(name.rpartition(".")[2], None)


def test_annotated_literals_count_and_the_last_one_decides(add):
    add(own="REVISION: int = 2\nTITLE = 'Old'\nTITLE: str = 'Own'\nFAMILY: str = 'S-S'\nPAPER = 'a ' 'b'" + BASELINE)
    about = registry.describe("own")
    assert (about.revision, about.title, about.family, about.paper) == (2, "Own", "S-S", "a b")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("FAMILY", "FAMILY = 'S' + '-S'"),
        ("TITLE", "TITLE = f'Own {1}'"),
        ("TITLE", "TITLE: str = str(1)"),
        ("TITLE", "TITLE = 5"),
        ("TITLE", "TITLE, PAPER = 'Own', 'nowhere'"),
        ("PAPER", "PAPER = None"),
        ("FAMILY", "from os import sep as FAMILY"),
        ("FAMILY", "if True: FAMILY = 'S-S'"),
        ("REVISION", "REVISION = '1'"),
        ("REVISION", "REVISION = 1.0"),
        ("REVISION", "REVISION = True"),
        ("REVISION", "REVISION: int"),
        ("REVISION", "REVISION += 1"),
        ("REQUIRES", "REQUIRES = ['vae']"),
        ("SMALL", "SMALL = dict(steps=4)"),
        ("SMALL", "SMALL['steps'] = 4"),
        ("SMALL", "SMALL = {[]: 4}"),
        ("VARIANTS", "VARIANTS = {'upd': 'Own'}"),
        ("VARIANTS", "VARIANTS = {'upd': {'titel': 'Own'}}"),
    ],
)
def test_a_declaration_that_is_no_literal_of_its_type_is_one_line_with_its_place(add, tmp_path, name, line):
    add(own="REVISION = 1\n" + line + BASELINE)
    with pytest.raises(HarnessError) as error:
        registry.describe("own")
    said = str(error.value)
    place = tmp_path / "mine" / "own.py"
    assert said.startswith(f"{place}, line 2: {name} is read without running the file, so it ")
    assert "must be a literal; write it as in" in said
    assert "\n" not in said


def test_a_method_without_family_and_title_is_a_control_with_the_name_of_its_file(add, root):
    add(own="REVISION = 1" + BASELINE)
    about = registry.describe("own")
    assert (about.family, about.title) == (registry.CONTROL, "own")
    page = (root / "docs" / "add-a-baseline.md").read_text(encoding="utf-8")
    assert f"A method without `FAMILY` is a `{registry.CONTROL}`." in page
    assert "without it the name of the file" in page


WITH_HELPER = """from dataclasses import dataclass
{}
REVISION = 1
@dataclass(frozen=True)
class Params:
    width: int = {}
class Baseline:
    width = {}
"""


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("from ._parts import WIDTH", "WIDTH"),
        ("from . import _parts", "_parts.WIDTH"),
        ("from . import _parts as own", "own.WIDTH"),
        ("from ._parts import *", "WIDTH"),
        ("from uadbench.baselines._parts import WIDTH as W", "W"),
        ("import uadbench.baselines._parts as own", "own.WIDTH"),
    ],
)
def test_a_helper_serves_params_and_baseline_and_is_no_method(add, line, value):
    add(own=WITH_HELPER.format(line, value, value), _parts="WIDTH = 7\n")
    assert registry.params_class("own")().width == 7
    assert "uadbench.baselines.own" not in sys.modules
    assert registry.load("own").Baseline.width == 7
    assert "_parts" not in registry.names()
    assert "_parts" not in ended("list").output
    assert "_parts" not in ended("parameters").output


def test_an_error_in_a_helper_is_placed_there(add, tmp_path):
    add(own=WITH_HELPER.format("from ._parts import WIDTH", "WIDTH", 1), _parts="\nWIDTH = size\n")
    with pytest.raises(HarnessError) as error:
        registry.params_class("own")
    own, helper = (tmp_path / "mine" / name for name in ("own.py", "_parts.py"))
    said = "Params cannot be read: NameError: name 'size' is not defined"
    assert str(error.value).startswith(f"{own}, line 2: {helper}, line 2: {said}")


def test_helpers_of_one_name_in_two_folders_are_refused(add):
    add(_parts="WIDTH = 7\n", __init__="")
    with pytest.raises(HarnessError, match=r"_parts\.py: the helper _parts exists already in .*mine; rename the file"):
        add("yours", _parts="WIDTH = 8\n", __init__="")


@pytest.mark.parametrize("use", [["list"], ["parameters"], ["conformance", "helper"]])
def test_a_file_that_is_no_baseline_names_the_rule_wherever_it_is_met(add, use):
    own = WITH_HELPER.format("from .helper import WIDTH", "WIDTH", 1)
    rule = "neither REVISION nor class Baseline; add both, or begin the name of a helper with _, such as _helper.py"
    add(own=own, helper="WIDTH = 7\n")
    assert f"helper.py: no baseline, since it has {rule}" in str(ended(*use).exception)
    with pytest.raises(HarnessError, match=rf"own.py, line 2: .*helper.py: no baseline, since it has {rule}$"):
        registry.params_class("own")


def test_the_guide_has_the_rule_of_helpers(root):
    page = " ".join((root / "docs" / "add-a-baseline.md").read_text(encoding="utf-8").split())
    assert "Files of the folder whose names begin with `_` are helpers, no methods." in page
    assert "Baselines import them relatively" in page
