"""The anomaly map of DenoisingAE; run by parity.py, which stores its output."""

from __future__ import annotations

import ast
import textwrap
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from tests.parity.cases import Change


def theirs(checkout: Path) -> nn.Module:
    """`get_scores` of src/denoising.py for a model that returns a given restoration."""
    scope: dict[str, Any] = {"torch": torch, "F": F}
    source = (checkout / "src" / "utilities.py").read_text()
    define(source, ["_pair", "_quadruple", "_ntuple", "median_pool"], scope)
    define((checkout / "src" / "denoising.py").read_text(), ["get_scores"], scope)

    class Given:
        def __init__(self, restored: torch.Tensor) -> None:
            self.restored = restored

        def eval(self) -> Given:
            return self

        def __call__(self, images: torch.Tensor) -> torch.Tensor:
            return self.restored

    def compared(images: torch.Tensor, restored: torch.Tensor) -> torch.Tensor:
        return scope["get_scores"](Namespace(model=Given(restored), device="cpu"), [images])

    return Change(compared, darkest=0.0)


def define(source: str, names: list[str], scope: dict[str, Any]) -> None:
    """Define functions of a file by their names, wherever they stand in it, with the imports that it makes itself."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name in names:
            exec(textwrap.dedent(ast.get_source_segment(source, node, padded=True) or ""), scope)
        elif isinstance(node, ast.ImportFrom) and "_pair" in {alias.name for alias in node.names}:
            exec(ast.unparse(node), scope)
