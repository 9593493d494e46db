"""First convolution of a network of slices, which may see several copies of them.

UPD_study (Lagogiannis et al. 2024) feeds each grey slice as three channels. The function is that of one channel with
the sum of the three kernels; Adam and RMSprop move each of the three by the full rate, so that their sum learns three
times as fast.
"""

from torch import Tensor, nn


class GreyConv2d(nn.Conv2d):
    """A convolution of slices (N, 1, H, W), each given to all of its `in_channels`."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.expand(-1, self.in_channels, -1, -1))
