"""EfficientNet-Lite0 (Tan and Le 2019) with the parameter names of its published weights: a small frozen backbone.

timm, which has this network, depends on torchvision (see `resnet`).
"""

from torch import Tensor, nn
from torch.nn import functional as F

STEM = 32  # channels
STAGES = (  # outputs, factor of expansion, side of the kernel, stride, blocks
    (16, 1, 3, 1, 1),
    (24, 6, 3, 2, 2),
    (40, 6, 5, 2, 2),
    (80, 6, 3, 2, 3),
    (112, 6, 5, 1, 3),
    (192, 6, 5, 2, 4),
    (320, 6, 3, 1, 1),
)
OUTPUTS = ((1, 2, 4, 10, 15), (24, 24, 40, 112, 320))  # indices of blocks that output features, and their channels
EPSILON = 1e-3  # of batch normalisation


class SameConv(nn.Conv2d):
    """A convolution without bias and output size ceil(size / stride): TensorFlow's padding, more of it at the end."""

    def __init__(self, inputs: int, outputs: int, side: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, side, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        margins: list[int] = []
        for size, side, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            total = max((-(-size // stride) - 1) * stride + side - size, 0)
            margins += [total // 2, total - total // 2]
        return super().forward(F.pad(x, margins))


class InvertedBlock(nn.Module):
    """Expansion, depthwise convolution and projection, with a shortcut where the shape is unchanged."""

    def __init__(self, inputs: int, outputs: int, factor: int, side: int, stride: int) -> None:
        super().__init__()
        inner = inputs * factor
        self.expands, self.shortcut = factor != 1, stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv, self._bn0 = SameConv(inputs, inner, 1), nn.BatchNorm2d(inner, EPSILON)
        self._depthwise_conv = SameConv(inner, inner, side, stride, inner)
        self._bn1 = nn.BatchNorm2d(inner, EPSILON)
        self._project_conv, self._bn2 = SameConv(inner, outputs, 1), nn.BatchNorm2d(outputs, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.shortcut else y


class EfficientNetLite(nn.Module):
    """Images (N, 3, H, W) to features of 1/4, 1/4, 1/8, 1/16 and 1/32 of the size, as in `ResNet`.

    stages: the number of stages to keep, besides the stem's; width: 64 as published, others scale all channels.
    """

    def __init__(self, stages: int = 4, width: int = 64) -> None:
        super().__init__()

        def scaled(channels: int) -> int:
            return max(1, channels * width // 64)

        inputs, last = scaled(STEM), OUTPUTS[0][stages]
        self._conv_stem, self._bn0 = SameConv(3, inputs, 3, 2), nn.BatchNorm2d(inputs, EPSILON)
        blocks: list[nn.Module] = []
        for outputs, factor, side, stride, count in STAGES:
            for index in range(count):
                blocks.append(InvertedBlock(inputs, scaled(outputs), factor, side, 1 if index else stride))
                inputs = scaled(outputs)
        self._blocks = nn.ModuleList(blocks[: last + 1])
        self.channels = [scaled(channels) for channels in OUTPUTS[1][: stages + 1]]

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.relu6(self._bn0(self._conv_stem(x)))
        features = []
        for index, block in enumerate(self._blocks):
            x = block(x)
            if index in OUTPUTS[0]:
                features.append(x)
        return features
