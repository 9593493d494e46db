"""Output layer of a network in float32, independent of the number format of the others.

Residuals are differences of almost equal numbers, of which bfloat16 keeps two or three digits.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class OutputConv2d(nn.Conv2d):
    """A convolution that computes and returns float32 even under autocast; float64 is kept."""

    @classmethod
    def of(cls, layer: nn.Conv2d) -> "OutputConv2d":
        """The same convolution, with shared parameters."""
        made = torch.nn.utils.skip_init(
            cls,
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,
            layer.stride,
            layer.padding,
            bias=layer.bias is not None,
        )
        made.weight, made.bias = layer.weight, layer.bias
        return made

    def forward(self, input: Tensor) -> Tensor:
        """Maps (N, C, H, W) to float32."""
        return in_float32(super().forward, input)


def in_float32(layer: Callable[[Tensor], Tensor], input: Tensor) -> Tensor:
    """Output of a layer with autocast disabled."""
    with torch.autocast(input.device.type, enabled=False):
        return layer(input.to(torch.promote_types(input.dtype, torch.float32)))
