"""The anomaly map of DenoisingAE; run by parity.py, which stores its output."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.public_code import define
from tests.parity.cases import Change


def theirs(checkout: Path) -> nn.Module:
    """`get_scores` of src/denoising.py for a model that returns a given restoration."""
    scope: dict[str, Any] = {"torch": torch, "F": F}
    define(checkout / "src" / "utilities.py", ["_pair", "_quadruple", "_ntuple", "median_pool"], scope)
    define(checkout / "src" / "denoising.py", ["get_scores"], scope)

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
