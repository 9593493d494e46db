"""EfficientNet-Lite0 of the package efficientnet-lite-pytorch with our weights; run by parity.py."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

from tests.parity.cases import CASES, Features


def theirs(name: str, folder: Path) -> nn.Module:
    """Features of the public network, with our weights."""
    sys.path.insert(0, str(folder))
    from efficientnet_lite_pytorch import EfficientNet

    case = CASES[name]
    network = EfficientNet.from_name("efficientnet-lite0", image_size=case.shape[-1])
    ours = {key.removeprefix("inner."): value for key, value in case.network().state_dict().items()}
    network.load_state_dict({**network.state_dict(), **ours})
    stages = (1, 2, 4, 10, 15)  # the last blocks before the size or, at the end, the network changes

    def features(images: torch.Tensor) -> list[torch.Tensor]:
        x = network._swish(network._bn0(network._conv_stem(images)))
        found = []
        for index, block in enumerate(network._blocks):
            x = block(x)
            if index in stages:
                found.append(x)
        return found

    made = Features(network.eval().double())
    made.forward = lambda x: torch.cat([(f / f.abs().max()).flatten(1) for f in features(x)], 1)[:, ::64]
    return made
