"""The part of a file that a name needs: enough to execute it, and no more."""

import ast

import pytest

from uadbench.core.excerpt import needed

FILE = """
from __future__ import annotations
import math, torch
import os.path
from typing import Any as Anything, Literal

SIDE = 4
WIDTHS: list = [SIDE]
WIDTHS[0] = 5
try:
    from tomllib import loads as read
except ImportError:
    read = None

def half(side):
    return math.floor(side / LEVELS)

LEVELS = 2

class Mixin:
    mode: "Literal['a']" = "a"

class Network(torch.nn.Module):
    side = SIDE

class Params(Mixin):
    side: int = half(SIDE)
    found: Anything = os.path.sep

Params.title = read
"""
NEEDED = """
from __future__ import annotations
import math
import os.path
from typing import Any as Anything
from typing import Literal
SIDE = 4
try:
    from tomllib import loads as read
except ImportError:
    read = None

def half(side):
    return math.floor(side / LEVELS)
LEVELS = 2

class Mixin:
    mode: "Literal['a']" = 'a'

class Params(Mixin):
    side: int = half(SIDE)
    found: Anything = os.path.sep
Params.title = read
"""


def part(text: str, name: str) -> str:
    return ast.unparse(ast.Module(needed(ast.parse(text), name), []))


def test_what_a_name_needs_is_kept_in_its_order():
    assert part(FILE, "Params") == ast.unparse(ast.parse(NEEDED))
    assert part(FILE, "WIDTHS").splitlines()[1:] == ["SIDE = 4", "WIDTHS: list = [SIDE]", "WIDTHS[0] = 5"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("from a import *\nx = 1", "from a import *"),
        ("from a import *\nParams = field", "from a import *\nParams = field"),
        ("from a import *\nParams = int", "Params = int"),
        ("from a import Params, field", "from a import Params"),
        ("for n in (1, 2):\n    Params = n\nother = n", "for n in (1, 2):\n    Params = n"),
        ("if (Params := 1):\n    pass", "if (Params := 1):\n    pass"),
        ("int = float\nParams = int", "int = float\nParams = int"),
        ("def f():\n    Params = g()\nx = f()", ""),
        ("Params = 1\nx = [Params for Params in (1,)]", "Params = 1"),
    ],
)
def test_what_binds_a_name(text, wanted):
    assert part(text, "Params") == wanted
