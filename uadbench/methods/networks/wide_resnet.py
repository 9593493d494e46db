"""Wide residual encoder-decoder of FPI and PII (Zagoruyko and Komodakis 2016; Tan et al. 2020).

torchvision's networks of this name differ: bottleneck blocks, normalised after each convolution, without a decoder.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from uadbench.methods.networks.grey import GreyConv2d
from uadbench.methods.networks.output import in_float32


class WideBlock(nn.Module):
    """Two 3 x 3 convolutions, each after batch normalisation and ReLU, with a shortcut; halves or doubles sizes.

    Where channels change, the shortcut is a 1 x 1 convolution of the normalised and rectified input, else the input.
    In the decoder the first convolution runs at the low resolution, and its output is upsampled.
    """

    def __init__(self, inputs: int, outputs: int, scale: float = 1) -> None:
        super().__init__()
        self.scale = scale
        self.norm1, self.norm2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False, stride=2 if scale == 0.5 else 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.norm1(x))
        y = self._enlarged(self.conv1(h))
        y = self.conv2(F.relu(self.norm2(y)))
        if isinstance(self.shortcut, nn.Identity):
            return y + (F.avg_pool2d(x, 2) if self.scale == 0.5 else self._enlarged(x))
        # Every other voxel, equal to a strided convolution, which with few channels crashes some builds of torch.
        return y + self._enlarged(self.shortcut(h[..., ::2, ::2] if self.scale == 0.5 else h))

    def _enlarged(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0, mode="nearest") if self.scale == 2 else x


class WideResNetAutoencoder(nn.Module):
    """Images (N, 1, H, W), sides multiples of 8, to logits of the same shape.

    A convolution to widths[0] channels and a block of widths[1] at full size, then one block per further width at half
    the size each; a decoder that doubles the size in each block, by a quarter of the channels to one. Three halvings
    at most, those of UPD_study at 128 voxels; Tan et al. have four at 256, i.e. the same 16 voxels at the coarsest.

    he: He initialisation of convolutions (He et al. 2015; fan-in, as Tan et al.), else torch's default (UPD_study).
    grey: channels that the first convolution has for the image.
    """

    def __init__(self, widths: Sequence[int], he: bool = True, grey: int = 1) -> None:
        super().__init__()
        first, *rest = widths
        encoder: list[nn.Module] = [GreyConv2d(grey, first, 3, padding=1, bias=False), WideBlock(first, rest[0])]
        encoder += [WideBlock(inputs, outputs, 0.5) for inputs, outputs in pairwise(rest)]
        halvings = len(rest) - 1
        channels = [max(1, rest[-1] // 4**level) for level in range(halvings)] + [1]
        decoder = [WideBlock(inputs, outputs, 2) for inputs, outputs in pairwise(channels)]
        self.layers = nn.Sequential(*encoder, *decoder)
        if he:
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight)

    def forward(self, images: Tensor) -> Tensor:
        return in_float32(self.layers[-1], self.layers[:-1](images))
