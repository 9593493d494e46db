"""Processes to which packages seem not to be installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from typing import Any

HIDE = """
import sys
from importlib.machinery import PathFinder
hidden, find = set(sys.argv.pop(1).split(",")), PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name.partition(".")[0] in hidden else find(name, *rest)
"""


def python_without(modules: Iterable[str], code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess:
    """Run Python code, with arguments, where the top-level modules cannot be found."""
    command = [sys.executable, "-c", HIDE + code, ",".join(sorted(modules)), *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)
