"""What the file of a method declares, and its `Params`, which is executed without the rest."""

import dataclasses
import os
import sys

import pytest

from tests.blocks import baseline_files
from tests.commands import ROOT
from uadbench import baselines
from uadbench.core.errors import HarnessError
from uadbench.methods import registry
from uadbench.methods.base import Context
from uadbench.methods.settings import resolve

PLAIN = """\"\"\"Plain: the image.\"\"\"
from uadbench.methods.base import SliceMethod

REVISION = 1


class Baseline(SliceMethod):
    def score_slices(self, images, rng):
        return images
"""
#: files that may train or hold networks, of which the file does not show the contrary
OTHERS = {
    "phases": PLAIN + "\n    def phases(self):\n        return []\n",
    "networks": PLAIN + "\n    def __init__(self, *given):\n        super().__init__(*given)\n",
    "assigned": PLAIN + "\n    phases = None\n",
    "afterwards": PLAIN + "\n\nBaseline.phases = None\n",
    "inherited": PLAIN.replace("from uadbench.methods.base import", "from uadbench.baselines.vae import Baseline as"),
    "made": PLAIN.replace("class Baseline", "class Other") + "\n\nBaseline = Other\n",
}


def test_the_controls_alone_have_nothing_to_train():
    """As their classes have it: neither phases nor networks."""
    untrained = {name for name in registry.names() if not registry.describe(name).trains}
    assert untrained == {"intensity", "random"}
    for name in untrained:
        method = registry.load(name).Baseline(resolve(name, "t1").params, Context("t1", 4.0))
        assert not method.phases()
        assert not list(method.children())


@pytest.mark.parametrize(("name", "text"), [("plain", PLAIN), *OTHERS.items()])
def test_a_method_trains_unless_its_file_shows_that_it_has_nothing_to_train(tmp_path, monkeypatch, name, text):
    path = tmp_path / f"own_{name}.py"
    path.write_text(text)
    monkeypatch.setattr(baselines, "__path__", [*baselines.__path__])
    baselines.add_file(path)
    assert registry.describe(path.stem).trains == (name != "plain")


def test_an_edited_file_is_read_again(tmp_path, monkeypatch):
    """Its declarations and its parameters, which a process reads once for each state of the file."""
    declared = """from dataclasses import dataclass
from uadbench.methods.params import TrainingParams
REVISION = 1
SMALL = {{"steps": {0}}}
@dataclass(frozen=True)
class Params(TrainingParams):
    steps: int = {0}
"""
    path = tmp_path / "own_edited.py"
    monkeypatch.setattr(baselines, "__path__", [*baselines.__path__])
    for number, steps in enumerate((3, 4)):
        path.write_text(declared.format(steps))
        os.utime(path, (number, number))
        baselines.add_file(path)
        assert registry.describe("own_edited").small == {"steps": steps}
        registry.describe("own_edited").small["steps"] = 9  # which is the caller's own
        assert registry.describe("own_edited").small == {"steps": steps}
        assert registry.params_class("own_edited")().steps == steps


def test_the_example_of_the_guide_has_nothing_to_train(tmp_path, monkeypatch):
    (tmp_path / "gaussian.py").write_text((ROOT / "docs" / "add-a-baseline.md").read_text().split("```")[1][7:])
    monkeypatch.setattr(baselines, "__path__", [*baselines.__path__])
    baselines.add_file(tmp_path / "gaussian.py")
    assert not registry.describe("gaussian").trains


HEAD = """\"\"\"Mine: a file.\"\"\"
import math, nowhere
from dataclasses import dataclass
import uadbench.baselines.dae as third
from uadbench.baselines import dae, vae as other
from .mood22 import Params as Second

REVISION = 1
ROOT = math.sqrt(16)


def twice(side): return 2 * side


class Net(nowhere.Module): pass


@dataclass(frozen=True)
"""


