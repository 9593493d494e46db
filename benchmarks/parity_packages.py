"""Networks of packages with our weights: EfficientNet-Lite0, torchvision's, diffusers' U-Net; run by parity.py."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from diffusers import UNet2DModel
from torch import nn

from tests.parity.cases import Features
from tests.parity.defaults import EVERY, Levels


def lite(name: str, folder: Path) -> nn.Module:
    """Features of EfficientNet-Lite0 of the package efficientnet-lite-pytorch."""
    sys.path.insert(0, str(folder))
    from efficientnet_lite_pytorch import EfficientNet

    case = EVERY[name]
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


class Stages(nn.Module):
    """Features of torchvision's ResNet: of its stem and its first stages."""

    def __init__(self, network: nn.Module, stages: int) -> None:
        super().__init__()
        self.network, self.stages = network, stages

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        n = self.network
        found = [n.maxpool(n.relu(n.bn1(n.conv1(images))))]
        for level in range(1, self.stages + 1):
            found.append(getattr(n, f"layer{level}")(found[-1]))
        return found


def torchvision(name: str, folder: Path) -> nn.Module:
    """Features of a ResNet of torchvision."""
    sys.path.insert(0, str(folder))
    for stub in [known for known in sys.modules if known.partition(".")[0] == "torchvision"]:
        del sys.modules[stub]  # what public code was given instead
    # A wheel for another build of torch cannot load its operators, which ResNets do without.
    operators = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        operators.define(f"{operator}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
    from torchvision.models import resnet

    ours = {key.removeprefix("inner."): value for key, value in EVERY[name].network().state_dict().items()}
    network = getattr(resnet, name)()
    network.load_state_dict({**network.state_dict(), **ours})
    stages = max(int(key[5]) for key in ours if key.startswith("layer"))
    return Levels(Stages(network.eval().double(), stages))


def unet(name: str) -> nn.Module:
    """The U-Net of Naval Marimont et al. 2024, section 3: six levels, self-attention from the third on."""
    network = UNet2DModel(
        in_channels=1,
        out_channels=1,
        layers_per_block=2,
        block_out_channels=(32, 64, 96, 128, 256, 256),
        down_block_types=("DownBlock2D",) * 2 + ("AttnDownBlock2D",) * 4,
        up_block_types=("AttnUpBlock2D",) * 4 + ("UpBlock2D",) * 2,
    )
    ours = EVERY[name].network().state_dict()
    network.load_state_dict({key.removeprefix("inner.unet."): value for key, value in ours.items()})
    network.eval().double()

    class At50(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return network(images, 50).sample

    return At50()
