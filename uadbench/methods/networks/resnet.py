"""Residual networks (He et al. 2016) with the parameter names of torchvision, so that its published weights fit.

torchvision, which has these networks, is no dependency: one of its wheels fits one build of torch, and beside another
its import fails.
"""

from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions with a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int, base: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU()
        self.downsample = shortcut(inputs, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions with a shortcut; inner width `base` / 64 times that of ResNet-50."""

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int, base: int) -> None:
        super().__init__()
        width, outputs = planes * base // 64, planes * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.downsample = shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))
        return self.relu(self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x)))


Block = type[BasicBlock] | type[Bottleneck]
ARCHITECTURES: dict[str, tuple[Block, tuple[int, ...], int]] = {  # block, blocks of every stage, base
    "resnet18": (BasicBlock, (2, 2, 2, 2), 64),
    "wide_resnet50_2": (Bottleneck, (3, 4, 6, 3), 128),
}


class ResNet(nn.Module):
    """The stem and the first `stages` stages: images (N, 3, H, W) to a list of their outputs.

    name: a key of ARCHITECTURES; width: channels of the stem, 64 in every published network. The outputs have 1/4, 1/4,
    1/8, 1/16 and 1/32 of the size.
    """

    def __init__(self, name: str, stages: int = 4, width: int = 64) -> None:
        super().__init__()
        block, blocks, base = ARCHITECTURES[name]
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs, self.channels = width, [width]
        for level in range(stages):
            planes = width * 2**level
            self.add_module(
                f"layer{level + 1}", stage(block, inputs, planes, blocks[level], 1 if level == 0 else 2, base)
            )
            inputs = planes * block.expansion
            self.channels.append(inputs)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = [self.maxpool(self.relu(self.bn1(self.conv1(x))))]
        for level in range(1, len(self.channels)):
            features.append(self.get_submodule(f"layer{level}")(features[-1]))
        return features


def stage(block: Block, inputs: int, planes: int, count: int, stride: int, base: int) -> nn.Sequential:
    """`count` blocks, the first with the stride."""
    outputs = planes * block.expansion
    return nn.Sequential(*(block(outputs if i else inputs, planes, 1 if i else stride, base) for i in range(count)))


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """Projection shortcut of a block that changes the size or the channels; None for an identity shortcut."""
    if inputs == outputs and stride == 1:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def initialise(network: nn.Module) -> None:
    """He initialisation (fan-out) of every convolution except transposed ones, as in torchvision."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
