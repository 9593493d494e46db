"""The score of DISYRE's public code, computed with our weights; run by parity.py, which stores its output."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import torch
from diffusers import UNet2DModel
from torch import nn

from tests.parity.defaults import EVERY


class LaterByOne(nn.Module):
    """A network whose times count from 0 while ours count from 1."""

    def __init__(self, network: UNet2DModel, side: int) -> None:
        super().__init__()
        self.network, self.sample_size = network, (side, side)

    def forward(self, images: torch.Tensor, t: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(sample=self.network(images, t + 1, return_dict=False)[0])


def theirs(name: str, checkout: Path) -> nn.Module:
    """The public pipeline as a module, with our weights in the network that its trainer makes."""
    sys.path.insert(0, str(checkout))
    metrics = ModuleType("torchmetrics")  # for a score that is not used
    metrics.StructuralSimilarityIndexMeasure = lambda **settings: None  # type: ignore[attr-defined]
    sys.modules.setdefault("torchmetrics", metrics)
    from diffusion.scheduler import DISYREPipeline, DISYREScheduler

    case = EVERY[name]
    down, up = ["DownBlock2D"] * 6, ["UpBlock2D"] * 6
    down[4], up[1] = "AttnDownBlock2D", "AttnUpBlock2D"
    network = UNet2DModel(
        sample_size=case.shape[-1],
        in_channels=1,
        out_channels=1,
        layers_per_block=2,
        block_out_channels=(32, 64, 96, 128, 256, 256),
        down_block_types=tuple(down),
        up_block_types=tuple(up),
    )
    network.load_state_dict({key.removeprefix("inner.unet."): v for key, v in case.network().state_dict().items()})
    unet = LaterByOne(network.eval().double(), case.shape[-1])
    pipeline = SimpleNamespace(unet=unet, scheduler=DISYREScheduler(), device=torch.device("cpu"))

    class Score(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            found = DISYREPipeline.__call__(pipeline, images, num_inference_steps=4, weight_foreground=True)
            return found["anomaly_score"]

    return Score()
