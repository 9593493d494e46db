"""Networks at their default sizes, which tests of methods replace by small ones; small images keep them cheap."""

import torch
from torch import Tensor, nn
from uadbench.baselines.fae import FeatureAutoencoder
from uadbench.baselines.rd import Student

from tests.parity.cases import CASES, Case, published
from uadbench.methods.networks.resnet import ResNet

TORCHVISION = "torchvision 0.28.0"
DIFFUSERS = "UNet2DModel of diffusers, as the paper describes it"
THINNED = 61  # every so many numbers of an output are recorded; not a divisor of its sizes


class Levels(nn.Module):
    """Outputs of several sizes, each divided by its largest number."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def inputs(self, x: Tensor) -> Tensor | list[Tensor]:
        return x

    def forward(self, x: Tensor) -> Tensor:
        outputs = self.inner(self.inputs(x))
        return torch.cat([(level / level.abs().max()).flatten(1) for level in outputs], 1)[:, ::THINNED]


class Copies(Levels):
    """A student's copies of maps (N, C, H, W), and of smaller ones made of these."""

    def inputs(self, x: Tensor) -> list[Tensor]:
        return [x, x.repeat(1, 2, 1, 1)[..., ::2, ::2], x.repeat(1, 4, 1, 1)[..., ::4, ::4]]


class Predicted(nn.Module):
    """The network of DISYRE and MOOD22 at t = 50."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = published("disyre")

    def forward(self, images: Tensor) -> Tensor:
        return self.inner.predict(images, 50)


def features(name: str, stages: int) -> Levels:
    return Levels(ResNet(name, stages))


DEFAULTS = {
    "resnet18": Case(
        "FAE, PaDiM", "features of ResNet-18's four stages", lambda: features("resnet18", 4), (1, 3, 32, 32),
        source=TORCHVISION,
    ),
    "wide_resnet50_2": Case(
        "RD, PatchCore", "features of wide ResNet-50-2's three stages", lambda: features("wide_resnet50_2", 3),
        (1, 3, 32, 32), source=TORCHVISION,
    ),
    "fae_default": Case(
        "FAE", "output of the autoencoder of ResNet-18's features",
        lambda: FeatureAutoencoder(256, (100, 150, 200, 300), 0.1), (1, 256, 16, 16),
    ),
    "unet": Case(
        "DISYRE, MOOD22", "output of the U-Net at t = 50", Predicted, (1, 1, 32, 32), source=DIFFUSERS
    ),
}  # fmt: skip
#: with 85 million weights
LARGE = {
    "rd_wide_resnet50_2": Case(
        "RD", "copies of the student of wide ResNet-50-2's three stages",
        lambda: Copies(Student("wide_resnet50_2", (256, 512, 1024))), (1, 256, 8, 8),
    ),
}  # fmt: skip
EVERY = CASES | DEFAULTS | LARGE

#: where defaults are tested that a method's SMALL replaces, but for numbers of steps and sizes of batches
REPLACED = (
    ("`vae`", "`patch`, `width`, `bottleneck_channels`, `latent`", "output recorded; T2's half the width is not run"),
    (
        "`f_anogan`",
        "`patch`, `width`, `latent`",
        "outputs of `f_anogan-upd` recorded; blocks of the default by hand, since its public code is for TensorFlow",
    ),
    ("`fae`", "`patch`, `width`, `widths`, `zoom`", "outputs of backbone and autoencoder recorded"),
    ("`rd`", "`patch`, `backbone`, `width`", "outputs of backbone and, nightly, of the student recorded"),
    ("`padim`", "`patch`, `width`, `channels`, `zoom`", "outputs of the backbone recorded; not 100 of its channels"),
    (
        "`patchcore`",
        "`patch`, `backbone`, `width`, `bank`, `zoom`",
        "outputs of the backbone recorded; a bank of 10,000 is not run",
    ),
    ("`fae`, `rd`, `padim`, `patchcore`", "`weights`", "ImageNet's are checked by their SHA-256, and not run"),
    (
        "`am_cons`",
        "`patch`, `width`, `latent`, `erosion`, `score_erosion`",
        "outputs recorded; erosion compared with scipy",
    ),
    ("`pii`, `fpi`", "`patch`, `widths`", "output recorded"),
    ("`dae`", "`patch`, `widths`, `cells`", "output and training steps recorded"),
    ("`disyre`, `mood22`, `disyre_v2`", "`patch`, `widths`, `groups`, `layers`, `attention_from`", "output recorded"),
    ("`disyre`", "`times`, `curve_times`, `step_sizes`", "not run: longer lists of the same loops"),
    (
        "`ddpm`, `anoddpm`",
        "`patch`, `widths`, `groups`, `layers`, `attention_from`",
        "configuration and shapes compared with diffusers; 113 million weights are not run",
    ),
    ("`ddpm`, `anoddpm`", "`stride`", "restoration by hand"),
    ("`anoddpm`", "`frequency`", "noise recorded"),
)
