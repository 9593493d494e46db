"""The wide residual encoder-decoder of FPI and PII (Zagoruyko and Komodakis 2016; Tan et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F


class WideBlock(nn.Module):
    """Two 3 x 3 convolutions, each after batch normalisation and ReLU, beside a shortcut; halves or doubles sizes."""

    def __init__(self, inputs: int, outputs: int, scale: float = 1) -> None:
        super().__init__()
        self.scale = scale
        self.norm1, self.norm2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False, stride=2 if scale == 0.5 else 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        if self.scale == 2:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        y = self.conv1(F.relu(self.norm1(x)))
        y = self.conv2(F.relu(self.norm2(y)))
        return y + self.shortcut(F.avg_pool2d(x, 2) if self.scale == 0.5 else x)


class WideResNetAutoencoder(nn.Module):
    """Images (N, 1, H, W), sides multiples of 8, to logits of the same shape.

    A convolution to widths[0] channels and a block of widths[1] at full size, then one block per further width at half
    the size each; a decoder that doubles the size in each block, by a quarter of the channels to one.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        first, *rest = widths
        encoder: list[nn.Module] = [nn.Conv2d(1, first, 3, padding=1, bias=False), WideBlock(first, rest[0])]
        encoder += [WideBlock(inputs, outputs, 0.5) for inputs, outputs in pairwise(rest)]
        halvings = len(rest) - 1
        channels = [max(1, rest[-1] // 4**level) for level in range(halvings)] + [1]
        decoder = [WideBlock(inputs, outputs, 2) for inputs, outputs in pairwise(channels)]
        self.layers = nn.Sequential(*encoder, *decoder)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)