@pytest.fixture
def params(tmp_path, monkeypatch):
    """The `Params` of a file of one's own, where no other baseline has been imported."""
    monkeypatch.setattr(baselines, "__path__", [*baselines.__path__])
    for name in registry.names():
        monkeypatch.delitem(sys.modules, f"{registry.BASELINES.package}.{name}", raising=False)

    def read(text: str, head: str = HEAD):
        (tmp_path / "own_params.py").write_text(head + text)
        baselines.add_file(tmp_path / "own_params.py")
        return resolve("own_params", "t1").values

    return read


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("class Params:\n    side: float = twice(ROOT)", {"side": 8.0}),
        ("class Params(dae.Params):\n    own: float = math.pi", {"own": 3.141592653589793, "cells": 16}),
        ("class Params(other.Params):\n    pass", {"latent": 512}),
        ("class Params(third.Params):\n    steps: int = 7", {"steps": 7, "cells": 16}),
        ("class Params(Second):\n    steps: int = 7", {"steps": 7, "T": 100}),
    ],
)
def test_params_use_what_their_file_imports_and_defines(params, text, wanted):
    """Without an import of the rest, which here would fail, or of another method's file."""
    assert params(text).items() >= wanted.items()
    imported = {name for name in registry.names() if f"{registry.BASELINES.package}.{name}" in sys.modules}
    assert not imported


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (
            "class Params:\n    side: float = math.tau * size",
            20,
            "NameError: name 'size' is not defined; import or define",
        ),
        ("class Params:\n    side: 'Sized' = 1", 19, "NameError: name 'Sized' is not defined; import or define it"),
        ("class Params(nowhere.Base):\n    pass", 2, "No module named 'nowhere'; install it"),
        ("class Params:\n    side: list = []", 18, "ValueError: mutable default"),
        ("class Params:\n    side: int = 1 / 0", 20, "ZeroDivisionError: division by zero; mend this line"),
        ("class Params(missing.Params): pass\nfrom .disy import Params as missing", 19, "NameError: name 'missing'"),
        ("class Params(Far): pass", 3, "method 'disy' is unknown: no file baselines/disy.py, nor in "),
    ],
)
def test_params_that_cannot_be_read_are_one_line_with_the_place(params, tmp_path, text, line, said):
    head = (
        HEAD.replace("from dataclasses", "from .disy import Params as Far\nfrom dataclasses") if "Far" in text else HEAD
    )
    with pytest.raises(HarnessError) as error:
        params(text, head)
    assert str(error.value).startswith(f"{tmp_path / 'own_params.py'}, line {line}: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_params_that_build_on_themselves_are_one_short_line(params, tmp_path):
    text = "from uadbench.baselines.{} import Params as Published\nclass Params(Published): pass\n"
    (tmp_path / "other_params.py").write_text("REVISION = 1\n" + text.format("own_params"))
    with pytest.raises(HarnessError) as error:
        params(text.format("other_params"), "REVISION = 1\n")
    assert str(error.value).startswith(f"{tmp_path / 'own_params.py'}, line 2: ")
    assert str(error.value).endswith("line 2: Params builds on itself")
    assert str(error.value).count("line") <= 2


def test_the_derived_example_of_the_guide_has_the_parameters_of_both(params):
    (text,) = [block for block in baseline_files(ROOT / "docs" / "add-a-baseline.md") if "dae.Params" in block]
    values = params(text, "")
    assert list(values) == [*(field.name for field in dataclasses.fields(registry.params_class("dae"))), "darker"]
    assert registry.describe("own_params").small == registry.describe("dae").small


def test_the_guide_names_every_family():
    text = " ".join((ROOT / "docs" / "add-a-baseline.md").read_text(encoding="utf-8").split())
    for family, title in registry.FAMILIES.items():
        assert f"`{family}` ({title})" in text or family == registry.CONTROL
    assert f"`{registry.CONTROL}` (" in text
